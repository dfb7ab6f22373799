"""The one way in which the reader refuses."""

from __future__ import annotations

from optdsl.diagnostics import Diagnostic, DiagnosticError, Span


def refuse(code: str, message: str, span: Span, hint: str | None = None) -> DiagnosticError:
    """Return the error that says what cannot be read, for the caller to raise."""
    return DiagnosticError(Diagnostic(code, message, span, hint))
