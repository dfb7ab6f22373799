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
from optdsl.codegen.support.cuda.words import THREADS, WARP, Kernel

read_changing: Any = memory.read_changing
write: Any = memory.write

#: How many reductions a kernel may have, and how often a thread may fold numbers of its warp.
_MOST, _MOST_FOLDS = 64, 8192


class Emulator:
    """One block of threads, emulated: the place of the one that runs, and what they share.

    `place` has the block, the thread, and how often that thread has folded numbers of its warp.
    """

    def __init__(self) -> None:
        self.place = np.zeros(3, np.int64)
        self.shared = np.zeros((_MOST, THREADS))
        self.folded = np.zeros((_MOST_FOLDS, THREADS))

    def words(self, real: Any) -> dict[str, Any]:
        """Return what the words of kernels mean here."""
        place = self.place.ctypes.data

        @njit
        def block_index() -> Any:
            return read_changing("int64", place, 0)

        @njit
        def thread_index() -> Any:
            return read_changing("int64", place, 1)

        @njit
        def warp_index() -> Any:
            return thread_index() // WARP

        @njit
        def thread_of_warp() -> Any:
            return thread_index() % WARP

        return shared_words() | {
            "block_index": block_index,
            "thread_index": thread_index,
            "warp_index": warp_index,
            "thread_of_warp": thread_of_warp,
            "bfloat16_by_chance": chances.bfloat16_by_chance,
            "float16_by_chance": chances.float16_by_chance,
            "standard_normal": kernel_draws.standard_normal,
            "standard_uniform": kernel_draws.standard_uniform,
            "sum_of_block": self._folding(thread_index, kernels.plus),
            "least_of_block": self._folding(thread_index, kernels.minimum),
            "greatest_of_block": self._folding(thread_index, kernels.maximum),
            "sum_of_warp": self._folding_warps(thread_index, kernels.plus),
            "least_of_warp": self._folding_warps(thread_index, kernels.minimum),
            "greatest_of_warp": self._folding_warps(thread_index, kernels.maximum),
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

    def _folding_warps(self, thread_index: Any, combined: Any) -> Any:
        """Return what folds a number a thread of a warp; its first thread gets the result.

        Threads of a warp call it equally often, so that calls with one count belong together.
        """
        place, folded = self.place.ctypes.data, self.folded.ctypes.data

        @njit
        def of_warp(x: Any) -> Any:
            count = read_changing("int64", place, 2)
            if count >= _MOST_FOLDS:
                raise IndexError("a thread folds numbers of its warp too often to be emulated")
            write("int64", place, 2, count + 1)
            first = count * THREADS + thread_index()
            write("float64", folded, first, x)
            width = WARP // 2 if thread_index() % WARP == 0 else 0
            while width > 0:
                for lower in range(first, first + width):
                    left = read_changing("float64", folded, lower)
                    right = read_changing("float64", folded, lower + width)
                    write("float64", folded, lower, combined(left, right))
                width //= 2
            return read_changing("float64", folded, first)

        return of_warp


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
                place[2] = 0
                thread(*given)

    def run(blocks: int, *given: int) -> None:
        launch(place, blocks, *given)

    run.emulator = emulator  # type: ignore[attr-defined]
    return run
