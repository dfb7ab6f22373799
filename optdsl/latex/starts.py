"""What a value was before the first step, where a document does not say it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from fractions import Fraction

from optdsl.language import syntax
from optdsl.latex import trees
from optdsl.latex.problems import refuse

ZERO = syntax.Number("0")


def check_moves(
    name: syntax.Name, value: syntax.Expression | None, others: Collection[str]
) -> None:
    """`\\eta \\gets \\eta/2` stays 0 if it starts there: a document must say another start."""
    if value is None:
        return
    read = {one.name for one, _ in trees.names_in(value)} - {name.name}
    if read & {*others, "g", "theta"} or not all(
        any(one.name == name.name for one, _ in trees.names_in(term)) for term in trees.terms(value)
    ):
        return
    message = f"nothing says where `{name.name}` starts, and from 0 it would not move"
    place = name.span or value.span
    if place is not None:
        hint = f"say it, as in `\\{name.name}_0 = 1`" if len(name.name) > 1 else None
        raise refuse("latex-start", message, place, hint)


def starting_value(
    name: str,
    equations: Mapping[str, syntax.Expression],
    said: Mapping[str, syntax.Expression],
) -> syntax.Expression:
    """Return `name[0]`: 0, or what its equation gives for t = 0 where that needs no past.

    `RMS[t] = sqrt(E[t] + epsilon)` with E[0] = 0 starts at sqrt(epsilon), whereas
    `mhat[t] = m[t]/(1 - beta1^t)` would be 0/0 and starts at 0. `equations` are the
    values of a step by name, `said` the starts that the document gives.
    """
    found = _at_zero(name, equations, said, frozenset())
    return ZERO if found is None else found


def _at_zero(
    name: str,
    equations: Mapping[str, syntax.Expression],
    said: Mapping[str, syntax.Expression],
    above: frozenset[str],
) -> syntax.Expression | None:
    if name in said:
        return said[name]
    value = equations.get(name)
    if value is None or name in above:
        return None
    if any(_is_past(read) for read, _ in trees.names_in(value)):
        return ZERO if any(read.name == name for read, _ in trees.names_in(value)) else None
    return _evaluate(value, equations, said, above | {name})


def _is_past(name: syntax.Name) -> bool:
    return (trees.offset_of(name) or 0) < 0


def _evaluate(
    expression: syntax.Expression,
    equations: Mapping[str, syntax.Expression],
    said: Mapping[str, syntax.Expression],
    above: frozenset[str],
) -> syntax.Expression | None:
    """Return the expression at t = 0, constants folded; None where it is not known there."""

    def inside(part: syntax.Expression) -> syntax.Expression | None:
        return _evaluate(part, equations, said, above)

    match expression:
        case syntax.Number() | syntax.Constant():
            return expression
        case syntax.Name("t", ()):
            return ZERO
        case syntax.Name(name, indices):
            if not indices:
                return expression
            return _at_zero(name, equations, said, above) if name in equations else None
        case syntax.Unary("-", operand):
            value = inside(operand)
            return value if value is None or value == ZERO else replace(expression, operand=value)
        case syntax.Binary(operator, left, right) if operator in "+-*/^":
            first, second = inside(left), inside(right)
            if first is None or second is None:
                return None
            return _fold(replace(expression, left=first, right=second))
        case syntax.Call("sqrt" | "exp" | "cos" | "abs" as function, (argument,)):
            if isinstance(argument, syntax.Keyword | syntax.Scope):
                return None
            value = inside(argument)
            if value is None or (value == ZERO and function in ("sqrt", "abs")):
                return value
            return replace(expression, arguments=(value,))
    return None


def _fold(whole: syntax.Binary) -> syntax.Expression | None:
    """Do what can be done in exact numbers; None for a division by zero."""
    left, right = whole.left, whole.right
    if whole.operator == "/" and right == ZERO:
        return None
    if whole.operator == "^" and right == ZERO:
        return syntax.Number("1")
    if isinstance(left, syntax.Number) and isinstance(right, syntax.Number):
        return _number(whole.operator, left.value, right.value) or whole
    if left == ZERO and whole.operator in "*/":
        return ZERO
    if right == ZERO and whole.operator == "*":
        return ZERO
    if left == ZERO and whole.operator == "+":
        return right
    if right == ZERO and whole.operator in "+-":
        return left
    return whole


def _number(operator: str, left: Fraction, right: Fraction) -> syntax.Expression | None:
    values = {"+": left + right, "-": left - right, "*": left * right}
    value = values.get(operator)
    if value is None or value.denominator != 1 or value < 0:
        return None
    return syntax.Number(str(value.numerator))
