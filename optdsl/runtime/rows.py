"""Steps of some rows of a tensor, where the others would stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from optdsl.runtime.arrays import Array
from optdsl.runtime.engine import Engine

#: Which rows of a tensor: each once, by their places in its first dimension.
Rows: TypeAlias = npt.NDArray[np.int64]


@contextmanager
def only_rows(engine: Engine, rows: Mapping[int, Rows]) -> Iterator[None]:
    """Let tensors consist of some of their rows within a `with` block.

    Their states must have started. What the block makes of the rows is written back at its end,
    unless it fails.
    """
    tensors = engine.tensors
    names = ("theta", *(slot.name for slot in tensors.entry_states))
    whole: dict[tuple[str, int], Array] = {}
    shapes = {index: tensors.shapes[index] for index in rows}
    for index, places in rows.items():
        for name in names:
            array = tensors.stream(name)[index]
            if array is not None:
                assert array.shape == shapes[index], "a state is kept in another shape"
                whole[name, index] = array
                tensors.stream(name)[index] = array[places]
        tensors.shapes[index] = (len(places), *shapes[index][1:])
    buffers = _without_buffers(engine, rows, names)
    try:
        yield
        for (name, index), array in whole.items():
            array[rows[index]] = tensors.stream(name)[index]
    finally:
        for (name, index), array in whole.items():
            tensors.stream(name)[index] = array
        for index, shape in shapes.items():
            tensors.shapes[index] = shape
        _without_buffers(engine, rows, names)
        for (name, index), buffer in buffers.items():
            tensors.stream(name)[index] = buffer


def _without_buffers(
    engine: Engine, rows: Mapping[int, Rows], names: tuple[str, ...]
) -> dict[tuple[str, int], Array | None]:
    """Take away what has the shape of the tensors besides `names`; return it."""
    taken: dict[tuple[str, int], Array | None] = {}
    for name, stream in engine.tensors.streams.items():
        for index in rows if name not in names else ():
            taken[name, index] = stream[index]
            stream[index] = None
    engine.forget_tables()
    return taken
