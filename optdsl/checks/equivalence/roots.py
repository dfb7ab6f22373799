"""Roots, absolute values and powers, as algebraic atoms.

`sqrt(x)` becomes an atom `s >= 0` with `s^2 = x`. Factors of x whose sign is
known are taken out first, so that `sqrt(v/(1 - b))` and `sqrt(v)/sqrt(1 - b)`
are one value. This is right wherever the root is defined, and that it is
defined stays as a condition.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from optdsl.checks.equivalence.factors import factor
from optdsl.checks.equivalence.number_ranges import NULL
from optdsl.checks.equivalence.polynomials import Polynomial, Table, number, variable
from optdsl.checks.equivalence.rationals import (
    UNIT,
    Condition,
    Rational,
    constant,
    of_atom,
    of_factors,
)
from optdsl.checks.equivalence.signs import Context, negated, powered, substitute, times

_SMALL = (
    100  # factors below it are found without SymPy, whose loading takes longer than most proofs
)


class NeedSign(Exception):
    """The sign of an irreducible polynomial decides what the value is."""

    def __init__(self, polynomial: Polynomial) -> None:
        super().__init__(str(polynomial))
        self.polynomial = polynomial


class Unreadable(Exception):
    """The value is beyond what the prover can look into."""


def put(value: Rational, context: Context) -> Rational:
    """Put the values that the case decides in place of their atoms."""
    if not context.values or not any(atom in context.values for atom in value.atoms):
        return value
    result = Rational(substitute(value.numerator, context.values), (), value.conditions)
    for below, n in value.denominator:
        replaced = substitute(below, context.values)
        if not replaced:  # undefined here, as the condition that came with it says
            return Rational(number(0), (), value.conditions | {("nonzero", number(0))})
        inverse = Rational(replaced).inverse()
        result = result * Rational(inverse.numerator, inverse.denominator) ** n
    return result


def equal(a: Rational, b: Rational, context: Context) -> bool:
    """Are two quotients shown to be equal wherever both are defined?"""
    difference = put((a - b).bare(), context).numerator
    return not difference or sure_sign(Rational(difference), context) == NULL


def sign_of(value: Rational, context: Context) -> frozenset[int]:
    """Return the signs that a quotient may have where it is defined."""
    sign = context.sign(value.numerator)
    for below, n in value.denominator:
        sign = times(sign, powered(context.sign(below) - {0} or frozenset({-1, 1}), n))
    if len(sign) > 1 and value.denominator:
        content, powers = value.factored()
        other = context.sign(number(content))
        for factor_, n in powers.items():
            known = context.sign(factor_)
            other = times(other, powered(known if n > 0 else known - {0}, abs(n)))
        sign = (sign & other) or sign
    return sign


def sure_sign(value: Rational, context: Context) -> frozenset[int]:
    """Return the signs that a quotient may have, where it is defined, beside all that is known."""
    sign = sign_of(value, context)
    if len(sign) > 1:
        content, powers = value.factored()
        for_sure = context.sign(number(content))
        for factor_, n in powers.items():
            known = context.sure_sign(factor_)
            for_sure = times(for_sure, powered(known if n > 0 else known - {0}, abs(n)))
        sign = (sign & for_sure) or sign
    return sign


def decided_sign(value: Rational, context: Context) -> int:
    """Return the sign of a quotient.

    Raises:
        NeedSign: with a factor whose sign is not known.
    """
    sign = sure_sign(value, context)
    if len(sign) == 1:
        return next(iter(sign))
    for factor_, n in value.factored()[1].items():
        known = context.sure_sign(factor_)
        if len(known if n > 0 else known - {0}) > 1:
            raise need(factor_, context)
    raise Unreadable("a sign that no factor decides")


def need(polynomial: Polynomial, context: Context) -> NeedSign:
    """Return the question whose answer gives the sign of an irreducible polynomial.

    Where a root can be squared away, the question is about what is below it.
    """
    norm = context.norm(polynomial)
    if norm is not None:
        for factor_, _ in factor(norm[0])[1]:
            if len(context.sign(factor_)) > 1:
                return need(factor_, context)
    return NeedSign(polynomial)


def root(value: Rational, degree: int, table: Table, context: Context) -> Rational:
    """Return the root of a value that must not be negative."""
    if value.constant == 0:
        return value
    content, powers = value.factored()
    outside = UNIT
    inside: dict[Polynomial, int] = {}
    rest_sign = frozenset({1 if content > 0 else -1})
    content = abs(content)
    for factor_, n in powers.items():
        sign = context.sign(factor_)
        if -1 not in sign:
            outside = outside * _power_of_root(factor_, n, degree, table)
        elif 1 not in sign:
            outside = outside * _power_of_root(-factor_, n, degree, table)
            rest_sign = negated(rest_sign) if n % 2 else rest_sign
        elif degree == 2 and n % 2 == 0:
            outside = outside * _whole(absolute(Rational(factor_), table, context), n // 2)
        else:
            inside[factor_] = n
    outside = outside * _number_root(content, degree, table)
    rest = of_factors(Fraction(next(iter(rest_sign))), inside)
    if rest.constant != 1:
        outside = outside * _root_atom(rest, degree, table)
    conditions: set[Condition] = set(value.conditions)
    if -1 in sign_of(value, context):
        conditions.add(("nonneg", *value.key()))
    return put(Rational(outside.numerator, outside.denominator, frozenset(conditions)), context)


def _whole(value: Rational, n: int) -> Rational:
    if n >= 0:
        return (value**n).bare()
    return (value**-n).inverse().bare()


def _power_of_root(factor_: Polynomial, n: int, degree: int, table: Table) -> Rational:
    """Return root(factor)^n of a factor that is not negative."""
    whole, left = divmod(abs(n), degree)
    result = Rational(factor_**whole)
    if left:
        atom = table.algebraic(
            "root", degree, factor_, kind=factor_.kind, power=degree, below=factor_
        )
        result = result * Rational(variable(atom) ** left)
    return result if n > 0 else result.inverse().bare()


def _number_root(value: Fraction, degree: int, table: Table) -> Rational:
    """Return the root of a positive number, written with roots of primes."""
    if value == 1:
        return UNIT
    if degree == 2:
        top, bottom = isqrt(value.numerator), isqrt(value.denominator)
        if top * top == value.numerator and bottom * bottom == value.denominator:
            return constant(Fraction(top, bottom))
    result = UNIT
    for part, direction in ((value.numerator, 1), (value.denominator, -1)):
        for prime, n in primes(part).items():
            whole, left = divmod(n, degree)
            piece = constant(Fraction(prime) ** whole)
            if left:
                below = number(prime)
                atom = table.algebraic(
                    "root", degree, below, kind=below.kind, power=degree, below=below
                )
                piece = piece * Rational(variable(atom) ** left)
            result = result * (piece if direction > 0 else piece.inverse().bare())
    return result


def primes(value: int) -> dict[int, int]:
    """Return the factors of a whole number; a large one counts as prime, as 0 and -1 do."""
    if value == 0:
        return {0: 1}
    found: dict[int, int] = {}
    for divisor in range(2, _SMALL):
        while value % divisor == 0:
            found[divisor] = found.get(divisor, 0) + 1
            value //= divisor
    if value == 1:
        return found
    if value < _SMALL**2 or value.bit_length() > 80:
        return {**found, value: 1}
    from sympy import factorint

    return {**found, **{int(p): int(n) for p, n in factorint(value).items()}}


def _root_atom(rest: Rational, degree: int, table: Table) -> Rational:
    """Return the root of what no factor tells the sign of: root(n/d) is root(n*d^(q-1))/|d|."""
    top = rest.numerator
    below = Rational(number(1))
    for factor_, n in rest.denominator:
        if degree % 2:
            raise Unreadable("an odd root of a quotient of unknown sign")
        top = top * factor_ ** (n * (degree - 1))
        below = below * (_absolute_atom(factor_, table) ** n)
    atom = table.algebraic("root", degree, top, kind=top.kind, power=degree, below=top)
    return of_atom(atom) * below.inverse().bare()


def absolute(value: Rational, table: Table, context: Context) -> Rational:
    """Return the absolute value: the product of those of the factors."""
    if value.constant == 0:
        return value
    sign = sign_of(value, context)
    if -1 not in sign:
        return value
    if 1 not in sign:
        return -value
    content, powers = value.factored()
    result = constant(abs(content))
    for factor_, n in powers.items():
        known = context.sign(factor_)
        size = Rational(factor_)
        if n % 2 and -1 in known:
            if 1 not in known:
                size = -size
            elif context.splits:
                raise need(factor_, context)
            else:
                size = _absolute_atom(factor_, table)
        result = result * _whole(size, n)
    return put(result.under(*value.conditions), context)


def _absolute_atom(factor_: Polynomial, table: Table) -> Rational:
    atom = table.algebraic("abs", factor_, kind=factor_.kind, power=2, below=factor_ * factor_)
    return of_atom(atom)
