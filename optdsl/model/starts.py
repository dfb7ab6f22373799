"""Which values before the first step are read, and what they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from optdsl.model.expressions import (
    Apply,
    Clock,
    Constant,
    Expression,
    Number,
    Value,
    children,
)


def read_at_step(expression: Expression, step: int) -> Iterator[Value]:
    """Yield the values that step number `step` reads; a branch that t rules out reads nothing."""
    if isinstance(expression, Value):
        yield expression
    elif isinstance(expression, Apply) and expression.operator == "select":
        condition, value, otherwise = expression.arguments
        holds = _holds(condition, step)
        if holds is None:
            yield from read_at_step(condition, step)
        if holds is not False:
            yield from read_at_step(value, step)
        if holds is not True:
            yield from read_at_step(otherwise, step)
    else:
        for child in children(expression):
            yield from read_at_step(child, step)


def _holds(condition: Expression, step: int) -> bool | None:
    """Is a condition on t alone true at `step`? None where more than t decides."""
    match condition:
        case Constant("true" | "false" as name):
            return name == "true"
        case Apply("not", (inner,)):
            held = _holds(inner, step)
            return None if held is None else not held
        case Apply("lt" | "le" | "gt" | "ge" | "eq" | "ne" as operator, (left, right)):
            a, b = _value(left, step), _value(right, step)
            if a is None or b is None:
                return None
            return {"lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b,
                    "eq": a == b, "ne": a != b}[operator]  # fmt: skip
    return None


def _value(expression: Expression, step: int) -> int | None:
    match expression:
        case Number(value) if value.denominator == 1:
            return int(value)
        case Clock(_, offset):
            return step + offset
    return None


def starts_needed(
    equations: Mapping[str, Expression], memory: Mapping[str, tuple[str, int]]
) -> dict[tuple[str, int], Value]:
    """Return the times before the first step that are read, such as ("m", 0), and who reads them.

    `memory` says for each state which value it remembers and from how many steps ago.
    """
    deepest = max((depth for _, depth in memory.values()), default=1)
    needed: dict[tuple[str, int], Value] = {}
    for step in range(1, deepest + 1):
        for expression in equations.values():
            for value in read_at_step(expression, step):
                if value.offset != -1 or value.name not in memory:
                    continue
                name, depth = memory[value.name]
                if step - depth <= 0:
                    needed.setdefault((name, step - depth), value)
    return needed
