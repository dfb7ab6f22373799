"""What the words of kernels mean on a CUDA device."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from optdsl.codegen.support import chances, kernel_draws, kernels
from optdsl.codegen.support.cuda import memory

_MEMORY = (
    "get", "is_aligned", "load", "load_constant", "load_some", "nothing", "one_by_one", "put",
    "read", "read_changing", "repeated", "rounded", "store", "store_some", "write",
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
    from optdsl.codegen.support.cuda import threads

    inlined = threads.cuda.jit(device=True, inline="always")
    drawn, by_chance = kernel_draws.formulas(inlined), chances.formulas(inlined)
    bits = np.dtype(real).itemsize * 8
    found = shared_words() | {
        "block_index": inlined(threads.block_index),
        "thread_index": inlined(threads.thread_index),
        "warp_index": inlined(threads.warp_index),
        "thread_of_warp": inlined(threads.thread_of_warp),
    }
    folds = {"sum": kernels.plus, "least": kernels.minimum, "greatest": kernels.maximum}
    for name, combined in folds.items():
        of_warp = found[f"{name}_of_warp"] = inlined(threads.folding_warps(combined))
        found[f"{name}_of_block"] = inlined(threads.folding(combined, of_warp))
    for distribution in ("normal", "uniform"):
        formula = drawn[f"{distribution}{bits}"]
        found[f"standard_{distribution}"] = inlined(_ignoring_type(formula))
    for name in ("bfloat16_by_chance", "float16_by_chance"):
        found[name] = by_chance[name]
    return found


def _ignoring_type(formula: Any) -> Any:
    def drawn(
        zero: Any, i: Any, begin: Any, identity: Any, step: Any, number: Any, low: Any, high: Any
    ) -> Any:
        return formula(i, begin, identity, step, number, low, high)

    return drawn
