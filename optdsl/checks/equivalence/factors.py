"""Factors of polynomials, by SymPy's exact factorization over the rationals."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

from optdsl.checks.equivalence.polynomials import (
    Atom,
    Monomial,
    Polynomial,
    monomial_factors,
)

#: A number, and irreducible polynomials with their powers.
Factored: TypeAlias = tuple[Fraction, tuple[tuple[Polynomial, int], ...]]

_LARGEST = 400  # terms, beyond which a polynomial is left whole
_HIGHEST = 1000  # the power of an atom, beyond which it is too


@lru_cache(maxsize=20_000)
def factor(polynomial: Polynomial) -> Factored:
    """Return `c, ((p, n), ...)` with `polynomial == c * p^n * ...`.

    Every `p` is primitive with a positive first coefficient. Atoms with a
    relation count as independent, so the product is an identity all the same.
    """
    content, primitive = polynomial.primitive()
    common = primitive.common_monomial()
    factors = list(monomial_factors(common))
    rest = primitive.divided_by(common)
    if rest.constant is not None:
        return content * rest.constant, tuple(factors)
    if _is_irreducible(rest):
        return content, (*factors, (rest, 1))
    coefficient, found = _by_sympy(rest)
    return content * coefficient, (*factors, *found)


def _is_irreducible(polynomial: Polynomial) -> bool:
    """Is it obviously so: of degree one in an atom that one term has?

    The coefficient of that atom is a monomial then, and no monomial divides all terms.
    """
    if len(polynomial.terms) > _LARGEST:
        return True
    held = Counter(power for monomial in polynomial.terms for power in monomial)
    if any(power > _HIGHEST for _, power in held):
        return True
    atoms = Counter(atom for monomial in polynomial.terms for atom, _ in monomial)
    return any(n == atoms[atom] == 1 for (atom, power), n in held.items() if power == 1)


def _by_sympy(polynomial: Polynomial) -> Factored:
    from sympy import QQ, ring

    atoms = sorted(polynomial.atoms, key=lambda atom: atom.index)
    domain = ring([f"x{i}" for i in range(len(atoms))], QQ)[0]
    element = domain.from_dict(
        {_exponents(m, atoms): QQ(c.numerator, c.denominator) for m, c in polynomial.terms.items()}
    )
    coefficient, factors = _split(element)
    total = _fraction(coefficient)
    found = []
    for factor_, n in factors:
        content, primitive = _back(factor_, atoms).primitive()
        total *= content**n
        found.append((primitive, n))
    return total, tuple(found)


def _split(element: Any) -> tuple[Any, list[tuple[Any, int]]]:
    """Return factors; a polynomial a*x + b is one times the common divisor of a and b."""
    for index, degree in enumerate(element.degrees()):
        if degree == 1:
            slope, rest = element.ring.zero, element.ring.zero
            for powers, c in element.terms():
                if powers[index]:
                    slope[(*powers[:index], 0, *powers[index + 1 :])] = c
                else:
                    rest[powers] = c
            common = slope.gcd(rest)
            if common.is_ground:
                return element.ring.domain.one, [(element, 1)]
            coefficient, factors = _split(common)
            return coefficient, [*factors, (element.exquo(common), 1)]
    coefficient, factors = element.factor_list()
    return coefficient, factors


def _exponents(monomial: Monomial, atoms: list[Atom]) -> tuple[int, ...]:
    powers = dict(monomial)
    return tuple(powers.get(atom, 0) for atom in atoms)


def _back(element: object, atoms: list[Atom]) -> Polynomial:
    terms: dict[Monomial, Fraction] = {}
    for exponents, c in element.terms():  # type: ignore[attr-defined]
        monomial = tuple((a, int(n)) for a, n in zip(atoms, exponents, strict=True) if n)
        terms[monomial] = _fraction(c)
    return Polynomial(terms)


def _fraction(value: object) -> Fraction:
    return Fraction(int(value.numerator), int(value.denominator))  # type: ignore[attr-defined]
