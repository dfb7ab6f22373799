"""What cannot be, since several inequalities hold together.

A supposed inequality is refuted by adding multiples of known ones, so that a term of it cancels,
until a certificate shows that what is left cannot be: `x > c`, `x < -c` and `c > 0` add up to
`-2*c > 0`. Whole numbers leave gaps: above 0 is at least 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

from optdsl.checks.equivalence.number_ranges import Range
from optdsl.checks.equivalence.polynomials import Atom, Monomial, Polynomial, number, variable

_DEEPEST = 3  # known inequalities that are added, one after the other
_MOST = 30  # sums that are looked at
LONGEST = 12  #: Terms of a polynomial, beyond which it is left.

#: Gives the signs that a polynomial may have by itself, and those of one monomial.
Certificate = Callable[[Polynomial], "frozenset[int]"]


@dataclass(frozen=True)
class Inequality:
    """`polynomial` is at least 0, or, where `strict`, above 0."""

    polynomial: Polynomial
    strict: bool = False

    def of(self, polynomial: Polynomial) -> Inequality:
        """Return the same of another polynomial."""
        return Inequality(polynomial, self.strict).tightened()

    def tightened(self) -> Inequality:
        """Return the same without gaps: a whole number above 0 is at least 1."""
        if not _is_whole(self.polynomial):
            return self
        low = self.polynomial.terms.get((), Fraction(0)) - (1 if self.strict else 0)
        rest = Polynomial({m: c for m, c in self.polynomial.terms.items() if m})
        step = gcd(*(int(c) for c in rest.terms.values()))
        if not step:
            return self
        return Inequality(rest.scaled(Fraction(1, step)) + number((low / step).__floor__()))


def supposed(polynomial: Polynomial, sign: frozenset[int]) -> list[Inequality]:
    """Return what a set of signs says of a polynomial."""
    found = []
    if -1 not in sign:
        found.append(Inequality(polynomial, strict=0 not in sign).tightened())
    if 1 not in sign:
        found.append(Inequality(-polynomial, strict=0 not in sign).tightened())
    if 0 not in sign and len(polynomial.terms) == 1:
        found.append(Inequality(polynomial * polynomial, strict=True))
    return found


def within(atom: Atom, bounds: Range) -> Iterator[Inequality]:
    """Yield what a range says of an atom."""
    if bounds.low is not None:
        yield Inequality(variable(atom) - number(bounds.low), bounds.low_open).tightened()
    if bounds.high is not None:
        yield Inequality(number(bounds.high) - variable(atom), bounds.high_open).tightened()


def refuted(start: Inequality, known: Sequence[Inequality], certificate: Certificate) -> bool:
    """Is an inequality shown not to hold where the known ones do?"""
    seen = {start.polynomial}
    layer = [start]
    for depth in range(_DEEPEST + 1):
        if any(_cannot_be(each, certificate) for each in layer):
            return True
        following = []
        for each in layer if depth < _DEEPEST else ():
            for sum_ in _sums(each, known, certificate):
                if sum_.polynomial not in seen and len(sum_.polynomial.terms) <= LONGEST:
                    seen.add(sum_.polynomial)
                    following.append(sum_)
                if len(seen) > _MOST:
                    break
        layer = following
    return False


def _cannot_be(each: Inequality, certificate: Certificate) -> bool:
    sign = certificate(each.polynomial) if each.polynomial else frozenset({0})
    return sign <= ({-1, 0} if each.strict else {-1})


def _sums(
    start: Inequality, known: Iterable[Inequality], certificate: Certificate
) -> Iterator[Inequality]:
    """Yield sums with a multiple of a known inequality in which a term above 0 cancels."""
    for monomial, coefficient in start.polynomial.terms.items():
        if coefficient < 0 and _is_even(monomial):
            continue
        for other in known:
            for term, c in other.polynomial.terms.items():
                if c * coefficient >= 0 or not term:
                    continue
                factor = _quotient(monomial, term)
                if factor is None:
                    continue
                by = Polynomial({factor: Fraction(1)})
                sign = certificate(by) if factor else frozenset({1})
                if -1 in sign:
                    continue
                added = (by * other.polynomial).scaled(-coefficient / c)
                strict = start.strict or (other.strict and 0 not in sign)
                yield Inequality(start.polynomial + added, strict).tightened()


def _is_even(monomial: Monomial) -> bool:
    return all(n % 2 == 0 for _, n in monomial)


def _quotient(monomial: Monomial, term: Monomial) -> Monomial | None:
    """Return what `term` must be multiplied by; None where it does not divide."""
    powers: dict[Atom, int] = dict(monomial)
    for atom, n in term:
        if powers.get(atom, 0) < n:
            return None
        powers[atom] -= n
    return tuple((atom, n) for atom, n in powers.items() if n)


def _is_whole(polynomial: Polynomial) -> bool:
    return all(
        c.denominator == 1 and all(atom.whole for atom, _ in monomial)
        for monomial, c in polynomial.terms.items()
    )
