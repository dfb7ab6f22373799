"""What is known of the sign of a polynomial.

A sign is the set of those of -1, 0, 1 that it may be. Facts come from the
domains of atoms, from the case being looked at, and from a certificate: put
`x = (a*z + b*y)/(y + z)` for every atom between a and b; if all coefficients of
what results have one sign, so has the polynomial (this is Bernstein's basis).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from typing import TypeAlias

from optdsl.checks.equivalence.factors import factor
from optdsl.checks.equivalence.polynomials import ONE, Atom, Polynomial, number, variable
from optdsl.model.expressions import Kind

Sign: TypeAlias = frozenset[int]

ANY: Sign = frozenset({-1, 0, 1})
POSITIVE: Sign = frozenset({1})
NEGATIVE: Sign = frozenset({-1})
NULL: Sign = frozenset({0})
NOT_NEGATIVE: Sign = frozenset({0, 1})
NOT_POSITIVE: Sign = frozenset({0, -1})
NOT_NULL: Sign = frozenset({-1, 1})

_LARGEST_EXPANSION = 4000  # terms, beyond which no certificate is sought
_LARGEST_QUADRATIC = 60


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

#: Gives the range of an atom from what it is made of.
Ranger: TypeAlias = "Callable[[Atom, Context], Range]"


@dataclass(frozen=True)
class Context:
    """What is assumed: the ranges of atoms, and the signs of polynomials in this case.

    `signs` and `truths` are the case; `values` are atoms that the case decides
    (0 where the case says so).
    """

    ranges: Mapping[Atom, Range] = field(default_factory=dict)
    ranger: Ranger | None = None
    signs: Mapping[Polynomial, Sign] = field(default_factory=dict)
    truths: Mapping[object, bool] = field(default_factory=dict)
    values: Mapping[Atom, Polynomial] = field(default_factory=dict)
    splits: bool = False
    _known: dict[Polynomial, Sign] = field(default_factory=dict, compare=False)

    def suppose(self, polynomial: Polynomial, sign: Sign) -> Context:
        """Return the case in which `polynomial`, irreducible, has one of these signs."""
        signs = {**self.signs, polynomial: sign & self.signs.get(polynomial, ANY)}
        case = replace(self, signs=signs, _known={})
        return case._solved(polynomial) if sign == NULL else case

    def suppose_true(self, question: object, answer: bool) -> Context:
        """Return the case in which a condition that is not looked into has this answer."""
        return replace(self, truths={**self.truths, question: answer}, _known={})

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
        )

    def _solved(self, polynomial: Polynomial) -> Context:
        """Use `polynomial == 0`: give a value to an atom that it determines."""
        values = dict(self.values)
        for part in self._null_parts(polynomial):
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
        return replace(self, values=values, _known={})

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
            found = self.ranger(atom, self) if self.ranger else REALS
        sign = self.signs.get(variable(atom))
        return found if sign is None else found.meet(sign)

    def sign(self, polynomial: Polynomial) -> Sign:
        """Return the signs that `polynomial` may have."""
        constant = polynomial.constant
        if constant is not None:
            return frozenset({(constant > 0) - (constant < 0)})
        found = self._known.get(polynomial)
        if found is None:
            content, primitive = polynomial.primitive()
            found = self._sign(primitive)
            if content < 0:
                found = negated(found)
            self._known[polynomial] = found
        return found

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
        bounded: dict[Atom, Range] = {}
        for atom in polynomial.atoms:
            bounded[atom] = self.range_of(atom)
        expanded = _expand(polynomial, bounded)
        return ANY if expanded is None else _common_sign(*expanded)


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


# ------------------------------------------------------------- certificates


@dataclass(frozen=True)
class _Ends:
    """The symbols that stand for an atom: not negative, and never all of them zero."""

    symbols: tuple[Atom, ...]
    least: tuple[frozenset[Atom], ...]  # the smallest sets of those that are positive


_Expanded: TypeAlias = "tuple[Polynomial, dict[Atom, _Ends], frozenset[Atom]]"


def _expand(polynomial: Polynomial, ranges: Mapping[Atom, Range]) -> _Expanded | None:
    """Rewrite over symbols that are not negative; the last item are atoms of any sign."""
    ends: dict[Atom, _Ends] = {}
    values: dict[Atom, tuple[Polynomial, Polynomial]] = {}
    free = set()
    for atom, bounds in ranges.items():
        stand_in = _stand_in(atom, bounds)
        if stand_in is None:
            free.add(atom)
        else:
            ends[atom], *pair = stand_in
            values[atom] = (pair[0], pair[1])
    degrees = {
        atom: max(dict(monomial).get(atom, 0) for monomial in polynomial.terms) for atom in values
    }
    result = number(0)
    for monomial, c in polynomial.terms.items():
        powers = dict(monomial)
        term = number(c)
        for atom in ranges:
            n = powers.get(atom, 0)
            if atom in free:
                term = term * Polynomial({((atom, n),): Fraction(1)}) if n else term
            else:
                top, bottom = values[atom]
                term = term * top**n * bottom ** (degrees[atom] - n)
        result = result + term
        if len(result.terms) > _LARGEST_EXPANSION:
            return None
    return result, ends, frozenset(free)


def _stand_in(atom: Atom, bounds: Range) -> tuple[_Ends, Polynomial, Polynomial] | None:
    """Return what stands for an atom, as a numerator over a positive denominator."""
    if bounds.low is None and bounds.high is None:
        return None
    y = Atom(-2 * atom.index - 2, ("y", atom), atom.kind)
    z = Atom(-2 * atom.index - 3, ("z", atom), atom.kind)
    least: tuple[frozenset[Atom], ...]
    only_y: tuple[frozenset[Atom], ...] = (frozenset({y}),)
    if bounds.high is None:
        assert bounds.low is not None
        least = only_y if bounds.low_open else (frozenset(),)
        return _Ends((y,), least), number(bounds.low) + variable(y), ONE
    if bounds.low is None:
        least = only_y if bounds.high_open else (frozenset(),)
        return _Ends((y,), least), number(bounds.high) - variable(y), ONE
    if bounds.low == bounds.high:
        return _Ends((), (frozenset(),)), number(bounds.low), ONE
    if bounds.low_open and bounds.high_open:
        least = (frozenset({y, z}),)
    elif bounds.low_open:
        least = only_y
    elif bounds.high_open:
        least = (frozenset({z}),)
    else:
        least = (frozenset({y}), frozenset({z}))
    top = variable(z).scaled(bounds.low) + variable(y).scaled(bounds.high)
    return _Ends((y, z), least), top, variable(y) + variable(z)


def _common_sign(polynomial: Polynomial, ends: Mapping[Atom, _Ends], free: frozenset[Atom]) -> Sign:
    if not polynomial:
        return NULL
    coefficients = set()
    for monomial, c in polynomial.terms.items():
        if any(atom in free and n % 2 for atom, n in monomial):
            return ANY
        coefficients.add(1 if c > 0 else -1)
    if len(coefficients) > 1:
        return ANY
    strict = _never_null(polynomial, ends)
    return frozenset(coefficients) if strict else frozenset(coefficients | {0})


def _never_null(polynomial: Polynomial, ends: Mapping[Atom, _Ends]) -> bool:
    """Is there a positive term, whichever of the symbols are positive?"""
    supports = [{atom for atom, _ in monomial} for monomial in polynomial.terms]
    choices = [end.least for end in ends.values() if end.symbols]
    if len(choices) > 10:
        return False
    for choice in product(*choices):
        positive = frozenset().union(*choice)
        if not any(support <= positive for support in supports):
            return False
    return True
