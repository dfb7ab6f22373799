"""Reads conditions and `cases`: a value by the condition that holds."""

from __future__ import annotations

from typing import Any, cast

from optdsl.diagnostics import Span
from optdsl.language import syntax
from optdsl.latex.notation import Cases, Comparison, Infix, Logic, Raw, Sign
from optdsl.latex.problems import refuse
from optdsl.latex.reads import Reads


def cases(raw: Cases, reader: Reads, *, covering: bool = True) -> syntax.Expression:
    """Return a conditional.

    Where it is a whole side of an equation it need not cover all cases: the last
    value stays where no condition holds.
    """
    *_, last = raw.rows
    if last.condition is not None and covering:
        hint = "end the cases with `\\text{otherwise}`"
        raise refuse("latex-cases", "what holds in all other cases?", last.span, hint)
    rows = list(raw.rows)
    value = None if last.condition is not None else reader.expression(rows.pop().value)
    for row in rows:
        if row.condition is None:
            raise refuse("latex-cases", "`otherwise` stands last", row.span)
    tests = [_comparing(row.condition, reader) for row in rows if row.condition is not None]
    if value is None and len(rows) == 2 and _are_all(*tests):
        value = reader.expression(rows.pop().value)
    for row, test in reversed(list(zip(rows, tests, strict=False))):
        chosen = reader.expression(row.value)
        value = syntax.Conditional(chosen, test, value, span=raw.span)
    return cast(syntax.Expression, value)


def _are_all(first: syntax.Expression, second: syntax.Expression) -> bool:
    """`if p = 0` and `if p \\neq 0`: does one of the two always hold, whatever the numbers are?"""
    match first, second:
        case syntax.Binary(one, left, right), syntax.Binary(other, also, too):
            return {one, other} == {"==", "!="} and (left, right) == (also, too)
    return False


def _comparing(raw: Raw, reader: Reads) -> syntax.Expression:
    """The condition of a case compares, or is a name for what was compared."""
    if isinstance(raw, Comparison | Logic):
        return condition(raw, reader)
    value = reader.expression(raw)
    if isinstance(value, syntax.Name | syntax.Call | syntax.Unary | syntax.Binary):
        arithmetic = isinstance(value, syntax.Binary) and value.operator in "+-*/^@"
        number = isinstance(value, syntax.Unary) and value.operator == "-"
        if isinstance(value, syntax.Name) and _is_flag(value, reader):
            zero = syntax.Number("0", span=raw.span)
            return syntax.Binary("!=", value, zero, span=raw.span)
        if not (arithmetic or number):
            return value
    raise refuse("latex-cases", "expected a comparison", raw.span)


def _is_flag(name: syntax.Name, reader: Reads) -> bool:
    """`if nesterov`: a word that no equation sets is a number that is not 0 where it holds."""
    known = name.name in reader.evidence.targets | reader.evidence.times.keys()
    return len(name.name) > 2 and not name.indices and not known


def condition(raw: Comparison | Logic, reader: Reads) -> syntax.Expression:
    """Return what compares, or joins what does."""
    match raw:
        case Comparison("mod", left, right, span):
            return _congruence(left, right, raw, reader)
        case Comparison("==" | "!=" as operator, left, Sign("true" | "false" as truth), span):
            flag = reader.expression(left)
            if not isinstance(flag, syntax.Name) or not _is_flag(flag, reader):
                raise refuse("latex-cases", "expected a word that is true or false", left.span)
            holds = (operator == "==") == (truth == "true")
            zero = syntax.Number("0", span=span)
            return syntax.Binary("!=" if holds else "==", flag, zero, span=span)
        case Comparison(operator, left, right, span):
            values = reader.expression(left), reader.expression(right)
            return syntax.Binary(cast(Any, operator), *values, span=span)
        case Logic("not", (operand,), span):
            return syntax.Unary("not", reader.expression(operand), span=span)
        case Logic(operator, (left, right), span) if operator != "not":
            both = reader.expression(left), reader.expression(right)
            return syntax.Binary(operator, *both, span=span)
    raise refuse("latex-cases", "expected a comparison", raw.span)


def _congruence(left: Raw, right: Raw, raw: Comparison, reader: Reads) -> syntax.Expression:
    """`t \\equiv 0 \\pmod{k}`: the remainder of the difference is zero."""
    if not (isinstance(right, Infix) and right.rest and right.rest[-1][0] == "mod"):
        hint = "write `t \\equiv 0 \\pmod{k}`"
        raise refuse("latex-cases", "expected `\\pmod` behind this", right.span, hint)
    (*before, (_, modulus)) = right.rest
    rest = Infix(right.first, tuple(before), right.span) if before else right.first
    number, residue = reader.expression(left), reader.expression(rest)
    zero = syntax.Number("0", span=rest.span)
    if residue != zero:
        number = syntax.Binary("-", number, residue, span=raw.span)
    remainder = syntax.Call("mod", (number, reader.expression(modulus)), span=raw.span)
    return syntax.Binary("==", remainder, zero, span=raw.span)


def indicator(test: Raw, span: Span, reader: Reads) -> syntax.Expression:
    """`\\mathbb{1}[x > 0]` is 1 where that holds, else 0."""
    one, zero = syntax.Number("1", span=span), syntax.Number("0", span=span)
    return syntax.Conditional(one, reader.expression(test), zero, span=span)
