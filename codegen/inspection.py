"""What Numba made of the kernels of a layout: assembly, and whether loops are vectorised."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from optdsl.runtime.formats import dtype_named, stored_dtype
from optdsl.runtime.layout import Layout, Pass
from optdsl.storage import known_storage

_FUNCTION = re.compile(r"^define .*?^}", re.MULTILINE | re.DOTALL)
_COMPUTES = re.compile(r"= (?:f(?:add|sub|mul|div|cmp)|select)\b[^\n]*(?:float|double)")
_ON_VECTORS = re.compile(r"= (?:f(?:add|sub|mul|div|cmp)|select)\b[^\n]*<\d+ x (?:float|double)>")
_CALLED = re.compile(r"\bcall\b[^\n@]*@([\w.]+)")
#: LLVM's own functions that end in a call to the mathematical library.
_LIBRARY = re.compile(r"llvm\.(?:pow|exp|log|cos|sin)\b")
_REMAINDER = re.compile(r"= frem\b")


def kernels(layout: Layout) -> list[tuple[Pass, Any]]:
    """Return the passes of a layout, each with what runs its kernel, every kernel once."""
    found: dict[int, tuple[Pass, Any]] = {}
    for stages in (layout.ready, layout.function, layout.iterate, layout.evaluate):
        for stage in stages or ():
            if isinstance(stage, Pass):
                runner: Any = stage.function
                found.setdefault(id(runner.kernel), (stage, runner))
    return list(found.values())


def _compiled(layout: Layout, stage: Pass, runner: Any, dtype: str) -> tuple[Any, Any]:
    """Compile a kernel for tensors of `dtype`; return the new one and its signature.

    Numba shows nothing of what it took from its cache, so this compiles again. It
    runs over no chunk at all.
    """
    from optdsl.codegen.support.kernels import compiled_again

    fresh = compiled_again(runner.kernel)
    formats = tuple(_zero(layout, name, dtype) for name in stage.streams)
    nothing = np.zeros(0, np.int64)
    fresh(
        np.zeros(3, np.int64), formats, np.zeros((0, len(formats)), np.int64), nothing,
        *((nothing,) if runner.by_rows else ()), nothing, nothing,
        np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0), np.zeros((0, stage.reductions)),
        *((nothing,) if runner.draws else ()),
    )  # fmt: skip
    return fresh, fresh.signatures[0]


def _zero(layout: Layout, stream: str, dtype: str) -> Any:
    """Return the zero that tells a kernel of what dtype a stream is, for tensors of `dtype`."""
    from optdsl.codegen.support.zeros import zero_of

    if stream in {name for name, _ in layout.shaped}:
        return np.float64(0)
    states = {state.name: state.storage for state in layout.states}
    storage = states.get(stream)
    if storage is not None:
        return zero_of(stored_dtype(known_storage(storage)))
    narrow = stream in states and dtype == "bfloat16"
    return zero_of(dtype_named("float32" if narrow else dtype))


def assembly_text(layout: Layout, dtype: str) -> str:
    """Return the assembly of every kernel of a layout."""
    compiled = (_compiled(layout, stage, runner, dtype) for stage, runner in kernels(layout))
    return "\n".join(kernel.inspect_asm(signature) for kernel, signature in compiled)


def llvm_text(layout: Layout, dtype: str) -> list[str]:
    """Return the optimised LLVM code of each loop that computes, for tensors of `dtype`.

    A loop that only copies is none.
    """
    texts = []
    for stage, runner in kernels(layout):
        compiled, signature = _compiled(layout, stage, runner, dtype)
        functions = _FUNCTION.findall(compiled.inspect_llvm(signature))
        texts.append("\n".join(each for each in functions if _COMPUTES.search(each)))
    return [text for text in texts if text]


def is_vectorized(layout: Layout, dtype: str) -> bool:
    """Does every loop over entries compute on whole vectors, and call nothing?"""
    return all(runs_on_vectors(text) for text in llvm_text(layout, dtype))


def runs_on_vectors(text: str) -> bool:
    """Does the LLVM code of a loop compute on whole vectors, and call nothing?"""
    called = _calls(text) or _REMAINDER.search(text)
    return _ON_VECTORS.search(text) is not None and not called


def _calls(text: str) -> list[str]:
    names = _CALLED.findall(text)
    return [name for name in names if not name.startswith("llvm.") or _LIBRARY.match(name)]
