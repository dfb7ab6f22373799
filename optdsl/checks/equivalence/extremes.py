"""The largest entry of a value, in a canonical form.

What is the same for all entries is taken out: `max(c*x + d)` is `c*max(x) + d` where c is not
negative. The largest absolute value is that of x or of -x.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from optdsl.checks.equivalence.functions import Functions
from optdsl.checks.equivalence.polynomials import Atom, Polynomial, variable
from optdsl.checks.equivalence.rationals import Rational, constant, of_atom, of_factors
from optdsl.checks.equivalence.roots import put
from optdsl.checks.equivalence.signs import Context
from optdsl.model.expressions import Kind


def largest(x: Rational, kind: Kind, functions: Functions, context: Context) -> Rational:
    """Return the largest of the entries that a reduction to a kind takes in, if all are defined."""
    x = x.bare()
    shared, own = _parted(x, kind)
    if not own.numerator:
        return shared
    scale, rest = _scaled(own, kind, context)
    return put(shared + scale * _unscaled(rest, kind, functions, context), context)


def _parted(x: Rational, kind: Kind) -> tuple[Rational, Rational]:
    """Return what is the same for all entries and is added to the rest, and the rest."""
    if not all(below.kind.within(kind) for below, _ in x.denominator):
        return constant(0), x
    shared = {
        monomial: c
        for monomial, c in x.numerator.terms.items()
        if all(atom.kind.within(kind) for atom, _ in monomial)
    }
    added = Polynomial(shared)
    return Rational(added, x.denominator), Rational(x.numerator - added, x.denominator)


def _scaled(own: Rational, kind: Kind, context: Context) -> tuple[Rational, Rational]:
    """Return a factor that is the same for all entries and not negative, and the rest."""
    content, powers = own.factored()
    scale, direction = constant(abs(content)), Fraction(1 if content > 0 else -1)
    left = {}
    for factor, n in powers.items():
        sign = context.sign(factor) - ({0} if n < 0 else set())
        if not factor.kind.within(kind) or {-1, 1} <= sign:
            left[factor] = n
            continue
        taken = factor
        if -1 in sign:
            taken, direction = -factor, direction * (-1) ** (n % 2)
        scale = scale * (of_factors(Fraction(1), {taken: n}))
    return scale, of_factors(direction, left)


def _unscaled(x: Rational, kind: Kind, functions: Functions, context: Context) -> Rational:
    if x.constant is not None:
        return x
    among = _alternatives(x, kind)
    if among is not None:
        every = [largest(each, kind, functions, context) for each in among]
        return functions.maximum(every, context)
    content, powers = x.factored()
    if content == 1 and len(powers) == 1:
        ((factor, n),) = powers.items()
        if n > 0 and n % 2 == 0:
            size = functions.absolute(Rational(factor), context.for_all(kind))
            return largest(size, kind, functions, context) ** n
    atom = functions.table.atom("max of", kind, x.key(), kind=kind)
    atom.arguments = (x,)
    return of_atom(atom)


def _alternatives(x: Rational, kind: Kind) -> Iterable[Rational] | None:
    """Return the values of which x is the largest, where it is one of several by its form."""
    atom = _alone(x)
    if atom is not None and atom.form[0] == "abs":
        size = Rational(atom.form[1])
        return size, -size
    if atom is not None and atom.form[0] == "max":
        return atom.arguments
    if atom is not None and atom.form[0] == "max of" and kind.is_number:
        return atom.arguments  # the largest of rows is the largest of entries
    return None


def _alone(x: Rational) -> Atom | None:
    atoms = x.numerator.atoms
    if x.denominator or len(atoms) != 1:
        return None
    (atom,) = atoms
    return atom if x.numerator == variable(atom) else None
