"""A plain kernel that moves the same arrays as a rule: the time below which no step can be.

It shares nothing with compiled optimizers: Numba's own parallel loop runs over blocks, and in
each block every array is read and one number added to each entry; what the rule writes is written
back. The arrays are those of the optimizer itself, and the number is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

_BLOCK = 4096


@numba.njit(error_model="numpy")
def _moved(array: Any, amount: Any) -> None:
    for i in range(array.size):
        array[i] += amount


@numba.njit(fastmath=True)
def _read(array: Any, amount: Any) -> Any:
    total = amount
    for i in range(array.size):
        total += array[i]
    return total


@numba.njit(parallel=True, nogil=True)
def move(written: Any, read: Any, amount: Any, totals: Any) -> None:
    """Read every array, and write those in `written` back with `amount` added."""
    length = max(written[0].size, read[0].size)
    for block in numba.prange(totals.size):
        begin = block * _BLOCK
        end = min(begin + _BLOCK, length)
        for array in read:
            totals[block] += _read(array[begin:end], amount)
        for array in written:
            _moved(array[begin:end], amount)


def mover(optimizer: Any) -> Callable[[], None]:
    """Return what moves the arrays of an optimizer of one tensor, pass by pass.

    >>> import numpy as np, optdsl
    >>> optimizer = optdsl.load("Momentum")([np.ones(5)], gamma=0.9)
    >>> _ = optimizer.step([np.ones(5)])
    >>> mover(optimizer)()
    """
    passes = []
    tensors = optimizer._engine.tensors
    for stage in type(optimizer).layout.ready:
        if type(stage).__name__ == "Pass":
            arrays = {name: _array(tensors, name) for name in stage.streams}
            written = tuple(arrays[name] for name in stage.writes)
            read = tuple(array for name, array in arrays.items() if name not in stage.writes)
            nothing = arrays[stage.streams[0]][:0]  # Numba has no loop over an empty tuple
            passes.append((written or (nothing,), read or (nothing,)))
    size = next(iter(arrays.values())).size
    amount, totals = arrays["theta"].dtype.type(0), np.zeros(-(-size // _BLOCK))

    def run() -> None:
        for written, read in passes:
            move(written, read, amount, totals)

    return run


def _array(tensors: Any, name: str) -> Any:
    """Return the array of a stream; a gradient is let go after a step, and any other serves."""
    (array,) = tensors.stream(name)
    return np.zeros_like(tensors.stream("theta")[0]).ravel() if array is None else array.ravel()
