"""Linear equations whose unknowns are units: vectors of powers of base units.

Exact, one equation at a time: each is taken in, is already implied, or contradicts those before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

#: Powers of base units; those that are zero are left out.
Unit: TypeAlias = Mapping[str, Fraction]

NO_UNIT: Unit = {}


def powers(**given: int | Fraction) -> Unit:
    """Return a unit.

    >>> powers(loss=1, theta=-1)
    {'loss': Fraction(1, 1), 'theta': Fraction(-1, 1)}
    """
    return {name: Fraction(n) for name, n in given.items() if n}


def added(a: Mapping[str, Fraction], b: Mapping[str, Fraction], times: Fraction) -> Unit:
    """Return `a + times*b`, name by name: the unit of a product."""
    total = dict(a)
    for name, n in b.items():
        total[name] = total.get(name, Fraction(0)) + times * n
    return {name: n for name, n in total.items() if n}


@dataclass(frozen=True)
class Form:
    """A unit that is known up to unknowns: their powers, times a known unit."""

    unknowns: Mapping[str, Fraction] = field(default_factory=dict)
    known: Unit = field(default_factory=dict)

    def times(self, other: Form, n: Fraction = Fraction(1)) -> Form:
        """Return the unit of a product with the n-th power of `other`."""
        return Form(added(self.unknowns, other.unknowns, n), added(self.known, other.known, n))

    def power(self, n: Fraction) -> Form:
        """Return the unit of the n-th power."""
        return Form().times(self, n)


def unknown(name: str) -> Form:
    """Return the unit that is sought under this name."""
    return Form({name: Fraction(1)})


@dataclass
class Equations:
    """What is known so far: each of `solved` is an unknown in terms of those that are free."""

    solved: dict[str, Form] = field(default_factory=dict)

    def reduced(self, form: Form) -> Form:
        """Return the form with everything put in that is known."""
        result = Form(known=form.known)
        for name, n in form.unknowns.items():
            result = result.times(self.solved.get(name, unknown(name)), n)
        return result

    def unit(self, form: Form) -> Unit:
        """Return the unit of a form; unknowns that nothing determines have none."""
        return self.reduced(form).known

    def suppose(self, left: Form, right: Form) -> bool:
        """Take in that two units are equal; False, and nothing is taken in, where they cannot be.

        >>> equations = Equations()
        >>> equations.suppose(unknown("x").power(Fraction(2)), Form(known=powers(loss=1)))
        True
        >>> equations.unit(unknown("x"))
        {'loss': Fraction(1, 2)}
        >>> equations.suppose(unknown("x"), Form())
        False
        """
        difference = self.reduced(left.times(right, Fraction(-1)))
        if not difference.unknowns:
            return not difference.known
        name, n = next(iter(difference.unknowns.items()))
        value = unknown(name).times(difference, -1 / n)
        self.solved = {
            other: form.times(unknown(name), -form.unknowns[name]).times(value, form.unknowns[name])
            if name in form.unknowns
            else form
            for other, form in self.solved.items()
        }
        self.solved[name] = value
        return True
