"""The sign of a polynomial, from the ranges of its atoms alone.

Put `x = (a*z + b*y)/(y + z)` for every atom between a and b; if all coefficients of
what results have one sign, so has the polynomial (this is Bernstein's basis).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import TypeAlias

from optdsl.checks.equivalence.number_ranges import ANY, NULL, REALS, Range, Sign
from optdsl.checks.equivalence.polynomials import ONE, Atom, Polynomial, number, variable

_LARGEST_EXPANSION = 4000  # terms, beyond which no certificate is sought


def certified(polynomial: Polynomial, ranges: Mapping[Atom, Range]) -> Sign:
    """Return the signs that a polynomial may have, as far as the ranges of its atoms tell."""
    if _turns(polynomial, ranges):
        return ANY
    expanded = _expand(polynomial, ranges)
    return ANY if expanded is None else _common_sign(*expanded)


@dataclass(frozen=True)
class _Ends:
    """The symbols that stand for an atom: not negative, and never all of them zero."""

    symbols: tuple[Atom, ...]
    least: tuple[frozenset[Atom], ...]  # the smallest sets of those that are positive


def _turns(polynomial: Polynomial, ranges: Mapping[Atom, Range]) -> bool:
    """Does an atom that may be any number stand in it to an odd power?"""
    if any(bounds.low is not None and bounds.low == bounds.high for bounds in ranges.values()):
        return False  # then it may vanish
    return any(ranges[a] == REALS and n % 2 for m in polynomial.terms for a, n in m)


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
