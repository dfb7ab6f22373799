"""Parameters in the structure they are kept in: arrays in lists and dicts, or one array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from optdsl.training.errors import TrainingError

Array: TypeAlias = npt.NDArray[Any]
Parameters: TypeAlias = Any  # an array, or a list, tuple or dict of Parameters


def named_arrays(parameters: Parameters, name: str = "") -> Iterator[tuple[str, Array]]:
    """Yield each array with the name by which messages call it.

    >>> [name for name, _ in named_arrays({"w": np.ones(2), "layers": [np.ones(1), np.ones(3)]})]
    ['w', 'layers[0]', 'layers[1]']

    Raises:
        TrainingError: something is neither an array nor a list or dict of these.
    """
    if isinstance(parameters, np.ndarray):
        yield name or "array", parameters
    elif isinstance(parameters, Mapping):
        for key, value in parameters.items():
            yield from named_arrays(value, f"{name}.{key}" if name else str(key))
    elif isinstance(parameters, list | tuple):
        for index, value in enumerate(parameters):
            yield from named_arrays(value, f"{name}[{index}]")
    else:
        where = f"`{name}` is" if name else "parameters are"
        raise TrainingError(
            f"{where} of type {type(parameters).__name__}: "
            "give NumPy arrays, or lists and dicts of these"
        )


def mapped(function: Callable[[Array], Array], parameters: Parameters) -> Parameters:
    """Return the same structure with `function` of each array; a tuple becomes a list.

    Raises:
        TrainingError: something is neither an array nor a list or dict of these.
    """
    if isinstance(parameters, Mapping):
        return {key: mapped(function, value) for key, value in parameters.items()}
    if isinstance(parameters, list | tuple):
        return [mapped(function, value) for value in parameters]
    return next(function(array) for _, array in named_arrays(parameters))


def copied(parameters: Parameters) -> Parameters:
    """Return copies of all arrays in the same structure; a tuple becomes a list."""
    return mapped(np.copy, parameters)


def by_name(parameters: Parameters) -> dict[str, Array]:
    """Return the arrays by name.

    Raises:
        TrainingError: two have the same name, as with {"a.b": ..., "a": {"b": ...}}.
    """
    result: dict[str, Array] = {}
    for name, array in named_arrays(parameters):
        if name in result:
            raise TrainingError(f"two parameters are called `{name}`: rename one")
        result[name] = array
    return result


def paired(ours: Parameters, theirs: Parameters, what: str) -> list[tuple[str, Array, Array]]:
    """Return (name, array of ours, array of theirs) for each array.

    `what` is how a message calls theirs.

    Raises:
        TrainingError: names or shapes differ.
    """
    left, right = by_name(ours), by_name(theirs)
    for name in sorted(left.keys() ^ right.keys()):
        side = "not among" if name in left else "only in"
        raise TrainingError(f"`{name}` is {side} {what}: give the same names on both sides")
    for name, array in left.items():
        if array.shape != right[name].shape:
            raise TrainingError(
                f"`{name}` has the shape {array.shape}, and {right[name].shape} in {what}"
            )
    return [(name, array, right[name]) for name, array in left.items()]


def write_into(parameters: Parameters, values: Parameters, what: str) -> None:
    """Copy `values` into the arrays of `parameters`, all or none.

    Raises:
        TrainingError: names, shapes or dtypes differ, or an array cannot be written.
    """
    pairs = paired(parameters, values, what)
    for name, array, value in pairs:
        if array.dtype != value.dtype:
            raise TrainingError(f"`{name}` is {array.dtype}, and {value.dtype} in {what}")
        if not array.flags.writeable:
            raise TrainingError(f"`{name}` is read-only: give arrays that can be written")
    for _, array, value in pairs:
        array[...] = value
