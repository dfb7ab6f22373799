"""What Numba made of the kernels of a layout: assembly, and whether loops are vectorised."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from optdsl.runtime.layout import Layout, Pass

_VECTOR = re.compile(
    r"^\s+v(?:add|sub|mul|div|f[nm]\w*|sqrt|max|min)p[sd]\s.*%[yz]mm", re.MULTILINE
)


def kernels(layout: Layout) -> list[tuple[Pass, Any]]:
    """Return the passes of a layout, each with its kernel, every kernel once."""
    found: dict[int, tuple[Pass, Any]] = {}
    for stages in (layout.ready, layout.function, layout.iterate):
        for stage in stages or ():
            if isinstance(stage, Pass):
                kernel = stage.function.kernel  # type: ignore[attr-defined]
                found.setdefault(id(kernel), (stage, kernel))
    return list(found.values())


def _compiled(stage: Pass, kernel: Any, dtype: str) -> Any:
    """Compile a kernel for tensors of `dtype` by running it over none, and return its signature."""
    zero = np.dtype(dtype).type(0)
    nothing = np.zeros(0, np.int64)
    formats = tuple(zero for _ in stage.streams)
    before = set(kernel.signatures)
    kernel(
        formats, np.zeros((0, len(formats)), np.int64), nothing, nothing, nothing,
        np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0), np.zeros((0, stage.reductions)),
    )  # fmt: skip
    new = [signature for signature in kernel.signatures if signature not in before]
    return new[0] if new else _known(kernel, zero)


def _known(kernel: Any, zero: Any) -> Any:
    name = str(zero.dtype)
    return next(each for each in kernel.signatures if str(each[0].dtype) == name)


def assembly_text(layout: Layout, dtype: str) -> str:
    """Return the assembly of every kernel of a layout."""
    texts = []
    for stage, kernel in kernels(layout):
        signature = _compiled(stage, kernel, dtype)
        texts.append(kernel.inspect_asm(signature))
    return "\n".join(texts)


def is_vectorized(layout: Layout, dtype: str) -> bool:
    """Does every kernel of a layout compute on whole vector registers?"""
    for stage, kernel in kernels(layout):
        if not _VECTOR.search(kernel.inspect_asm(_compiled(stage, kernel, dtype))):
            return False
    return True
