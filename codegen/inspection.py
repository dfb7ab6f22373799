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


def _texts(layout: Layout, dtype: str) -> list[str]:
    """Return the optimised LLVM code of each kernel for tensors of `dtype`.

    What came from the cache is machine code alone, so this compiles again.
    """
    from optdsl.codegen.support.compiling import compile_kernel

    return [
        compile_kernel(runner.kernel, _formats(layout, stage, dtype)).text
        for stage, runner in kernels(layout)
    ]


def compile_kernels(layout: Layout, dtype: str) -> None:
    """Compile every kernel of a layout for tensors of `dtype`, if it is not on disk."""
    for stage, runner in kernels(layout):
        runner.kernel.compiled(_formats(layout, stage, dtype))


def _formats(layout: Layout, stage: Pass, dtype: str) -> tuple[Any, ...]:
    return tuple(_zero(layout, name, dtype) for name in stage.streams)


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
    from llvmlite import binding

    from optdsl.codegen.support.processor import target_machine

    machine = target_machine()
    texts = _texts(layout, dtype)
    return "\n".join(machine.emit_assembly(binding.parse_assembly(text)) for text in texts)


def llvm_text(layout: Layout, dtype: str) -> list[str]:
    """Return the optimised LLVM code of each loop that computes, for tensors of `dtype`.

    A loop that only copies is none.
    """
    texts = []
    for text in _texts(layout, dtype):
        functions = _FUNCTION.findall(text)
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
