"""Frames: the arrays of one call of a kernel, as a row of whole numbers that compiled code reads.

Each array stands there as the address of its first entry, then its length along each axis. All
are contiguous. `SHAPES` says what each parameter of a kernel is; `formats` is none of them: it is
known when a kernel is compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optdsl.codegen.support.tables import Array
from optdsl.codegen.support.words import Kernel
from optdsl.runtime.arrays import address

#: The dtype and the number of axes of each array.
SHAPES = {
    "take": ("int64", 1),
    "addresses": ("int64", 2),
    "counts": ("int64", 1),
    "columns": ("int64", 1),
    "rows": ("int64", 1),
    "cohort": ("int64", 1),
    "scalars": ("float64", 2),
    "tensor": ("float64", 2),
    "everything": ("float64", 1),
    "partials": ("float64", 2),
    "begins": ("int64", 1),
}


class Frame:
    """One call of a kernel on these arrays, to be made again and again: the job is to work on
    chunks until all are taken.

    `take` says which are still to be worked on; see `sharing.py`.
    """

    __slots__ = ("_arrays", "_numbers", "job", "take")

    def __init__(self, kernel: Kernel, formats: tuple[Any, ...], arrays: dict[str, Array]) -> None:
        self.take = np.zeros(3, np.int64)
        numbers: list[int] = []
        kept = []
        for name in kernel.arguments:
            if name == "formats":
                continue
            array = self.take if name == "take" else arrays[name]
            assert array.flags.c_contiguous, name
            assert (array.dtype.name, array.ndim) == SHAPES[name], name
            numbers += [address(array), *array.shape]
            kept.append(array)
        self._arrays = kept
        self._numbers = np.array(numbers, np.int64)
        self.job = kernel.compiled(formats)(address(self._numbers))
