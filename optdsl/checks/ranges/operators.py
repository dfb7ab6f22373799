"""What operators make of ranges, and where they are defined."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import reduce

from optdsl.checks.ranges import intervals as of
from optdsl.checks.ranges.facts import Known
from optdsl.checks.ranges.intervals import Interval
from optdsl.model.expressions import Apply, Clock, Expression, Number, Value

_SIMPLE = {
    "neg": of.negative, "abs": of.size, "sign": of.sign, "exp": of.exponential, "floor": of.floor,
}  # fmt: skip


def applied(known: Known, expression: Apply) -> Interval | None:
    """Return the range of an operator on numbers, None where it may be undefined."""
    given = [known.interval(argument) for argument in expression.arguments]
    match expression.operator, given:
        case "add", [x, y]:
            return of.plus(x, y)
        case "sub", [x, y]:
            return of.meet(of.minus(x, y), _share_taken(known, *expression.arguments))
        case "mul", [x, y]:
            left, right = expression.arguments
            return of.whole_power(x, 2) if left == right else of.times(x, y)
        case "div", [x, y] if y.nonzero:
            return of.times(x, of.inverse(y))
        case "pow", [x, y]:
            return _power(known, expression, x, y)
        case "mod", [x, y] if y.nonzero:
            return of.remainder(x, y)
        case "max", _:
            return reduce(of.maximum, given)
        case "min", _:
            return of.negative(reduce(of.maximum, map(of.negative, given)))
        case "sqrt", [x] if x.low >= 0:
            return of.root(x)
        case "log", [x] if x.low >= 0 and x.nonzero:
            return of.logarithm(x)
        case "cos", [_]:
            return of.interval(Fraction(-1), Fraction(1))
        case simple, [x] if simple in _SIMPLE:
            return _SIMPLE[simple](x)
    return None


def _power(known: Known, expression: Apply, x: Interval, y: Interval) -> Interval | None:
    """A power is defined of what is positive, of 0 to what is positive, and to whole numbers."""
    if isinstance(y.low, Fraction) and y.low == y.high and y.low.denominator == 1:
        n = int(y.low)
        if n >= 0:
            return of.whole_power(x, n)
        return of.inverse(of.whole_power(x, -n)) if x.nonzero else None
    if x.low < 0:
        return None
    of_zero = y.low >= 0 and (y.nonzero or _is_whole(known, expression.arguments[1]))
    return of.real_power(x, y) if x.nonzero or of_zero else None


def _is_whole(known: Known, expression: Expression) -> bool:
    match expression:
        case Number(value):
            return value.denominator == 1
        case Clock() | Apply("floor"):
            return True
        case Apply("add" | "sub" | "mul" | "neg" | "mod", arguments):
            return all(_is_whole(known, argument) for argument in arguments)
        case Value(name, _, 0) if name in known.world.equations:
            return _is_whole(known, known.world.equations[name])
        case Value(name):
            return name in known.world.whole
    return False


def _share_taken(known: Known, whole: Expression, taken: Expression) -> Interval:
    """Return a bound of x - c*y: it is no less than x - y, if y is not negative and c at most 1.

    For it is x - y and (1 - c)*y. So what a fact says of x - y bounds it from below.
    """
    found = of.REALS
    for fact, range_ in list(known.facts.items()):
        match fact:
            case Apply("sub", (left, most)) if left == whole and range_.low >= 0:
                share = _without_factor(taken, most)
                if share is None or known.interval(most).low < 0:
                    continue
                if of.product(map(known.interval, share)).high <= 1:
                    least = of.interval(range_.low, low_open=range_.low_open)
                    found = of.meet(found, least)
    return found


def _without_factor(product: Expression, factor: Expression) -> list[Expression] | None:
    """Return the factors of a product but for one, None where that is none of them."""
    factors = list(_factors(product))
    if factor not in factors:
        return None
    factors.remove(factor)
    return factors


def _factors(product: Expression) -> Iterator[Expression]:
    match product:
        case Apply("mul", (left, right)):
            yield from _factors(left)
            yield from _factors(right)
        case _:
            yield product
