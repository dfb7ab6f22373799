"""What the words of kernels mean on a CUDA device."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from optdsl.codegen.support import chances, kernel_draws, kernels
from optdsl.codegen.support.cuda import memory
from optdsl.codegen.support.cuda.words import THREADS

_MEMORY = (
    "get", "is_aligned", "load", "load_constant", "load_some", "nothing", "put", "read",
    "read_changing", "rounded", "store", "store_some", "write",
)  # fmt: skip
_ARITHMETIC = (
    "cos", "cube", "exp", "floor", "isfinite", "log", "logical_not", "maximum", "minimum", "mod",
    "power", "sign", "sqrt", "square", "where",
)  # fmt: skip


def shared_words() -> dict[str, Any]:
    """Return the words that mean the same wherever a kernel runs."""
    words = {name: getattr(memory, name) for name in _MEMORY}
    return words | {name: getattr(kernels, name) for name in _ARITHMETIC}


@cache
def device_words(real: Any) -> dict[str, Any]:
    """Return what every word means in Numba for CUDA, in kernels that compute in this type."""
    cuda: Any = import_module("numba.cuda")
    inlined = cuda.jit(device=True, inline="always")
    folds = (kernels.plus, kernels.minimum, kernels.maximum)
    found = {name: inlined(function) for name, function in places(cuda, *folds).items()}
    drawn = kernel_draws.formulas(inlined)
    by_chance = chances.formulas(inlined)
    for name in ("bfloat16_by_chance", "float16_by_chance"):
        found[name] = by_chance[name]
    bits = np.dtype(real).itemsize * 8
    for distribution in ("normal", "uniform"):
        formula = drawn[f"{distribution}{bits}"]
        found[f"standard_{distribution}"] = inlined(_ignoring_type(formula))
    return shared_words() | found


def _ignoring_type(formula: Any) -> Any:
    def drawn(
        zero: Any, i: Any, begin: Any, identity: Any, step: Any, number: Any, low: Any, high: Any
    ) -> Any:
        return formula(i, begin, identity, step, number, low, high)

    return drawn


def places(cuda: Any, add: Any, minimum: Any, maximum: Any) -> dict[str, Any]:
    """Return the functions of threads and blocks, in terms of Numba's module for CUDA."""
    threads, float64 = THREADS, np.float64

    def block_index() -> Any:
        return np.int64(cuda.blockIdx.x)

    def thread_index() -> Any:
        return np.int64(cuda.threadIdx.x)

    def folding(combined: Any) -> Any:
        def of_block(place: Any, x: Any) -> Any:
            shared = cuda.shared.array(threads, float64)
            thread = cuda.threadIdx.x
            shared[thread] = x
            width = threads // 2
            while width > 0:
                cuda.syncthreads()
                if thread < width:
                    shared[thread] = combined(shared[thread], shared[thread + width])
                width //= 2
            cuda.syncthreads()
            return shared[0]

        return of_block

    return {
        "block_index": block_index,
        "thread_index": thread_index,
        "sum_of_block": folding(add),
        "least_of_block": folding(minimum),
        "greatest_of_block": folding(maximum),
    }
