"""What atoms obey by what they stand for: a floor, a maximum, a sum of what is not negative."""

from __future__ import annotations

from collections.abc import Iterator

from optdsl.checks.equivalence.inequalities import Inequality
from optdsl.checks.equivalence.polynomials import Atom, variable
from optdsl.checks.equivalence.rationals import Rational, constant, of_atom
from optdsl.checks.equivalence.roots import sign_of
from optdsl.checks.equivalence.signs import Context


def bounds(atom: Atom, context: Context) -> Iterator[Inequality]:
    """Yield inequalities that hold for an atom, whatever the case."""
    itself = of_atom(atom)
    match atom.form[0]:
        case "floor":
            (value,) = atom.arguments
            yield from _above(value - itself, context)
            yield from _above(itself + constant(1) - value, context, strict=True)
        case "max":
            for value in atom.arguments:
                yield from _above(itself - value, context)
        case "abs":
            yield Inequality(variable(atom) - atom.form[1])
            yield Inequality(variable(atom) + atom.form[1])
        case "max of":
            yield from _above(itself - atom.arguments[0], context)
        case "sum":  # no less than any entry, where none is negative
            (value,) = atom.arguments
            if -1 not in sign_of(value, context.for_all(atom.kind)):
                yield from _above(itself - value, context)


def _above(value: Rational, context: Context, strict: bool = False) -> Iterator[Inequality]:
    """Yield that a value is not negative, as a polynomial, where its denominator has a sign."""
    top = value.numerator
    for below, n in value.denominator:
        sign = context.sign(below) - {0}
        if n % 2 and sign == {-1}:
            top = -top
        elif n % 2 and sign != {1}:
            return
    yield Inequality(top, strict).tightened()
