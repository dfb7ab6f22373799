"""Where a thread of a CUDA device is, and what the threads of a block make together.

Numba's module for CUDA is a global here, as its simulator wants it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from optdsl.codegen.support.cuda.words import WARP, WARPS

cuda: Any = import_module("numba.cuda")


def block_index() -> Any:
    """Return which block this is."""
    return np.int64(cuda.blockIdx.x)


def thread_index() -> Any:
    """Return which thread of its block this is."""
    return np.int64(cuda.threadIdx.x)


def warp_index() -> Any:
    """Return which warp of its block this thread is in."""
    return np.int64(cuda.threadIdx.x // WARP)


def thread_of_warp() -> Any:
    """Return which thread of its warp this is."""
    return np.int64(cuda.threadIdx.x % WARP)


def folding(combined: Any, of_warp: Any) -> Any:
    """Return what folds a number a thread into one: `of_block(place, x)`, warp by warp.

    Every thread of the block calls it. `place` tells the calls of a kernel apart, where threads
    do not wait for each other: each call has shared memory of its own, a number a warp.
    """

    def of_block(place: Any, x: Any) -> Any:
        shared = cuda.shared.array(WARPS, np.float64)
        thread = cuda.threadIdx.x
        of_one = of_warp(x)
        if thread % WARP == 0:
            shared[thread // WARP] = of_one
        width = WARPS // 2
        while width > 0:
            cuda.syncthreads()
            if thread < width:
                shared[thread] = combined(shared[thread], shared[thread + width])
            width //= 2
        cuda.syncthreads()
        return shared[0]

    return of_block


def folding_warps(combined: Any) -> Any:
    """Return what folds a number a thread of a warp into one: `of_warp(x)`, by halves.

    Every thread of the warp calls it; the first gets the result.
    """

    def of_warp(x: Any) -> Any:
        width = WARP // 2
        while width > 0:
            x = combined(x, cuda.shfl_down_sync(0xFFFFFFFF, x, width))
            width //= 2
        return x

    return of_warp
