"""Polynomials over atoms, with exact coefficients.

An atom is a symbol that stands for a number: a hyperparameter, a state, the
root of a polynomial, a function that is not looked into. An atom may carry a
relation, `atom^power = below`, by which every product is reduced: that is how
roots and absolute values disappear.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

from optdsl.model.expressions import Kind


@dataclass(eq=False, slots=True)
class Atom:
    """A symbol. `form` says what it stands for; equal forms are one atom of a `Table`."""

    index: int
    form: tuple[Any, ...]
    kind: Kind
    whole: bool = False
    power: int = 0
    below: Polynomial | None = None
    arguments: tuple[Any, ...] = field(default=())

    def __repr__(self) -> str:
        return "_".join(str(part) for part in self.form)


Monomial: TypeAlias = tuple[tuple[Atom, int], ...]
_ONE: Monomial = ()


class Table:
    """The atoms of one proof: equal forms give the same atom."""

    def __init__(self) -> None:
        self._atoms: dict[tuple[Any, ...], Atom] = {}

    def atom(self, *form: Any, kind: Kind = Kind.STEP, whole: bool = False) -> Atom:
        """Return the atom of this form."""
        found = self._atoms.get(form)
        if found is None:
            found = Atom(len(self._atoms), form, kind, whole)
            self._atoms[form] = found
        return found

    def algebraic(self, *form: Any, kind: Kind, power: int, below: Polynomial) -> Atom:
        """Return the atom whose `power` is the polynomial `below`."""
        found = self.atom(*form, kind=kind)
        found.power, found.below = power, below
        return found


class Polynomial:
    """A sum of monomials; immutable."""

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: dict[Monomial, Fraction]) -> None:
        self.terms = terms
        self._hash: int | None = None

    # ------------------------------------------------------------- protocol

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polynomial) and self.terms == other.terms

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __repr__(self) -> str:
        return " + ".join(_show(m, c) for m, c in self.terms.items()) or "0"

    # ------------------------------------------------------------ arithmetic

    def __add__(self, other: Polynomial) -> Polynomial:
        terms = dict(self.terms)
        for monomial, coefficient in other.terms.items():
            _accumulate(terms, monomial, coefficient)
        return Polynomial(terms)

    def __neg__(self) -> Polynomial:
        return Polynomial({m: -c for m, c in self.terms.items()})

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + -other

    def scaled(self, factor: Fraction) -> Polynomial:
        """Return this polynomial times a number."""
        if not factor:
            return ZERO
        return Polynomial({m: c * factor for m, c in self.terms.items()})

    def __mul__(self, other: Polynomial) -> Polynomial:
        terms: dict[Monomial, Fraction] = {}
        reducible = []
        for a, x in self.terms.items():
            for b, y in other.terms.items():
                product = _times(a, b)
                if any(atom.power and n >= atom.power for atom, n in product):
                    reducible.append((product, x * y))
                else:
                    _accumulate(terms, product, x * y)
        result = Polynomial(terms)
        for monomial, coefficient in reducible:
            result = result + _reduced(monomial).scaled(coefficient)
        return result

    def __pow__(self, exponent: int) -> Polynomial:
        result, square = ONE, self
        while exponent:
            if exponent % 2:
                result = result * square
            exponent //= 2
            if exponent:
                square = square * square
        return result

    # --------------------------------------------------------------- queries

    @property
    def constant(self) -> Fraction | None:
        """The number that this polynomial is, or None."""
        if not self.terms:
            return Fraction(0)
        if len(self.terms) == 1 and _ONE in self.terms:
            return self.terms[_ONE]
        return None

    @property
    def atoms(self) -> set[Atom]:
        """The atoms that stand in it."""
        return {atom for monomial in self.terms for atom, _ in monomial}

    @property
    def kind(self) -> Kind:
        """How many numbers it stands for."""
        return join(atom.kind for atom in self.atoms)

    @property
    def leading(self) -> Monomial:
        """A monomial that only depends on the atoms, to make forms canonical."""
        return min(self.terms, key=_order)

    def primitive(self) -> tuple[Fraction, Polynomial]:
        """Return `c, p` with `self == c*p`, whole coprime coefficients and a positive first one."""
        if not self.terms:
            return Fraction(1), self
        from math import gcd, lcm

        bottom = lcm(*(c.denominator for c in self.terms.values()))
        top = gcd(*(int(c * bottom) for c in self.terms.values()))
        content = Fraction(top, bottom)
        if self.terms[self.leading] < 0:
            content = -content
        return content, self if content == 1 else self.scaled(1 / content)

    def common_monomial(self) -> Monomial:
        """Return the largest monomial that divides every term."""
        common: dict[Atom, int] | None = None
        for monomial in self.terms:
            powers = dict(monomial)
            if common is None:
                common = powers
            else:
                common = {a: min(n, powers[a]) for a, n in common.items() if a in powers}
        return tuple(sorted((common or {}).items(), key=lambda item: item[0].index))

    def divided_by(self, divisor: Monomial) -> Polynomial:
        """Return the quotient by a monomial that divides every term."""
        if not divisor:
            return self
        removed = dict(divisor)
        return Polynomial(
            {
                tuple((a, n - removed.get(a, 0)) for a, n in m if n != removed.get(a, 0)): c
                for m, c in self.terms.items()
            }
        )

    def coefficients(self, atom: Atom) -> dict[int, Polynomial]:
        """Return the coefficients of the powers of `atom`."""
        parts: dict[int, dict[Monomial, Fraction]] = {}
        for monomial, c in self.terms.items():
            n = dict(monomial).get(atom, 0)
            rest = tuple(item for item in monomial if item[0] is not atom)
            parts.setdefault(n, {})[rest] = c
        return {n: Polynomial(terms) for n, terms in parts.items()}


def _accumulate(terms: dict[Monomial, Fraction], monomial: Monomial, value: Fraction) -> None:
    total = terms.get(monomial, 0) + value
    if total:
        terms[monomial] = total
    else:
        terms.pop(monomial, None)


def _times(a: Monomial, b: Monomial) -> Monomial:
    if not a:
        return b
    if not b:
        return a
    powers = dict(a)
    for atom, n in b:
        powers[atom] = powers.get(atom, 0) + n
    return tuple(sorted(powers.items(), key=lambda item: item[0].index))


def _reduced(monomial: Monomial) -> Polynomial:
    """Replace the powers of algebraic atoms by what they are."""
    result = ONE
    for atom, n in monomial:
        factor = Polynomial({((atom, n),): Fraction(1)})
        if atom.power and n >= atom.power:
            assert atom.below is not None
            whole, rest = divmod(n, atom.power)
            left = ((atom, rest),) if rest else _ONE
            factor = Polynomial({left: Fraction(1)}) * atom.below**whole
        result = result * factor
    return result


def _order(monomial: Monomial) -> tuple[int, tuple[tuple[int, int], ...]]:
    return -sum(n for _, n in monomial), tuple((atom.index, -n) for atom, n in monomial)


def _show(monomial: Monomial, coefficient: Fraction) -> str:
    factors = [f"{atom}^{n}" if n > 1 else f"{atom}" for atom, n in monomial]
    return "*".join([*([str(coefficient)] if coefficient != 1 or not factors else []), *factors])


def join(kinds: Iterable[Kind]) -> Kind:
    """Return the kind that joins all of `kinds`."""
    result = Kind.STEP
    for kind in kinds:
        result = result.join(kind)
    return result


def number(value: int | Fraction) -> Polynomial:
    """Return a number as a polynomial."""
    return Polynomial({_ONE: Fraction(value)}) if value else ZERO


def variable(atom: Atom) -> Polynomial:
    """Return an atom as a polynomial."""
    return Polynomial({((atom, 1),): Fraction(1)})


def monomial_factors(monomial: Monomial) -> Iterator[tuple[Polynomial, int]]:
    """Yield the atoms of a monomial as polynomials, with their powers."""
    for atom, n in monomial:
        yield variable(atom), n


ZERO = Polynomial({})
ONE = Polynomial({_ONE: Fraction(1)})
