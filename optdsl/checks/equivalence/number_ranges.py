"""Ranges of real numbers, and the signs in them.

A sign is the set of those of -1, 0, 1 that a number may have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

Sign: TypeAlias = frozenset[int]

ANY: Sign = frozenset({-1, 0, 1})
POSITIVE: Sign = frozenset({1})
NEGATIVE: Sign = frozenset({-1})
NULL: Sign = frozenset({0})
NOT_NEGATIVE: Sign = frozenset({0, 1})
NOT_POSITIVE: Sign = frozenset({0, -1})
NOT_NULL: Sign = frozenset({-1, 1})


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers between two ends; None is infinite."""

    low: Fraction | None = None
    high: Fraction | None = None
    low_open: bool = False
    high_open: bool = False

    @property
    def sign(self) -> Sign:
        """The signs that occur in it."""
        signs = set()
        if self.low is None or self.low < 0:
            signs.add(-1)
        if self.high is None or self.high > 0:
            signs.add(1)
        above = self.low is None or self.low < 0 or (self.low == 0 and not self.low_open)
        below = self.high is None or self.high > 0 or (self.high == 0 and not self.high_open)
        if above and below:
            signs.add(0)
        return frozenset(signs)

    def meet(self, sign: Sign) -> Range:
        """Return the part of the range where numbers have one of the signs."""
        result, zero = self, Fraction(0)
        if -1 not in sign and (result.low is None or result.low <= 0):
            is_open = 0 not in sign or (result.low == 0 and result.low_open)
            result = replace(result, low=zero, low_open=is_open)
        if 1 not in sign and (result.high is None or result.high >= 0):
            is_open = 0 not in sign or (result.high == 0 and result.high_open)
            result = replace(result, high=zero, high_open=is_open)
        return result


REALS = Range()
NON_NEGATIVE = Range(Fraction(0))
ABOVE_ZERO = Range(Fraction(0), low_open=True)
