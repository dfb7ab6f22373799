"""Intervals of real numbers with exact ends, and what operators make of them.

Every function returns an interval that holds all the values its operator takes on numbers of the
given ones. It may hold more, never fewer: that is all a proof needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import TypeAlias

INFINITY = float("inf")

#: An end: exact, or one of the two infinities, which no interval contains.
End: TypeAlias = Fraction | float

_ZERO, _ONE = Fraction(0), Fraction(1)
_LARGEST_POWER = 64  # above it an end is no longer computed, only compared with 0 and 1
_ROOT_BITS = 40


class Empty(Exception):
    """No number is left."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers between two ends, 0 left out where `nonzero`; make them with `interval`."""

    low: End = -INFINITY
    high: End = INFINITY
    low_open: bool = True
    high_open: bool = True
    nonzero: bool = False


def interval(
    low: End = -INFINITY,
    high: End = INFINITY,
    low_open: bool = False,
    high_open: bool = False,
    nonzero: bool = False,
) -> Interval:
    """Return an interval in its one way to be written: infinite ends are open, 0 is no end if out.

    Raises:
        Empty: there is no number between the ends.
    """
    low_open |= low == -INFINITY or (nonzero and low == 0)
    high_open |= high == INFINITY or (nonzero and high == 0)
    if low > high or (low == high and (low_open or high_open)):
        raise Empty
    above = low > 0 or (low == 0 and low_open)
    below = high < 0 or (high == 0 and high_open)
    return Interval(low, high, low_open, high_open, nonzero or above or below)


REALS = Interval()
NONZERO = Interval(nonzero=True)
POSITIVE = interval(_ZERO, low_open=True)
NEGATIVE = interval(high=_ZERO, high_open=True)
NOT_NEGATIVE = interval(_ZERO)
NOT_POSITIVE = interval(high=_ZERO)
NULL = interval(_ZERO, _ZERO)
SHARE = interval(_ZERO, _ONE)


def point(value: Fraction) -> Interval:
    """Return the interval of one number."""
    return interval(value, value)


def within(inner: Interval, outer: Interval) -> bool:
    """Is every number of one interval in the other?"""
    above = inner.low > outer.low or (
        inner.low == outer.low and (inner.low_open or not outer.low_open)
    )
    below = inner.high < outer.high or (
        inner.high == outer.high and (inner.high_open or not outer.high_open)
    )
    return above and below and (inner.nonzero or not outer.nonzero)


def meet(a: Interval, b: Interval) -> Interval:
    """Return what is in both.

    Raises:
        Empty: nothing is.
    """
    low, low_open = max((a.low, a.low_open), (b.low, b.low_open))
    high, closed = min((a.high, not a.high_open), (b.high, not b.high_open))
    return interval(low, high, low_open, not closed, a.nonzero or b.nonzero)


def hull(a: Interval, b: Interval) -> Interval:
    """Return an interval that holds both."""
    low, low_open = min((a.low, a.low_open), (b.low, b.low_open))
    high, closed = max((a.high, not a.high_open), (b.high, not b.high_open))
    return interval(low, high, low_open, not closed, a.nonzero and b.nonzero)


# ---------------------------------------------------------------------- sums, products


def negative(x: Interval) -> Interval:
    """-x."""
    return Interval(-x.high, -x.low, x.high_open, x.low_open, x.nonzero)


def plus(a: Interval, b: Interval) -> Interval:
    """a + b."""
    for one, other in ((a, b), (b, a)):
        if other == NULL:
            return one
    low, high = _sum(a.low, b.low), _sum(a.high, b.high)
    return interval(low, high, a.low_open or b.low_open, a.high_open or b.high_open)


def minus(a: Interval, b: Interval) -> Interval:
    """a - b of two numbers that know nothing of each other."""
    return plus(a, negative(b))


def _sum(a: End, b: End) -> End:
    for end in (a, b):
        if isinstance(end, float):
            return end
    return a + b


def times(a: Interval, b: Interval) -> Interval:
    """a*b: the ends are among the products of the ends."""
    corners = [
        _product(x, x_open, y, y_open)
        for x, x_open in ((a.low, a.low_open), (a.high, a.high_open))
        for y, y_open in ((b.low, b.low_open), (b.high, b.high_open))
    ]
    low, low_open = min(corners)
    high, closed = max((value, not is_open) for value, is_open in corners)
    return interval(low, high, low_open, not closed, a.nonzero and b.nonzero)


def product(factors: Iterable[Interval]) -> Interval:
    """A product of numbers that know nothing of each other."""
    found = point(_ONE)
    for factor in factors:
        found = times(found, factor)
    return found


def _product(x: End, x_open: bool, y: End, y_open: bool) -> tuple[End, bool]:
    """Return the product of two ends, and whether it is left out.

    0 times an infinite end is 0: the numbers near that end are finite.
    """
    if x == 0 or y == 0:
        zeros = [is_open for end, is_open in ((x, x_open), (y, y_open)) if end == 0]
        return _ZERO, all(zeros)
    if isinstance(x, float) or isinstance(y, float):
        return (INFINITY if (x > 0) == (y > 0) else -INFINITY), True
    return x * y, x_open or y_open


def inverse(x: Interval) -> Interval:
    """1/x of a number that is not 0."""
    assert x.nonzero
    if x.low >= 0:
        return interval(_inverse(x.high), _inverse(x.low), x.high_open, x.low_open, True)
    if x.high <= 0:
        return negative(inverse(negative(x)))
    return NONZERO


def _inverse(end: End) -> End:
    if isinstance(end, float):
        return _ZERO
    return 1 / end if end else INFINITY


def summed(x: Interval) -> Interval:
    """A sum of at least one such number: no less than the first if all are not negative."""
    low = x.low if x.low >= 0 else -INFINITY
    high = x.high if x.high <= 0 else INFINITY
    return interval(low, high, x.low_open, x.high_open)


def averaged(x: Interval) -> Interval:
    """A mean of such numbers: between the ends."""
    return interval(x.low, x.high, x.low_open, x.high_open)


# ---------------------------------------------------------------------- other functions


def size(x: Interval) -> Interval:
    """|x|."""
    if x.low >= 0:
        return x
    if x.high <= 0:
        return negative(x)
    far, closed = max((-x.low, not x.low_open), (x.high, not x.high_open))
    return interval(_ZERO, far, x.nonzero, not closed, x.nonzero)


def sign(x: Interval) -> Interval:
    """-1, 0 or 1."""
    low = -_ONE if x.low < 0 else _ZERO if not x.nonzero else _ONE
    high = _ONE if x.high > 0 else _ZERO if not x.nonzero else -_ONE
    return interval(low, high, nonzero=x.nonzero)


def root(x: Interval) -> Interval:
    """The square root of a number that is not negative."""
    assert x.low >= 0
    low, low_exact = _root(x.low, above=False)
    high, high_exact = _root(x.high, above=True)
    return interval(
        low, high, x.low_open and low_exact, x.high_open and high_exact, nonzero=x.nonzero
    )


def _root(end: End, above: bool) -> tuple[End, bool]:
    """Return the root of an end, or a number on the outer side of it, and whether it is exact."""
    if isinstance(end, float):
        return end, True
    top, bottom = isqrt(end.numerator), isqrt(end.denominator)
    if top * top == end.numerator and bottom * bottom == end.denominator:
        return Fraction(top, bottom), True
    scaled = isqrt((end.numerator << 2 * _ROOT_BITS) // end.denominator)
    return Fraction(scaled + above, 1 << _ROOT_BITS), False


def whole_power(x: Interval, n: int) -> Interval:
    """x^n with a whole n that is not negative."""
    if n == 0:
        return point(_ONE)
    if n % 2 == 0:
        x = size(x)
    if n > _LARGEST_POWER:
        return real_power(x, point(Fraction(n))) if x.low >= 0 else REALS
    low, high = (end if isinstance(end, float) else end**n for end in (x.low, x.high))
    return interval(low, high, x.low_open, x.high_open, x.nonzero)


def real_power(x: Interval, exponent: Interval) -> Interval:
    """x^y with x that is not negative, compared with 0 and 1 only.

    x^y is at most 1 where x is and y is not negative, less where both are strictly so; and so on.
    """
    up, down = exponent.low >= 0, exponent.high <= 0
    moves = exponent.nonzero
    low, low_open, high, high_open = _ZERO, x.nonzero, INFINITY, True
    if (x.high <= 1 and up) or (x.low >= 1 and down):
        high = 1
        inside = x.high < 1 or (x.high == 1 and x.high_open) if up and x.high <= 1 else (
            x.low > 1 or (x.low == 1 and x.low_open)
        )  # fmt: skip
        high_open = inside and moves
    if (x.low >= 1 and up) or (x.high <= 1 and down):
        low, low_open = _ONE, False
    return interval(low, Fraction(1) if high == 1 else high, low_open, high_open)


def maximum(a: Interval, b: Interval) -> Interval:
    """The larger of two numbers."""
    low, low_open = max((a.low, a.low_open), (b.low, b.low_open))
    high, closed = max((a.high, not a.high_open), (b.high, not b.high_open))
    return interval(low, high, low_open, not closed, a.nonzero and b.nonzero)


def exponential(x: Interval) -> Interval:
    """exp(x), compared with 0 and 1 only."""
    low = _ONE if x.low >= 0 else _ZERO
    high = _ONE if x.high <= 0 else INFINITY
    return interval(low, high, x.low < 0 or x.low_open, x.high > 0 or x.high_open)


def logarithm(x: Interval) -> Interval:
    """log(x) of a positive number, compared with 0 only."""
    low = _ZERO if x.low >= 1 else -INFINITY
    high = _ZERO if x.high <= 1 else INFINITY
    return interval(low, high, x.low > 1 or x.low_open, x.high < 1 or x.high_open)


def floor(x: Interval) -> Interval:
    """The largest whole number that is not above x."""
    low, high = (e if isinstance(e, float) else Fraction(e.__floor__()) for e in (x.low, x.high))
    return interval(low, high)


def remainder(a: Interval, b: Interval) -> Interval:
    """a - b*floor(a/b) with b that is not 0: between 0 and b, which it does not reach."""
    if b.low < 0:
        return REALS
    high, closed = b.high, False
    if a.low >= 0:
        high, closed = min((b.high, False), (a.high, not a.high_open))
    return interval(_ZERO, high, False, not closed)
