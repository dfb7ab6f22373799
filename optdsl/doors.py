"""What every door into a framework refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optdsl.diagnostics import Diagnostic, DiagnosticError

if TYPE_CHECKING:
    from optdsl.runtime.layout import Layout


def require_optimizer(layout: Layout, what: str) -> None:
    """Refuse a rule that steps nothing by itself; `what` is how the caller named it.

    Raises:
        DiagnosticError: it is a transform or a schedule.
    """
    if layout.family == "optimizer":
        return
    raise DiagnosticError(
        Diagnostic(
            "not-an-optimizer",
            f"{layout.name} is a {layout.family}, which steps nothing by itself",
            hint=f"compose it: `{what} | SGD`"
            if layout.family == "transform"
            else "give it to an optimizer, as in `AdamW(eta=...)`",
        )
    )
