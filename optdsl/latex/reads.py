"""What the parts of the reader ask of the whole: a formula's parts call it back for their own."""

from __future__ import annotations

from typing import Protocol

from optdsl.diagnostics import Span
from optdsl.language import syntax
from optdsl.latex.declared import Total
from optdsl.latex.names import Evidence, Named
from optdsl.latex.notation import Raw, Script


class Reads(Protocol):
    """The reader of expressions, as its parts see it."""

    evidence: Evidence
    loss: Named | None
    data: tuple[Raw, ...] | None
    totals: list[Total]
    draws: list[tuple[syntax.Name, syntax.Call]]
    indices: dict[str, syntax.Index]
    met: set[str]
    seen: dict[str, Named]

    def expression(self, raw: Raw) -> syntax.Expression:
        """Return what `raw` says."""

    def factors(self, raw: Raw) -> list[syntax.Expression]:
        """Return the factors of an implied product."""

    def name(self, raw: Raw) -> tuple[Named, syntax.Name]:
        """Return a symbol's name and time."""

    def remember(self, named: Named) -> None:
        """Refuse a symbol that differs from itself elsewhere."""

    def raised(
        self, base: syntax.Expression, scripts: tuple[Script, ...], span: Span
    ) -> syntax.Expression:
        """Return a power."""

    def scope(self, *values: Raw) -> tuple[syntax.Scope, ...]:
        """Return where a norm of these runs."""
