"""Is an array fit to be a parameter, or a gradient of one?"""

from __future__ import annotations

import ctypes
import sys
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from optdsl.runtime.errors import (
    GradientError,
    GradientTypeError,
    ParameterError,
    ParameterTypeError,
)
from optdsl.runtime.formats import is_bfloat16

Array: TypeAlias = npt.NDArray[Any]
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def can_be_stepped(dtype: np.dtype[Any] | None) -> bool:
    """Can parameters of this dtype be stepped: float32, float64, or bfloat16 of ml_dtypes?"""
    if dtype is None or is_bfloat16(dtype):
        return dtype is not None
    return dtype in DTYPES and dtype.isnative


def is_masked(array: Any) -> bool:
    """Is it an array of `numpy.ma`? None is, where nobody has imported that."""
    masked = sys.modules.get("numpy.ma")
    return masked is not None and isinstance(array, masked.MaskedArray)


def check_parameter(array: Any, label: str) -> None:
    """Refuse what cannot be stepped in place.

    Raises:
        ParameterTypeError: not a NumPy array, or not one of float32, float64 or bfloat16.
        ParameterError: read-only, not contiguous, or not aligned.
    """
    if not isinstance(array, np.ndarray) or is_masked(array):
        raise ParameterTypeError(
            f"parameter {label} is of type {type(array).__name__}: give a NumPy array"
        )
    if not can_be_stepped(array.dtype):
        raise ParameterTypeError(
            f"parameter {label} holds {array.dtype}: float32, float64 and bfloat16 can be stepped"
        )
    if not array.flags.c_contiguous:
        raise ParameterError(
            f"parameter {label} is not contiguous in C order: give the array it is a view of, "
            "or a contiguous copy"
        )
    if not array.flags.writeable:
        raise ParameterError(f"parameter {label} is read-only: a step writes to it")
    if not array.flags.aligned:
        raise ParameterError(f"parameter {label} is not aligned in memory: give an aligned copy")


def wrong_dtype(dtype: np.dtype[Any], dtypes: Sequence[str]) -> str | None:
    """Return what is wrong with a dtype for a rule that takes these, where it says some."""
    if not dtypes or dtype.name in dtypes:
        return None
    if is_bfloat16(dtype):
        return (
            f"this rule was compiled for {' and '.join(dtypes)}: compile it with "
            "--storage theta=bfloat16"
        )
    wanted = dtypes[0]
    return f"this rule keeps its parameters in {wanted}: give array.astype(ml_dtypes.{wanted})"


class Extents:
    """The stretches of memory that parameters take, to find what overlaps them."""

    def __init__(self, arrays: Sequence[Array], labels: Sequence[str]) -> None:
        spans = sorted((*extent(array), i) for i, array in enumerate(arrays) if array.size)
        self.starts = [start for start, _, _ in spans]
        self.ends = [end for _, end, _ in spans]
        self.labels = [labels[i] for _, _, i in spans]
        self.roots = _roots(arrays)
        for i in range(1, len(spans)):
            if self.starts[i] < self.ends[i - 1]:
                raise ParameterError(
                    f"parameters {self.labels[i - 1]} and {self.labels[i]} share memory: "
                    "each array must be given once"
                )

    def apart_from(self, array: Array) -> bool:
        """Is it plain, without looking at addresses, that `array` touches no parameter?

        So it is where every parameter's memory belongs to an array that is known, and `array`
        has memory of its own.
        """
        roots = self.roots
        return roots is not None and array.flags.owndata and id(array) not in roots

    def touching(self, array: Array) -> str | None:
        """Return the label of a parameter that shares memory with `array`."""
        if not array.size:
            return None
        start, end = extent(array)
        place = bisect_right(self.starts, start) - 1
        if place >= 0 and start < self.ends[place]:
            return self.labels[place]
        if place + 1 < len(self.starts) and self.starts[place + 1] < end:
            return self.labels[place + 1]
        return None


def _roots(arrays: Sequence[Array]) -> frozenset[int] | None:
    """Return the ids of the arrays that own this memory; None where another object does."""
    roots = set()
    for array in arrays:
        root: Any = array
        while isinstance(root, np.ndarray) and not root.flags.owndata:
            root = root.base
        if not isinstance(root, np.ndarray):
            return None
        roots.add(id(root))
    return frozenset(roots)


def address(array: Array) -> int:
    """Return where the entries of `array` begin.

    >>> array = np.zeros(3)
    >>> address(array) == array.ctypes.data
    True
    """
    try:  # several times faster than `ctypes.data`, but for writable arrays with entries only
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        return int(array.ctypes.data)


def extent(array: Array) -> tuple[int, int]:
    """Return the first address of `array` and the one behind its last."""
    if array.flags.c_contiguous:
        start = address(array)
        return start, start + array.nbytes
    low, high = np.lib.array_utils.byte_bounds(array)
    return int(low), int(high)


def check_parameters(
    arrays: Sequence[Any], labels: Sequence[str], dtypes: Sequence[str] = ()
) -> Extents:
    """Refuse parameters that are unfit, of none of `dtypes`, or overlapping.

    Raises:
        ParameterError: as `check_parameter`, or one of these.
    """
    for array, label in zip(arrays, labels, strict=True):
        check_parameter(array, label)
        wrong = wrong_dtype(array.dtype, dtypes)
        if wrong is not None:
            raise ParameterTypeError(f"parameter {label} holds {array.dtype}, and {wrong}")
    return Extents(arrays, labels)


def check_same_form(arrays: Sequence[Any], others: Sequence[Array | None]) -> None:
    """Refuse arrays that cannot take the place of others.

    Raises:
        ParameterError: another number of arrays, or another shape or dtype.
    """
    forms = [[(a.shape, a.dtype) for a in group if a is not None] for group in (arrays, others)]
    if forms[0] != forms[1]:
        raise ParameterError("the new arrays differ from the old ones in number, shape or dtype")


def fit_gradient(
    given: Any, shape: tuple[int, ...], dtype: np.dtype[Any], label: str, extents: Extents | None
) -> Array:
    """Return `given` as a contiguous array; a copy only where it was not one.

    Raises:
        GradientTypeError: not a NumPy array, or of another dtype than the parameter.
        GradientError: of another shape, or it shares memory with a parameter.
    """
    if type(given) is np.ndarray and given.dtype == dtype and given.shape == shape:
        fit: Array = given
        apart = extents is None or extents.apart_from(fit)
        if fit.flags.carray and (apart or extents.touching(fit) is None):  # type: ignore[union-attr]
            return fit
    if isinstance(given, np.generic) and shape == ():
        given = np.array(given)
    _check_gradient(given, shape, dtype, label)
    touched = None if extents is None else extents.touching(given)
    if touched is not None:
        raise GradientError(
            f"the gradient of {label} shares memory with the parameter {touched}, "
            "which a step overwrites: give a copy"
        )
    contiguous: Array = np.require(given, requirements=["C_CONTIGUOUS", "ALIGNED"])
    return contiguous


def _check_gradient(given: Any, shape: tuple[int, ...], dtype: np.dtype[Any], label: str) -> None:
    if not isinstance(given, np.ndarray):
        raise GradientTypeError(
            f"the gradient of {label} is of type {type(given).__name__}: give a NumPy array, "
            "or None for a parameter that takes no step"
        )
    if is_masked(given):
        raise GradientTypeError(f"the gradient of {label} is a masked array: fill it first")
    if given.dtype != dtype:
        module = "ml_dtypes" if is_bfloat16(dtype) else "numpy"
        raise GradientTypeError(
            f"the gradient of {label} holds {given.dtype}, but the parameter {dtype}: "
            f"convert it, as in gradient.astype({module}.{dtype})"
        )
    if given.shape != shape:
        raise GradientError(
            f"the gradient of {label} has shape {given.shape}, but the parameter {shape}"
        )


def read_only(array: Array | None) -> Array:
    """Return a view of `array` that cannot be written to."""
    assert array is not None
    view = array.view()
    view.flags.writeable = False
    return view
