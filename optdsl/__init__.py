"""From the equations of a paper to an optimizer that runs.

`load` turns a name, a file or a composition into a class. Nothing heavy is
imported before it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optdsl.diagnostics import Diagnostic, DiagnosticError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Diagnostic", "DiagnosticError", "__version__", "load"]
__version__ = "0.1.0"


def load(
    what: str | Path, target: str = "numba-cpu", *, storage: Mapping[str, str] | None = None
) -> Any:
    """Compile a rule and return the class that runs it.

    `what` is the name of a shipped rule ("Adam"), the path of a file of specs
    ("mine.opt": its last definition; "mine.opt:Mine": the one of that name), or a
    composition of rules ("ClipByGlobalNorm(c=1) | Adam"). `target` is
    "numba-cpu" (float32, float64 and bfloat16, all cores), "cuda" (arrays on an NVIDIA card) or
    "reference" (plain NumPy in float64). `storage` says how states are kept, as
    `state m : bfloat16` in a spec does: `storage={"m": "bfloat16", "v": "int8 blockwise(256)"}`.

    Returns a subclass of `optdsl.runtime.Optimizer`, `Schedule` or `Transform`.
    Raises `DiagnosticError` with every error of the spec, `OSError` where a file cannot be read.

    >>> import numpy as np, optdsl
    >>> w = np.ones(3)
    >>> opt = optdsl.load("SGD")([w], lr=0.5)
    >>> _ = opt.step([np.full(3, 2.0)])
    >>> w
    array([0., 0., 0.])
    """
    from optdsl.codegen import ALIASES, shelf
    from optdsl.runtime import from_layout
    from optdsl.storage import require_texts

    target = ALIASES.get(str(target), str(target))
    require_texts(storage)
    note = shelf.asked(what, target, storage or {})
    module = shelf.remembered(note)
    layout = _compiled(what, target, storage, note) if module is None else module.LAYOUT
    if target == "numba-cuda":
        from optdsl.cuda import from_layout as on_card

        return on_card(layout)
    return from_layout(layout)


def _compiled(what: str | Path, target: str, storage: Any, note: Path | None) -> Any:
    """Compile a rule, and remember what the text became."""
    from optdsl.codegen import cache, emit, find_target, shelf
    from optdsl.library import load_rule
    from optdsl.model.storing import with_storage

    find_target(target)
    rule = with_storage(load_rule(str(what)), storage) if storage else load_rule(str(what))
    module = cache.imported(rule, target, lambda: emit(rule, target))
    if note == shelf.asked(what, target, storage or {}):  # else the text has changed meanwhile
        shelf.remember(note, module.__name__.rpartition(".")[2])
    return module.LAYOUT
