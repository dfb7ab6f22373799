"""Typed expressions and numbers as text, for reports."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from optdsl.model.arithmetic import UNDEFINED, Real
from optdsl.model.evaluation import Entries
from optdsl.model.expressions import (
    Apply,
    Clock,
    Constant,
    Draw,
    Expression,
    Fact,
    Kind,
    Number,
    Reduce,
    Value,
)

_INFIX = {
    "or": (1, " or "), "and": (2, " and "),
    "lt": (4, " < "), "le": (4, " <= "), "gt": (4, " > "), "ge": (4, " >= "),
    "eq": (4, " == "), "ne": (4, " != "),
    "add": (5, " + "), "sub": (5, " - "), "mul": (6, "*"), "div": (6, "/"), "pow": (8, "^"),
}  # fmt: skip
_ATOM = 9


def text(expression: Expression, states: Sequence[str] = ()) -> str:
    """Return an expression as the language writes it; `states` are written with an index."""
    return _text(expression, frozenset(states))[0]


def _text(expression: Expression, states: frozenset[str]) -> tuple[str, int]:
    match expression:
        case Number(_, written):
            return written, _ATOM if written.replace(".", "").isalnum() else 6
        case Constant(name):
            return name, _ATOM
        case Clock(_, offset):
            return ("t", _ATOM) if not offset else (_time(offset), 5)
        case Value(name, _, offset):
            indexed = offset or name in states
            return f"{name}[{_time(offset)}]" if indexed else name, _ATOM
        case Reduce(operator, argument, kind, other):
            arguments = [argument, *([other] if other is not None else [])]
            words = [_text(a, states)[0] for a in arguments]
            return f"{operator}({', '.join([*words, *_scope(kind)])})", _ATOM
        case Apply("neg", (inner,)):
            return "-" + _within(inner, 6, states), 5
        case Apply("not", (inner,)):
            return "not " + _within(inner, 4, states), 3
        case Apply("select", (condition, value, otherwise)):
            parts = [_within(e, 1, states) for e in (value, condition, otherwise)]
            return "{} if {} else {}".format(*parts), 0
        case Apply(operator, (left, right)) if operator in _INFIX:
            level, sign = _INFIX[operator]
            return _within(left, level, states) + sign + _within(right, level + 1, states), level
        case Apply(operator, arguments):
            return f"{operator}({', '.join(_text(a, states)[0] for a in arguments)})", _ATOM
        case Fact():
            return str(expression), _ATOM
        case Draw(distribution, number):
            return f"{distribution}{number + 1 if number else ''}(0, 1)", _ATOM
    return str(expression), 0


def _within(expression: Expression, level: int, states: frozenset[str]) -> str:
    words, own = _text(expression, states)
    return words if own >= level else f"({words})"


def _time(offset: int) -> str:
    return "t" if not offset else f"t {'+' if offset > 0 else '-'} {abs(offset)}".replace(" ", "")


def _scope(kind: Kind) -> list[str]:
    return {Kind.ALL: ["all"], Kind.ROW: ["per row"], Kind.COLUMN: ["per column"]}.get(kind, [])


def number_text(value: Fraction | bool) -> str:
    """Return an exact number: 1/2, 3, 1e-9."""
    if isinstance(value, bool):
        return str(value).lower()
    if len(str(value)) <= 7:
        return str(value)
    shortest = f"{float(value):g}"
    return shortest if Fraction(shortest) == value else str(value)


def value_text(value: Entries | None) -> str:
    """Return a computed value, with the digits that tell it from another."""
    if value is None:
        return "nothing"
    if isinstance(value, tuple):
        if len(value) == 1:
            return value_text(value[0])
        return "(" + ", ".join(value_text(entry) for entry in value) + ")"
    if value is UNDEFINED:
        return "undefined"
    if isinstance(value, Real) and value.exact:
        return number_text(value.value)
    return repr(value)
