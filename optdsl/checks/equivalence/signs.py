"""What is known of the sign of a polynomial.

What is known comes from the domains of atoms, from the case being looked at, from what atoms
stand for, and from all of it together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from optdsl.checks.equivalence.certificates import certified
from optdsl.checks.equivalence.factors import factor
from optdsl.checks.equivalence.inequalities import (
    LONGEST,
    Inequality,
    refuted,
    supposed,
    within,
)
from optdsl.checks.equivalence.number_ranges import (
    ANY,
    NEGATIVE,
    NOT_NEGATIVE,
    NOT_POSITIVE,
    NULL,
    POSITIVE,
    REALS,
    Range,
    Sign,
)
from optdsl.checks.equivalence.polynomials import Atom, Polynomial, number, variable
from optdsl.model.expressions import Kind

_LARGEST_QUADRATIC = 60


class Impossible(Exception):
    """What is supposed in a case excludes itself."""


#: Gives the range of an atom from what it is made of.
Ranger: TypeAlias = "Callable[[Atom, Context], Range]"

#: Gives what an atom obeys by what it stands for.
Teller: TypeAlias = "Callable[[Atom, Context], Iterable[Inequality]]"


@dataclass(frozen=True)
class Context:
    """What is assumed: the ranges of atoms, and the signs of polynomials in this case.

    `signs` and `truths` are the case; `values` are atoms that the case decides
    (0 where the case says so).
    """

    ranges: Mapping[Atom, Range] = field(default_factory=dict)
    ranger: Ranger | None = None
    teller: Teller | None = None
    signs: Mapping[Polynomial, Sign] = field(default_factory=dict)
    truths: Mapping[object, bool] = field(default_factory=dict)
    values: Mapping[Atom, Polynomial] = field(default_factory=dict)
    splits: bool = False
    _known: dict[Polynomial, Sign] = field(default_factory=dict, compare=False)
    _sure: dict[Polynomial, Sign] = field(default_factory=dict, compare=False)

    def suppose(self, polynomial: Polynomial, sign: Sign) -> Context:
        """Return the case in which `polynomial`, irreducible, has one of these signs."""
        signs = {**self.signs, polynomial: sign & self.signs.get(polynomial, ANY)}
        case = replace(self, signs=signs, _known={}, _sure={})
        return case._solved(polynomial) if sign == NULL else case

    def suppose_true(self, question: object, answer: bool) -> Context:
        """Return the case in which a condition that is not looked into has this answer."""
        return replace(self, truths={**self.truths, question: answer}, _known={}, _sure={})

    def for_all(self, kind: Kind) -> Context:
        """Return what is known of every entry that a value of this kind is made of.

        The case speaks of one entry of one tensor; what a reduction takes in are all.
        """
        if not (self.signs or self.values or self.truths or self.splits):
            return self
        return replace(
            self,
            splits=False,
            signs={p: s for p, s in self.signs.items() if p.kind.within(kind)},
            values={
                atom: value
                for atom, value in self.values.items()
                if atom.kind.within(kind) and value.kind.within(kind)
            },
            truths={},
            _known={},
            _sure={},
        )

    def _solved(self, polynomial: Polynomial) -> Context:
        """Use `polynomial == 0`: give a value to an atom that it determines."""
        values = dict(self.values)
        for part in self._null_parts(self._solve(polynomial)):
            for atom in sorted(part.atoms, key=lambda atom: -atom.index):
                by_power = part.coefficients(atom)
                slope = by_power.get(1)
                alone = part == variable(atom)
                if (atom.power and not alone) or atom in values:
                    continue
                if set(by_power) - {0, 1} or slope is None:
                    continue
                if (scale := slope.constant) is not None:
                    rest = by_power.get(0)
                    solved = number(0) if rest is None else rest.scaled(-1 / scale)
                    values[atom] = solved
                    break
        values = {a: self._put(v, values) for a, v in values.items()}
        return replace(self, values=values, _known={}, _sure={})

    def _put(self, polynomial: Polynomial, values: Mapping[Atom, Polynomial]) -> Polynomial:
        return substitute(polynomial, {a: v for a, v in values.items() if a not in v.atoms})

    def _null_parts(self, polynomial: Polynomial) -> Iterable[Polynomial]:
        """If a sum of terms that are not negative is zero, so is each of them."""
        yield polynomial
        terms = [Polynomial({m: c}) for m, c in polynomial.terms.items()]
        if len(terms) > 1 and all(-1 not in self.sign(term) for term in terms):
            for term in terms:
                unknown = [a for a in term.atoms if 0 in self.range_of(a).sign]
                if len(unknown) == 1:
                    yield from self._null_atom(unknown[0])
        elif len(terms) == 1 and len(polynomial.atoms) == 1:
            yield from self._null_atom(next(iter(polynomial.atoms)))

    def _null_atom(self, atom: Atom) -> Iterable[Polynomial]:
        yield variable(atom)
        if atom.below is not None:
            for part, _ in factor(atom.below)[1]:
                if len(factor(atom.below)[1]) == 1:
                    yield from self._null_parts(part)

    # ----------------------------------------------------------------- signs

    def range_of(self, atom: Atom) -> Range:
        """Return the range of an atom in this case."""
        found = self.ranges.get(atom)
        if found is None:
            found = self.ranger(atom, self.apart) if self.ranger else REALS
        sign = self.signs.get(variable(atom))
        return found if sign is None else found.meet(sign)

    def sign(self, polynomial: Polynomial) -> Sign:
        """Return the signs that `polynomial` may have."""
        constant = polynomial.constant
        if constant is not None:
            return frozenset({(constant > 0) - (constant < 0)})
        found = self._known.get(polynomial)
        if found is None:
            self._known[polynomial] = ANY  # should it depend on itself, by a value of the case
            found = self._found(polynomial)
            self._known[polynomial] = found
        return found

    def _found(self, polynomial: Polynomial) -> Sign:
        content, primitive = polynomial.primitive()
        solved = self._solve(primitive)
        if solved == primitive:
            found = self._sign(primitive)
        else:
            found = self.sign(solved) & self.signs.get(primitive, ANY)
            if not found:
                raise Impossible
        return negated(found) if content < 0 else found

    def _sign(self, polynomial: Polynomial) -> Sign:
        found = self.signs.get(polynomial, ANY)
        if len(found) > 1:
            found = found & self._certified(polynomial)
        if len(found) > 1:
            coefficient, factors = factor(polynomial)
            if len(factors) > 1 or factors[0][1] > 1:
                sign = POSITIVE if coefficient > 0 else NEGATIVE
                for irreducible, n in factors:
                    sign = times(sign, powered(self.sign(irreducible), n))
                found = found & sign
        if len(found) > 1 and (norm := self.norm(polynomial)) is not None:
            found = found & times(self.sign(norm[0]), norm[1])
        if len(found) > 1:
            found = found & self._of_quadratic(polynomial)
        return found or ANY

    @cached_property
    def apart(self) -> Context:
        """The same, where each polynomial is looked at by itself."""
        return self if self.teller is None else replace(self, teller=None, _known={}, _sure={})

    def sure_sign(self, polynomial: Polynomial) -> Sign:
        """Return the signs that a polynomial may have beside all else that is known.

        This takes longer than `sign` does, and is for where a decision depends on it.

        Raises:
            Impossible: where it has none of them.
        """
        found = self.sign(polynomial)
        if len(found) < 2 or self.teller is None or len(polynomial.terms) > LONGEST:
            return found
        known = self._sure.get(polynomial)
        if known is None:
            known = self._beside_others(self._solve(polynomial), self.teller, found)
            self._sure[polynomial] = known
        return known

    def _beside_others(self, polynomial: Polynomial, teller: Teller, found: Sign) -> Sign:
        own = polynomial.atoms
        told = [each for atom in own for each in teller(atom, self.apart)]
        if not self.signs and not told:
            return found
        known = told + [each for p, sign in self.signs.items() for each in supposed(p, sign)]
        others = {atom for each in known for atom in each.polynomial.atoms} | set(self.values)
        known += [each for atom in others - own for each in teller(atom, self.apart)]
        known += [each for atom in self.values for each in within(atom, self.range_of(atom))]
        if self.values:
            known = [each.of(self._solve(each.polynomial)) for each in known]
        left = {
            sign
            for sign in found
            if not any(
                refuted(start, known, self._certified)
                for start in supposed(polynomial, frozenset({sign}))
            )
        }
        if not left and self.signs:
            raise Impossible
        return frozenset(left) or found

    def _solve(self, polynomial: Polynomial) -> Polynomial:
        return substitute(polynomial, self.values)

    def _of_quadratic(self, polynomial: Polynomial) -> Sign:
        """Return the sign of a*x^2 + b*x + c that nowhere changes it.

        Where a and c are not negative and 4*a*c - b^2 is not, neither is the sum: it has no two
        roots if a is positive, and is c if a, and with it b, is 0.
        """
        if len(polynomial.terms) > _LARGEST_QUADRATIC:
            return ANY
        for atom in polynomial.atoms:
            parts = polynomial.coefficients(atom)
            if set(parts) != {0, 1, 2} or self.range_of(atom) != REALS:
                continue
            ends = self.sign(parts[2]) | self.sign(parts[0])
            if ends == ANY or {-1, 1} <= ends:
                continue
            apart = self.sign((parts[2] * parts[0]).scaled(Fraction(4)) - parts[1] * parts[1])
            if -1 not in apart:
                return ends | {0} if 0 in apart else ends - {0}
        return ANY

    def norm(self, polynomial: Polynomial) -> tuple[Polynomial, Sign] | None:
        """Return p*q and the sign of q, where p is a*s + b with a root s, and q is b - a*s.

        So `sqrt(S) - 1` has the sign of `S - 1`. None where no q has a known sign. It may be zero
        if b and -a*s are of one sign, for then both are zero, and so is p.
        """
        for atom in sorted(polynomial.atoms, key=lambda atom: -atom.index):
            if atom.power == 2 and atom.form[0] == "root" and atom.below is not None:
                parts = polynomial.coefficients(atom)
                if set(parts) != {0, 1}:
                    continue
                conjugate = parts[0] - parts[1] * variable(atom)
                sign = self._certified(conjugate)
                both = self.sign(parts[0]) | negated(self.sign(parts[1] * variable(atom)))
                for weak, strict in ((NOT_NEGATIVE, POSITIVE), (NOT_POSITIVE, NEGATIVE)):
                    sign = strict if both <= weak else sign
                if sign in (POSITIVE, NEGATIVE):
                    return parts[0] * parts[0] - parts[1] * parts[1] * atom.below, sign
        return None

    def _certified(self, polynomial: Polynomial) -> Sign:
        return certified(polynomial, {atom: self.range_of(atom) for atom in polynomial.atoms})


def negated(sign: Sign) -> Sign:
    """Return the signs of -x."""
    return frozenset(-s for s in sign)


def times(a: Sign, b: Sign) -> Sign:
    """Return the signs of a product."""
    return frozenset(x * y for x in a for y in b)


def powered(sign: Sign, n: int) -> Sign:
    """Return the signs of a power."""
    return frozenset(s**n for s in sign)


def substitute(polynomial: Polynomial, values: Mapping[Atom, Polynomial]) -> Polynomial:
    """Put polynomials in place of atoms."""
    if not any(atom in values for atom in polynomial.atoms):
        return polynomial
    result = number(0)
    for monomial, c in polynomial.terms.items():
        term = number(c)
        for atom, n in monomial:
            term = term * values.get(atom, variable(atom)) ** n
        result = result + term
    return result
