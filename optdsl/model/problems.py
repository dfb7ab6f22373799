"""Collecting what is wrong, so that a reader is told everything at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from optdsl.diagnostics import Diagnostic, DiagnosticError, Span

_UNUSED = {"unused-name", "unused-start"}


@dataclass
class Problems:
    """Diagnostics found so far; one place is blamed once for one thing."""

    found: dict[tuple[str, str, Span | None], Diagnostic] = field(default_factory=dict)

    def error(
        self,
        code: str,
        message: str,
        span: Span | None,
        hint: str | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> None:
        """Note a finding."""
        self.found.setdefault(
            (code, message, span), Diagnostic(code, message, span, hint, severity)
        )

    def raise_if_any(self) -> None:
        """Raise DiagnosticError with all errors, in the order of the text."""
        errors = [finding for finding in self.found.values() if finding.severity == "error"]
        # Where something else is wrong, a name may be unread for that alone.
        errors = [each for each in errors if each.code not in _UNUSED] or errors
        if errors:
            raise DiagnosticError(sorted(errors, key=_place))


def _place(diagnostic: Diagnostic) -> tuple[str, int]:
    span = diagnostic.span
    return ("", 0) if span is None else (span.source.name, span.start)
