"""Terms, each known by a number: equal numbers, equal values.

Sums and products of real numbers do not depend on how they are grouped and ordered, and are
undefined together; nothing is cancelled, so that nothing that may be undefined is lost. What is
divided by a quotient stays so, since `x/(y/z)` is undefined where z is 0 and `x*z/y` is not. In a
product of matrices the order stays, and numbers stand before it, if none can be infinite; its
transpose is the product of the transposes, turned round. Exact numbers are multiplied. Where terms
are multiplied out, products of sums are sums of products, and equal ones are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

_MOST_SUMMANDS = 40  # beyond which a product of sums stays one


@dataclass(frozen=True)
class Factors:
    """What a term multiplies, what it divides by, and whether it turns the sign."""

    above: tuple[int, ...]
    below: tuple[int, ...] = ()
    negative: bool = False


@dataclass
class Terms:
    """The numbers of all terms that were met.

    `infinite` says that some of them may be infinite, `multiplies_out` that products of sums
    are written as sums; `sizes` are exact numbers above 0.
    """

    infinite: bool = False
    multiplies_out: bool = False
    known: dict[tuple[object, ...], int] = field(default_factory=dict)
    factors: dict[int, Factors] = field(default_factory=dict)
    summands: dict[int, tuple[int, ...]] = field(default_factory=dict)
    chains: dict[int, tuple[int, ...]] = field(default_factory=dict)
    numbers: set[int] = field(default_factory=set)
    sizes: dict[int, Fraction] = field(default_factory=dict)
    turned: dict[int, int] = field(default_factory=dict)

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
        size = self._size(abs(value))
        return self.negated(size) if value < 0 else size

    def _size(self, value: Fraction) -> int:
        size = self.as_number("number", value)
        if value:
            self.sizes[size] = value
        return size

    def times(self, left: int, right: int, divides: bool = False) -> int:
        """Return the product of two terms, or their quotient."""
        pairs = self._pairs(left, right, apart=divides)
        if pairs:
            return self._sum(self.times(x, y, divides) for x, y in pairs)
        a, b = self._factors(left), self._factors(right)
        if divides:
            b = self._inverted(b)
        negative = a.negative is not b.negative
        return self._product(Factors((*a.above, *b.above), (*a.below, *b.below), negative))

    def _pairs(self, left: int, right: int, apart: bool = False) -> list[tuple[int, int]]:
        """Return the products of which a product of sums is the sum, where it is multiplied out."""
        lefts = self.summands.get(left, (left,))
        rights = (right,) if apart else self.summands.get(right, (right,))
        size = len(lefts) * len(rights)
        if self.infinite or not self.multiplies_out or not 1 < size <= _MOST_SUMMANDS:
            return []
        return [(x, y) for x in lefts for y in rights]

    def _inverted(self, factors: Factors) -> Factors:
        """Return what 1 over a product multiplies by and divides by."""
        if self.sizes.keys() >= set(factors.below):
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
        pairs = self._pairs(left, right)
        if pairs:
            return self._sum(self.chained(x, y, kind) for x, y in pairs)
        chain: list[int] = []
        numbers = Factors(())
        for side in (left, right):
            matrix, own = self._alone(side)
            negative = numbers.negative is not own.negative
            numbers = Factors(numbers.above + own.above, numbers.below + own.below, negative)
            chain += self.chains.get(matrix, (matrix,))
        found = self._chain(chain, kind)
        return self._product(Factors((found, *numbers.above), numbers.below, numbers.negative))

    def transposed(self, term: int, kind: object) -> int:
        """Return the transpose of a matrix of terms."""
        if term in self.summands:
            return self._sum(self.transposed(each, kind) for each in self.summands[term])
        matrix, numbers = self._alone(term)
        if matrix in self.chains:
            parts = reversed(self.chains[matrix])
            found = self._chain([self._turned(part) for part in parts], kind)
        else:
            found = self._turned(matrix)
        return self._product(Factors((found, *numbers.above), numbers.below, numbers.negative))

    def _turned(self, matrix: int) -> int:
        found = self.turned.setdefault(matrix, self.of("transpose", matrix))
        self.turned[found] = matrix
        return found

    def _chain(self, parts: Sequence[int], kind: object) -> int:
        found = self.of("product", kind, *parts)
        self.chains[found] = tuple(parts)
        return found

    def _alone(self, term: int) -> tuple[int, Factors]:
        """Return a matrix and the numbers that it is multiplied by; none if some are infinite."""
        own = self._factors(term)
        matrices = [each for each in own.above if each not in self.numbers]
        if self.infinite or len(matrices) != 1 or not self.numbers.issuperset(own.below):
            return term, Factors(())
        rest = tuple(each for each in own.above if each in self.numbers)
        return matrices[0], Factors(rest, own.below, own.negative)

    def _factors(self, term: int) -> Factors:
        return self.factors.get(term, Factors((term,)))

    def _product(self, factors: Factors) -> int:
        size, rest = self._exact(factors)
        one = (self._size(size),) if size != 1 or not rest.above else ()
        above: tuple[int, ...] = tuple(sorted((*one, *rest.above)))
        below = rest.below
        if len(above) == 1 and not below and not factors.negative:
            return above[0]
        found = self.of("times", above, below, factors.negative)
        self.factors[found] = Factors(above, below, factors.negative)
        if all(each in self.numbers for each in (*above, *below)):
            self.numbers.add(found)
        return found

    def _exact(self, factors: Factors) -> tuple[Fraction, Factors]:
        """Return the product of the exact numbers in a product, and the rest."""
        size = Fraction(1)
        zero = self.known.get(("number", Fraction(0)))
        for each in factors.above:
            size *= 0 if each == zero else self.sizes.get(each, 1)
        for each in factors.below:
            size /= self.sizes.get(each, 1)
        above = sorted(each for each in factors.above if each != zero and each not in self.sizes)
        below = sorted(each for each in factors.below if each not in self.sizes)
        return size, Factors(tuple(above), tuple(below))

    def _sum(self, terms: Iterable[int]) -> int:
        summands = tuple(sorted(self._counted(terms) if self.multiplies_out else terms))
        if len(summands) == 1:
            return summands[0]
        found = self.of("sum", summands)
        self.summands[found] = summands
        if all(each in self.numbers for each in summands):
            self.numbers.add(found)
        return found

    def _counted(self, terms: Iterable[int]) -> list[int]:
        """Return terms with equal ones taken together; what comes to nothing stays, times 0."""
        counts: dict[int, Fraction] = {}
        for term in terms:
            size, rest = self._exact(self._factors(term))
            own = self._product(rest)
            sign = -1 if self._factors(term).negative else 1
            counts[own] = counts.get(own, Fraction(0)) + sign * size
        return [self.times(self.number(count), own) for own, count in counts.items()]
