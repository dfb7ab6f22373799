"""Reads `cases`: a value by the condition that holds."""

from __future__ import annotations

from typing import Any, Protocol, cast

from optdsl.language import syntax
from optdsl.latex.notation import Cases, Comparison, Logic, Raw
from optdsl.latex.problems import refuse


class Reads(Protocol):
    """What reading a condition needs of the reader of expressions."""

    def expression(self, raw: Raw) -> syntax.Expression:
        """Return what `raw` says."""


def cases(raw: Cases, reader: Reads) -> syntax.Expression:
    """Return a conditional; the last case must hold otherwise."""
    *rows, last = raw.rows
    if last.condition is not None:
        hint = "end the cases with `\\text{otherwise}`"
        raise refuse("latex-cases", "what holds in all other cases?", last.span, hint)
    value = reader.expression(last.value)
    for row in reversed(rows):
        if row.condition is None:
            raise refuse("latex-cases", "`otherwise` stands last", row.span)
        condition = _condition(row.condition, reader)
        chosen = reader.expression(row.value)
        value = syntax.Conditional(chosen, condition, value, span=raw.span)
    return value


def _condition(raw: Raw, reader: Reads) -> syntax.Expression:
    match raw:
        case Comparison(operator, left, right, span):
            values = reader.expression(left), reader.expression(right)
            return syntax.Binary(cast(Any, operator), *values, span=span)
        case Logic("not", (operand,), span):
            return syntax.Unary("not", _condition(operand, reader), span=span)
        case Logic(operator, (left, right), span) if operator != "not":
            both = _condition(left, reader), _condition(right, reader)
            return syntax.Binary(operator, *both, span=span)
    raise refuse("latex-cases", "expected a comparison", raw.span)
