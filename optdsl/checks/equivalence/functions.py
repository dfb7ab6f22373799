"""Powers, logarithms and the functions that are not looked into.

Each gives a canonical value: a sum of logarithms, a product of exponentials,
an atom named after a canonical argument. Equal arguments give the same atom.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from optdsl.checks.equivalence.number_ranges import ABOVE_ZERO, NON_NEGATIVE, REALS, Range
from optdsl.checks.equivalence.polynomials import Atom, Monomial, Polynomial, Table, join
from optdsl.checks.equivalence.rationals import (
    NOTHING,
    UNIT,
    Condition,
    Rational,
    constant,
    of_atom,
)
from optdsl.checks.equivalence.roots import (
    Unreadable,
    absolute,
    decided_sign,
    primes,
    put,
    root,
    sign_of,
)
from optdsl.checks.equivalence.signs import Context
from optdsl.model.expressions import Kind

#: The highest power that is multiplied out.
_EXPANDED = 256


class Functions:
    """The operators of the language on quotients, for one table of atoms."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.time = table.atom("t", whole=True)

    # ---------------------------------------------------------------- ranges

    def range_of(self, atom: Atom, context: Context) -> Range:
        """Return the range of an atom, from what it is made of."""
        match atom.form[0]:
            case "root" if atom.below is not None:
                return ABOVE_ZERO if context.sign(atom.below) == {1} else NON_NEGATIVE
            case "abs":
                return ABOVE_ZERO if 0 not in context.sign(atom.form[1]) else NON_NEGATIVE
            case "exp":
                return ABOVE_ZERO
            case "pi":
                return Range(Fraction(314, 100), Fraction(315, 100))
            case "cos" | "sign":
                return Range(Fraction(-1), Fraction(1))
            case "max":
                return self._range_of_maximum(atom, context)
            case "select":
                signs = [sign_of(value, context) for value in atom.arguments]
                return REALS.meet(frozenset().union(*signs))
            case "power":
                return self._range_of_power(atom, context)
            case "sum":
                return NON_NEGATIVE if self._sums_up(atom, context) else REALS
            case "max of":
                (value,) = atom.arguments
                return REALS.meet(sign_of(value, context.for_all(atom.kind)))
            case "size":
                return Range(Fraction(1))
        return REALS

    def _range_of_maximum(self, atom: Atom, context: Context) -> Range:
        signs = [sign_of(value, context) for value in atom.arguments]
        if any(sign == {1} for sign in signs):
            return ABOVE_ZERO
        if any(-1 not in sign for sign in signs):
            return NON_NEGATIVE
        if all(1 not in sign for sign in signs):
            return REALS.meet(frozenset().union(*signs))
        return REALS

    def _range_of_power(self, atom: Atom, context: Context) -> Range:
        """x^(t - 1): at least 0, at most 1, as x is; 1 in the first step."""
        (base,) = atom.arguments
        sign = sign_of(base, context)
        if -1 in sign:
            return REALS
        low_open = sign == {1}
        later = context.range_of(self.time).low
        below_one = sign_of(UNIT - base, context)
        if -1 in below_one:
            return Range(Fraction(0), None, low_open)
        strict = below_one == {1} and later is not None and later >= 2
        return Range(Fraction(0), Fraction(1), low_open, strict)

    def _sums_up(self, atom: Atom, context: Context) -> bool:
        (term,) = atom.arguments
        return -1 not in sign_of(term, context.for_all(atom.kind))

    # ---------------------------------------------------------------- powers

    def power(self, base: Rational, exponent: Rational, context: Context) -> Rational:
        """Return base^exponent."""
        n = exponent.constant
        if n is not None:
            return self._constant_power(base, n, context)
        conditions = exponent.conditions
        steps = self._in_steps(exponent)
        if steps is not None:
            found = self._power_of_time(base, *steps, context)
            if found is not None:
                return found.under(*conditions)
        if sign_of(base, context) == {1}:
            return self.exponential(exponent * self.logarithm(base, context), context)
        atom = self.table.atom("pow", base.key(), exponent.key(), kind=_kind(base, exponent))
        kept: set[Condition] = {*base.conditions, *conditions}
        return of_atom(atom).under(*kept, ("power", base.key(), exponent.key()))

    def _constant_power(self, base: Rational, n: Fraction, context: Context) -> Rational:
        if n.denominator == 1:
            size = abs(int(n))
            power = base**size if size <= _EXPANDED else self._far_power(base, size)
            power = power.under(*base.conditions)
            return power if n >= 0 else power.inverse()
        below = root(base, n.denominator, self.table, context)
        if n < 0:
            return (below**-n.numerator).under(*below.conditions).inverse()
        return (below**n.numerator).under(*below.conditions)

    def _far_power(self, base: Rational, n: int) -> Rational:
        """Return base^n, written out only where it is no longer than base."""
        numbers = [abs(each) for each in base.numerator.terms.values()]
        if numbers == [1] and not base.denominator:
            return base**n
        exponent = constant(Fraction(n))
        return of_atom(self.table.atom("pow", base.key(), exponent.key(), kind=base.kind))

    def _in_steps(self, exponent: Rational) -> tuple[int, int] | None:
        """Return a, b where the exponent is a*t + b with whole a and b."""
        if exponent.denominator:
            return None
        by_power = exponent.numerator.coefficients(self.time)
        slope = by_power.get(1, Polynomial({})).constant
        offset = by_power.get(0, Polynomial({})).constant
        if set(by_power) - {0, 1} or slope is None or offset is None:
            return None
        if slope.denominator != 1 or offset.denominator != 1:
            return None
        return int(slope), int(offset)

    def _power_of_time(
        self, base: Rational, slope: int, offset: int, context: Context
    ) -> Rational | None:
        """Return base^(slope*t + offset), with base^(t - 1) for an atom."""
        nonzero = 0 not in sign_of(base, context)
        if (slope < 0 or slope + offset < 0) and not nonzero:
            return None
        steps = self._power_atom(base, context)
        result = _signed_power(steps, slope)
        return (result * _signed_power(base, slope + offset)).under(*base.conditions)

    def _power_atom(self, base: Rational, context: Context) -> Rational:
        content, powers = base.factored()
        result = UNIT
        if content < 0:
            raise Unreadable("a negative number to the power t")
        for part, direction in ((content.numerator, 1), (content.denominator, -1)):
            for prime, n in primes(part).items():
                atom = self._single_power(constant(prime))
                result = result * _signed_power(of_atom(atom), n * direction)
        for factor_, n in powers.items():
            atom = self._single_power(Rational(factor_))
            result = result * _signed_power(of_atom(atom), n)
        return put(result, context)

    def _single_power(self, base: Rational) -> Atom:
        atom = self.table.atom("power", base.key(), kind=base.kind)
        atom.arguments = (base.bare(),)
        return atom

    # ------------------------------------------------- logarithm, exponential

    def logarithm(self, value: Rational, context: Context) -> Rational:
        """Return the logarithm: the sum of those of the factors, where all are positive."""
        conditions = set(value.conditions)
        if sign_of(value, context) != {1}:
            conditions.add(("positive", *value.key()))
        content, powers = value.factored() if value.numerator else (Fraction(0), {})
        if content > 0 and all(context.sign(p) == {1} for p in powers):
            total = NOTHING
            for part, direction in ((content.numerator, 1), (content.denominator, -1)):
                for prime, n in primes(part).items():
                    total = total + constant(n * direction) * self._log_atom(constant(prime))
            for factor_, n in powers.items():
                total = total + constant(n) * self._log_atom(Rational(factor_))
        else:
            total = self._log_atom(value)
        return total.under(*conditions)

    def _log_atom(self, value: Rational) -> Rational:
        for atom in value.numerator.atoms:
            if atom.form[0] == "exp" and value == of_atom(atom):
                return atom.arguments[0]  # type: ignore[no-any-return]
        atom = self.table.atom("log", value.key(), kind=value.kind)
        if atom.arguments == ():
            atom.arguments = (value.bare(),)
        return of_atom(atom)

    def exponential(self, value: Rational, context: Context) -> Rational:
        """Return exp(value): the product over the terms of a sum."""
        result = UNIT
        for monomial, coefficient in value.numerator.terms.items():
            result = result * self._exponential_of(monomial, coefficient, value, context)
        return result.under(*value.conditions)

    def _exponential_of(
        self, monomial: Monomial, coefficient: Fraction, value: Rational, context: Context
    ) -> Rational:
        logs = [(atom, n) for atom, n in monomial if atom.form[0] == "log"]
        if len(logs) == 1 and logs[0][1] == 1 and not value.denominator:
            rest = tuple(item for item in monomial if item[0] is not logs[0][0])
            exponent = Rational(Polynomial({rest: coefficient}))
            (base,) = logs[0][0].arguments
            if exponent.constant is not None or self._in_steps(exponent):
                return self.power(base, exponent, context).bare()
        unit = Rational(
            Polynomial({monomial: Fraction(1, coefficient.denominator)}), value.denominator
        )
        atom = self.table.atom("exp", unit.key(), kind=unit.kind)
        atom.arguments = (unit.bare(),)
        return _signed_power(of_atom(atom), coefficient.numerator)

    # ------------------------------------------------------ other functions

    def cosine(self, value: Rational, context: Context) -> Rational:
        """Return the cosine, which an even function makes of either sign."""
        if value.constant == 0:
            return UNIT.under(*value.conditions)
        pi = self.table.atom("pi")
        turns = value.numerator.coefficients(pi)
        if not value.denominator and set(turns) == {1}:
            halves = turns[1].constant
            if halves is not None and (2 * halves).denominator == 1:
                quarter = int(2 * halves) % 4
                return constant((1, 0, -1, 0)[quarter]).under(*value.conditions)
        content, factors = value.key()
        atom = self.table.atom("cos", (abs(content), factors), kind=value.kind)
        return put(of_atom(atom).under(*value.conditions), context)

    def floor(self, value: Rational, context: Context) -> Rational:
        """Return the floor; whole numbers are taken out."""
        value, taken = _whole_quotients(value)
        if taken:
            return Rational(taken) + self.floor(value, context)
        whole, rest = Polynomial({}), value
        if not value.denominator:
            parts = {m: c for m, c in value.numerator.terms.items() if _is_whole(m, c)}
            whole = Polynomial(parts)
            rest = Rational(value.numerator - whole, (), value.conditions)
            offset = rest.numerator.terms.get((), Fraction(0)).__floor__()
            shift = Polynomial({(): Fraction(offset)}) if offset else Polynomial({})
            whole = whole + shift
            rest = Rational(rest.numerator - shift, (), value.conditions)
        if rest.constant is not None:
            return Rational(whole, (), value.conditions)
        atom = self.table.atom("floor", rest.key(), kind=rest.kind, whole=True)
        atom.arguments = (rest.bare(),)
        return (Rational(whole) + of_atom(atom)).under(*value.conditions)

    def modulo(self, a: Rational, b: Rational, context: Context) -> Rational:
        """Return a - b*floor(a/b)."""
        return a - b * self.floor(a * b.inverse(), context)

    def absolute(self, value: Rational, context: Context) -> Rational:
        """Return the absolute value."""
        return absolute(value, self.table, context)

    def sign(self, value: Rational, context: Context) -> Rational:
        """Return -1, 0 or 1."""
        known = sign_of(value, context)
        if len(known) == 1:
            return constant(next(iter(known))).under(*value.conditions)
        if context.splits:
            return constant(decided_sign(value, context)).under(*value.conditions)
        content, powers = value.factored()
        result = constant(1 if content > 0 else -1)
        for factor_, n in powers.items():
            if context.sign(factor_) == {1}:
                continue
            atom = self.table.atom("sign", factor_, kind=factor_.kind)
            result = result * of_atom(atom) ** (2 - abs(n) % 2)
        return put(result.under(*value.conditions), context)

    def maximum(self, values: Sequence[Rational], context: Context) -> Rational:
        """Return the largest; where that is not decided, an atom for it."""
        conditions = frozenset().union(*(value.conditions for value in values))
        left: list[Rational] = []
        for value in values:
            left = self._add_candidate(left, value.bare(), context)
        if len(left) == 1:
            return left[0].under(*conditions)
        if len(left) == 2 and not (left[0] + left[1]).numerator:
            return self.absolute(left[0], context).under(*conditions)
        by_key = {value.key(): value for value in left}
        atom = self.table.atom("max", frozenset(by_key), kind=_kind(*left))
        atom.arguments = tuple(by_key.values())
        return put(of_atom(atom).under(*conditions), context)

    def _add_candidate(
        self, left: list[Rational], value: Rational, context: Context
    ) -> list[Rational]:
        kept = []
        for other in left:
            difference = value - other
            sign = sign_of(difference, context)
            if 1 in sign and -1 in sign and context.splits:
                sign = frozenset({decided_sign(difference, context)})
            if 1 not in sign:
                return left
            if -1 in sign:
                kept.append(other)
        return [*kept, value]

    def minimum(self, values: Sequence[Rational], context: Context) -> Rational:
        """Return the smallest."""
        return -self.maximum([-value for value in values], context)


def _kind(*values: Rational) -> Kind:
    return join(value.kind for value in values)


def _signed_power(value: Rational, n: int) -> Rational:
    """Return value^n of a value that is known not to be zero where n < 0."""
    return (value**n).bare() if n >= 0 else (value**-n).inverse().bare()


def _is_whole(monomial: Monomial, coefficient: Fraction) -> bool:
    return coefficient.denominator == 1 and all(atom.whole for atom, _ in monomial)


def _whole_quotients(value: Rational) -> tuple[Rational, Polynomial]:
    """Part a quotient by what is one term: into the rest, and the sum of whole quotients."""
    below: dict[Atom, int] = {}
    for factor_, n in value.denominator:
        if factor_.constant is not None or len(factor_.terms) != 1:
            return value, Polynomial({})
        ((monomial, c),) = factor_.terms.items()
        if c != 1:
            return value, Polynomial({})
        below.update({atom: below.get(atom, 0) + m * n for atom, m in monomial})
    taken, left = {}, {}
    for monomial, c in value.numerator.terms.items():
        powers = {**dict.fromkeys(below, 0), **dict(monomial)}
        over = {atom: n - below.get(atom, 0) for atom, n in powers.items()}
        quotient = tuple((atom, n) for atom, n in over.items() if n)
        if below and all(n > 0 for _, n in quotient) and _is_whole(quotient, c):
            taken[quotient] = c
        else:
            left[monomial] = c
    rest = Polynomial(left)
    return Rational(rest, value.denominator if rest else (), value.conditions), Polynomial(taken)
