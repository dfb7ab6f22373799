"""Terms, each known by a number: equal numbers, equal values.

Sums and products of real numbers do not depend on how they are grouped and ordered, and are
undefined together; nothing is cancelled, so that nothing that may be undefined is lost. What is
divided by a quotient stays so, since `x/(y/z)` is undefined where z is 0 and `x*z/y` is not. In a
product of matrices the order stays, and numbers stand before it, if none can be infinite.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True)
class Factors:
    """What a term multiplies, what it divides by, and whether it turns the sign."""

    above: tuple[int, ...]
    below: tuple[int, ...] = ()
    negative: bool = False


@dataclass
class Terms:
    """The numbers of all terms that were met.

    `infinite` says that some of them may be infinite; `sizes` are exact numbers above 0.
    """

    infinite: bool = False
    known: dict[tuple[object, ...], int] = field(default_factory=dict)
    factors: dict[int, Factors] = field(default_factory=dict)
    summands: dict[int, tuple[int, ...]] = field(default_factory=dict)
    chains: dict[int, tuple[int, ...]] = field(default_factory=dict)
    numbers: set[int] = field(default_factory=set)
    sizes: set[int] = field(default_factory=set)

    def of(self, *parts: object) -> int:
        """Return the number of a term made of `parts`."""
        return self.known.setdefault(parts, len(self.known))

    def as_number(self, *parts: object) -> int:
        """Return the term of what is one number, for a step or a tensor."""
        found = self.of(*parts)
        self.numbers.add(found)
        return found

    def number(self, value: Fraction) -> int:
        """Return the term of an exact number."""
        size = self.as_number("number", abs(value))
        if value:
            self.sizes.add(size)
        return self.negated(size) if value < 0 else size

    def times(self, left: int, right: int, divides: bool = False) -> int:
        """Return the product of two terms, or their quotient."""
        a, b = self._factors(left), self._factors(right)
        if divides:
            b = self._inverted(b)
        negative = a.negative is not b.negative
        return self._product(Factors((*a.above, *b.above), (*a.below, *b.below), negative))

    def _inverted(self, factors: Factors) -> Factors:
        """Return what 1 over a product multiplies by and divides by."""
        if self.sizes.issuperset(factors.below):
            return Factors(factors.below, factors.above, factors.negative)
        whole = self._product(Factors(factors.above, factors.below))
        return Factors((), (whole,), factors.negative)

    def negated(self, term: int) -> int:
        """Return a term with its sign turned."""
        if term in self.summands:
            return self._sum(self.negated(each) for each in self.summands[term])
        own = self._factors(term)
        return self._product(Factors(own.above, own.below, not own.negative))

    def plus(self, left: int, right: int) -> int:
        """Return the sum of two terms."""
        return self._sum(
            each for side in (left, right) for each in self.summands.get(side, (side,))
        )

    def chained(self, left: int, right: int, kind: object) -> int:
        """Return the product of two matrices of terms."""
        chain: list[int] = []
        numbers = Factors(())
        for side in (left, right):
            own = self._factors(side)
            matrices = [each for each in own.above if each not in self.numbers]
            apart = not self.infinite and self.numbers.issuperset(own.below)
            if len(matrices) == 1 and apart:
                rest = tuple(each for each in own.above if each in self.numbers)
                negative = numbers.negative is not own.negative
                numbers = Factors(numbers.above + rest, numbers.below + own.below, negative)
                side = matrices[0]
            chain += self.chains.get(side, (side,))
        found = self.of("product", kind, *chain)
        self.chains[found] = tuple(chain)
        return self._product(Factors((found, *numbers.above), numbers.below, numbers.negative))

    def _factors(self, term: int) -> Factors:
        return self.factors.get(term, Factors((term,)))

    def _product(self, factors: Factors) -> int:
        above, below = tuple(sorted(factors.above)), tuple(sorted(factors.below))
        if len(above) == 1 and not below and not factors.negative:
            return above[0]
        found = self.of("times", above, below, factors.negative)
        self.factors[found] = Factors(above, below, factors.negative)
        if all(each in self.numbers for each in (*above, *below)):
            self.numbers.add(found)
        return found

    def _sum(self, terms: Iterable[int]) -> int:
        summands = tuple(sorted(terms))
        found = self.of("sum", summands)
        self.summands[found] = summands
        if all(each in self.numbers for each in summands):
            self.numbers.add(found)
        return found
