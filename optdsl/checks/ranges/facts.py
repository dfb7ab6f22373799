"""What a condition tells of the values that it is made of.

`rho > 4` is a fact about rho. If rho is `r - x` and x is not negative, it is one about r, too: what
is known of the value of an operator narrows what its arguments may be. That holds only where
the condition is defined, so conditions are looked at for that first.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from optdsl.checks.ranges import intervals as of
from optdsl.checks.ranges.intervals import Interval
from optdsl.checks.ranges.world import World
from optdsl.model.expressions import Apply, Expression, Number, Value, apply, is_predicate

_NEGATED = {"lt": "ge", "le": "gt", "gt": "le", "ge": "lt", "eq": "ne", "ne": "eq"}
_DIFFERENCES = {
    "lt": of.NEGATIVE, "le": of.NOT_POSITIVE, "gt": of.POSITIVE, "ge": of.NOT_NEGATIVE,
    "eq": of.NULL, "ne": of.NONZERO,
}  # fmt: skip
_DEEPEST = 12


class Known(Protocol):
    """What reads ranges, and takes up facts."""

    world: World
    facts: dict[Expression, Interval]

    def interval(self, expression: Expression) -> Interval:
        """Return the range of a value."""

    def learn(self, expression: Expression, range_: Interval) -> None:
        """Take up a fact."""


def suppose(known: Known, condition: Expression, truth: bool) -> None:
    """Take up what a condition that is defined, and has this answer, tells.

    Raises:
        Empty: it never has this answer.
    """
    match condition:
        case Apply("not", (inner,)):
            suppose(known, inner, not truth)
        case Apply("and" | "or" as operator, (left, right)):
            if truth is (operator == "and"):
                suppose(known, left, truth)
                suppose(known, right, truth)
        case Value(name, _, 0) if name in known.world.equations:
            suppose(known, known.world.equations[name], truth)
        case Apply(operator, (left, right)) if operator in _NEGATED:
            if not is_predicate(left) and not is_predicate(right):
                told = _DIFFERENCES[operator if truth else _NEGATED[operator]]
                narrow(known, apply("sub", left, right), told)


def narrow(known: Known, expression: Expression, range_: Interval, depth: int = 0) -> None:
    """Take up that a value, which is defined, is in a range, and what that tells of its parts.

    Raises:
        Empty: it cannot be.
    """
    before = known.interval(expression)
    now = of.meet(before, range_)
    if now == before or depth > _DEEPEST:
        return
    known.learn(expression, now)
    for part, told in _parts(known, expression, now):
        narrow(known, part, told, depth + 1)


def _parts(
    known: Known, expression: Expression, now: Interval
) -> list[tuple[Expression, Interval]]:
    match expression:
        case Value(name, _, 0) if name in known.world.equations:
            return [(known.world.equations[name], now)]
        case Apply("neg", (x,)):
            return [(x, of.negative(now))]
        case Apply("add", (x, y)):
            return [
                (x, of.minus(now, known.interval(y))),
                (y, of.minus(now, known.interval(x))),
            ]
        case Apply("sub", (x, y)):
            return [
                (x, of.plus(now, known.interval(y))),
                (y, of.minus(known.interval(x), now)),
            ]
        case Apply("mul", (x, y)):
            pairs = ((x, known.interval(y)), (y, known.interval(x)))
            told = [(a, of.times(now, of.inverse(b))) for a, b in pairs if b.nonzero]
            return told + ([(x, of.NONZERO), (y, of.NONZERO)] if now.nonzero else [])
        case Apply("div", (x, y)):
            return [(x, of.times(now, known.interval(y)))]
        case Apply("sqrt" | "abs", (x,)) if now.nonzero:
            return [(x, of.NONZERO)]
        case Apply("pow", (x, Number(n))) if now.nonzero and n != Fraction(0):
            return [(x, of.NONZERO)]
    return []
