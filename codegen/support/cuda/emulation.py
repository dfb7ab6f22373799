"""CUDA kernels on the CPU, block by block and thread by thread: what they compute, checked.

The source is the one that a device runs, and so is the code of its loads, stores and functions.
Where a thread is comes from memory instead of registers. Threads of a block run one after the
other, the last first: thread 0 finds what the others have put together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from optdsl.codegen.support import chances, kernel_draws, kernels
from optdsl.codegen.support.cuda import memory
from optdsl.codegen.support.cuda.device import shared_words
from optdsl.codegen.support.cuda.words import THREADS, Kernel

read_changing: Any = memory.read_changing
write: Any = memory.write

#: How many reductions a kernel may have.
_MOST = 64


class Emulator:
    """One block of threads, emulated: the place of the one that runs, and what they share."""

    def __init__(self) -> None:
        self.place = np.zeros(2, np.int64)
        self.shared = np.zeros((_MOST, THREADS))

    def words(self, real: Any) -> dict[str, Any]:
        """Return what the words of kernels mean here."""
        place = self.place.ctypes.data

        @njit
        def block_index() -> Any:
            return read_changing("int64", place, 0)

        @njit
        def thread_index() -> Any:
            return read_changing("int64", place, 1)

        return shared_words() | {
            "block_index": block_index,
            "thread_index": thread_index,
            "bfloat16_by_chance": chances.bfloat16_by_chance,
            "float16_by_chance": chances.float16_by_chance,
            "standard_normal": kernel_draws.standard_normal,
            "standard_uniform": kernel_draws.standard_uniform,
            "sum_of_block": self._folding(thread_index, kernels.plus),
            "least_of_block": self._folding(thread_index, kernels.minimum),
            "greatest_of_block": self._folding(thread_index, kernels.maximum),
        }

    def _folding(self, thread_index: Any, combined: Any) -> Any:
        """Return what folds a number a thread; thread 0, the last to come, gets the result."""
        shared = self.shared.ctypes.data

        @njit
        def of_block(place: Any, x: Any) -> Any:
            thread, first = thread_index(), place * THREADS
            write("float64", shared, first + thread, x)
            width = THREADS // 2 if thread == 0 else 0
            while width > 0:
                for lower in range(width):
                    left = read_changing("float64", shared, first + lower)
                    right = read_changing("float64", shared, first + lower + width)
                    write("float64", shared, first + lower, combined(left, right))
                width //= 2
            return read_changing("float64", shared, first)

        return of_block


def emulated(
    kernel: Kernel, formats: tuple[str, ...] = (), contract: bool = False
) -> Callable[..., None]:
    """Return `run(blocks, *given)`, which does on the CPU what a launch of so many blocks does.

    What is given are addresses of arrays on the host. With `contract`, a product and a sum may
    be rounded once, as on a device.
    """
    emulator = Emulator()
    flags: Any = {"error_model": "numpy", "fastmath": {"contract"} if contract else False}
    thread = njit(**flags)(kernel.function(formats, emulator.words))
    place = emulator.place

    @njit(**flags)  # type: ignore[untyped-decorator]
    def launch(place: Any, blocks: int, *given: Any) -> None:
        for block in range(blocks):
            place[0] = block
            for index in range(THREADS - 1, -1, -1):
                place[1] = index
                thread(*given)

    def run(blocks: int, *given: int) -> None:
        launch(place, blocks, *given)

    run.emulator = emulator  # type: ignore[attr-defined]
    return run
