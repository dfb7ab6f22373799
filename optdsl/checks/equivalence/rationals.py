"""Quotients of polynomials, with the conditions under which they are defined.

Nothing is cancelled unless it is known not to be zero, or the condition that it
is not stays with the quotient. Two quotients that are both defined are equal
if their difference has the numerator zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from optdsl.checks.equivalence.factors import factor
from optdsl.checks.equivalence.polynomials import (
    ONE,
    ZERO,
    Atom,
    Polynomial,
    join,
    monomial_factors,
    number,
    variable,
)
from optdsl.model.expressions import Kind

#: What must hold for a value to be defined: ("nonzero", p), ("nonneg", p),
#: ("positive", p), or ("reads", state): that the state was defined before.
Condition: TypeAlias = tuple[object, ...]

Powers: TypeAlias = tuple[tuple[Polynomial, int], ...]

#: A canonical form, to be compared and hashed: content, and factors with their powers.
Key: TypeAlias = tuple[Fraction, frozenset[tuple[Polynomial, int]]]

_NONE: frozenset[Condition] = frozenset()


@dataclass(frozen=True, slots=True)
class Rational:
    """`numerator` over the product of the powers in `denominator`."""

    numerator: Polynomial
    denominator: Powers = ()
    conditions: frozenset[Condition] = _NONE

    @property
    def constant(self) -> Fraction | None:
        """The number that this is, or None."""
        if not self.numerator:
            return Fraction(0)
        return self.numerator.constant if not self.denominator else None

    @property
    def kind(self) -> Kind:
        """How many numbers it stands for."""
        return join([self.numerator.kind, *(factor_.kind for factor_, _ in self.denominator)])

    @property
    def atoms(self) -> set[Atom]:
        """The atoms that stand in it."""
        return self.numerator.atoms.union(*(factor_.atoms for factor_, _ in self.denominator))

    def __add__(self, other: Rational) -> Rational:
        mine, theirs = dict(self.denominator), dict(other.denominator)
        common = {
            factor_: max(mine.get(factor_, 0), theirs.get(factor_, 0))
            for factor_ in {**mine, **theirs}
        }
        top = _raised(self.numerator, common, mine) + _raised(other.numerator, common, theirs)
        return Rational(top, tuple(common.items()), self.conditions | other.conditions)

    def __neg__(self) -> Rational:
        return Rational(-self.numerator, self.denominator, self.conditions)

    def __sub__(self, other: Rational) -> Rational:
        return self + -other

    def __mul__(self, other: Rational) -> Rational:
        powers = dict(self.denominator)
        for factor_, n in other.denominator:
            powers[factor_] = powers.get(factor_, 0) + n
        conditions = self.conditions | other.conditions
        top_a, top_b = self.numerator, other.numerator
        top_a, powers = _cancelled(top_a, powers)
        top_b, powers = _cancelled(top_b, powers)
        return Rational(top_a * top_b, tuple(powers.items()), conditions)

    def __pow__(self, exponent: int) -> Rational:
        assert exponent >= 0
        return Rational(
            self.numerator**exponent,
            tuple((factor_, n * exponent) for factor_, n in self.denominator) if exponent else (),
            self.conditions,
        )

    def inverse(self) -> Rational:
        """Return 1 over this, on condition that this is not zero; it may be, in some case."""
        if not self.numerator:
            return Rational(ZERO, (), self.conditions | {("nonzero", ZERO)})
        content, primitive = self.numerator.primitive()
        common = primitive.common_monomial()
        rest = primitive.divided_by(common)
        powers: dict[Polynomial, int] = dict(monomial_factors(common))
        if rest.constant is None:
            powers[rest] = powers.get(rest, 0) + 1
        else:
            content *= rest.constant
        top = number(1 / content)
        for factor_, n in self.denominator:
            top = top * factor_**n
        conditions = self.conditions | {("nonzero", factor_) for factor_ in powers}
        return Rational(top, tuple(powers.items()), conditions)

    def under(self, *conditions: Condition) -> Rational:
        """Return this value, defined only under further conditions."""
        return Rational(self.numerator, self.denominator, self.conditions.union(conditions))

    def bare(self) -> Rational:
        """Return this value without its conditions."""
        return Rational(self.numerator, self.denominator)

    def factored(self) -> tuple[Fraction, Mapping[Polynomial, int]]:
        """Return content and irreducible factors, those below with negative powers."""
        content, top = factor(self.numerator)
        powers = dict(top)
        for below, n in self.denominator:
            inner, factors = factor(below)
            content /= inner**n
            for factor_, m in factors:
                powers[factor_] = powers.get(factor_, 0) - n * m
        return content, {p: n for p, n in powers.items() if n}

    def key(self) -> Key:
        """Return a form that equal quotients share, as far as factors tell."""
        if not self.numerator:
            return Fraction(0), frozenset()
        content, powers = self.factored()
        return content, frozenset(powers.items())


def _raised(
    top: Polynomial, common: Mapping[Polynomial, int], own: Mapping[Polynomial, int]
) -> Polynomial:
    for factor_, n in common.items():
        missing = n - own.get(factor_, 0)
        if missing:
            top = top * factor_**missing
    return top


def _cancelled(
    top: Polynomial, powers: dict[Polynomial, int]
) -> tuple[Polynomial, dict[Polynomial, int]]:
    """Take out of a product what stands above and below; its condition stays elsewhere."""
    if not powers or not top:
        return top, powers
    content, primitive = top.primitive()
    if primitive in powers:
        return number(content), _lowered(powers, primitive, 1)
    for atom, n in top.common_monomial():
        below = powers.get(variable(atom), 0)
        shared = min(n, below)
        if shared:
            top = top.divided_by(((atom, shared),))
            powers = _lowered(powers, variable(atom), shared)
    return top, powers


def _lowered(powers: dict[Polynomial, int], factor_: Polynomial, by: int) -> dict[Polynomial, int]:
    lowered = {**powers, factor_: powers[factor_] - by}
    return {p: n for p, n in lowered.items() if n}


def constant(value: int | Fraction) -> Rational:
    """Return a number as a quotient."""
    return Rational(number(value))


def of_atom(atom: Atom) -> Rational:
    """Return an atom as a quotient."""
    return Rational(variable(atom))


def of_factors(content: Fraction, powers: Mapping[Polynomial, int]) -> Rational:
    """Return the quotient with these factors."""
    top = number(content)
    below = []
    for factor_, n in powers.items():
        if n > 0:
            top = top * factor_**n
        else:
            below.append((factor_, -n))
    return Rational(top, tuple(below))


NOTHING = Rational(ZERO)
UNIT = Rational(ONE)
