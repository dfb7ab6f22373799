"""What a state of theirs may be in our names, as the numbers of some runs suggest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import permutations
from math import isfinite

from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.scales import Base, Sample, bases, near, scale_of
from optdsl.model.expressions import Clock, Expression, Kind, Value, apply, number

_TELLING = 1e-6  # share of two numbers that their difference must be, to keep enough digits
_ROUNDING = 1e-15  # what two numbers lose when they are subtracted, as a share of the larger
_FEWEST = 6  # numbers that must suggest a map
_HIGHEST = 3  # power of t in a formula


@dataclass(frozen=True)
class Guess:
    """The search for one state of theirs; `kinds` are those of our states."""

    name: str
    question: Question
    samples: Sequence[Sample]
    kinds: Mapping[str, Kind]

    def found(self) -> Expression | None:
        """Return the first that fits, the simplest first."""
        return (
            self._same()
            or self._scaled()
            or self._sum()
            or self._formula()
            or self._offset()
            or self._power()
            or self._sum_of_scaled()
        )

    @cached_property
    def _bases(self) -> list[Base]:
        return list(bases(self.question))

    @cached_property
    def _others(self) -> list[Value]:
        """Our states, the one of the same name first."""
        names = sorted(self.kinds, key=lambda other: other != self.name)
        return [Value(name, self.kinds[name]) for name in names]

    @cached_property
    def _with_theta(self) -> list[Value]:
        known = {**self.kinds, "theta": Kind.ENTRY}
        return [Value(name, kind) for name, kind in known.items()]

    def _numbers(self, *ours: Value) -> Iterator[tuple[Sample, list[float]]]:
        """Yield theirs and some of ours in every entry of every step, where they are finite."""
        for sample in self.samples:
            columns = (sample.ours.get(value.name, ()) for value in ours)
            for row in zip(sample.theirs.get(self.name, ()), *columns, strict=False):
                if all(map(isfinite, row)):
                    yield sample, list(row)

    def _telling(self, *ours: Value) -> Iterator[tuple[Sample, list[float]]]:
        return (item for item in self._numbers(*ours) if all(item[0].hypers.values()))

    # ------------------------------------------------------------ one of ours

    def _same(self) -> Expression | None:
        for other in self._others:
            rows = [row for _, row in self._numbers(other)]
            if rows and all(near(a, b) for a, b in rows):
                return other
        return None

    def _scaled(self) -> Expression | None:
        for other in self._others:
            rows = list(self._telling(other))
            telling = [(sample, a / b) for sample, (a, b) in rows if a and b]
            if len(telling) < 2 or any((a == 0) != (b == 0) for _, (a, b) in rows):
                continue
            factor = scale_of(self._bases, telling, 2)
            if factor is not None:
                return apply("mul", factor, other)
        return None

    def _power(self) -> Expression | None:
        """Return the square or the root of one of ours."""
        for other in self._others:
            rows = [row for _, row in self._numbers(other)]
            if len(rows) < _FEWEST or any(min(row) < 0 for row in rows):
                continue
            if all(near(a, b * b) for a, b in rows):
                return apply("pow", other, number(2))
            if all(near(a * a, b) for a, b in rows):
                return apply("sqrt", other)
        return None

    def _offset(self) -> Expression | None:
        """Return a state of ours plus a product of powers of what is constant."""
        constant = [b for b in self._bases if b.names and b.names <= self.question.constant]
        for other in self._others if constant else ():
            telling = [
                (sample, a - b)
                for sample, (a, b) in self._telling(other)
                if abs(a - b) > _TELLING * max(abs(a), abs(b))
            ]
            offset = scale_of(constant, telling, 3) if len(telling) >= _FEWEST else None
            if offset is not None:
                return apply("add", other, offset)
        return None

    # ------------------------------------------------------------ two of ours

    def _sum(self) -> Expression | None:
        """Return the sum or difference of two states of ours, theta among them."""
        for left, right in permutations(self._with_theta, 2):
            for operator, sign in (("add", 1.0), ("sub", -1.0)):
                if operator == "add" and left.name > right.name:
                    continue
                rows = [row for _, row in self._numbers(left, right)]
                if len(rows) >= _FEWEST and all(_is_sum(a, x, sign * y) for a, x, y in rows):
                    return apply(operator, left, right)
        return None

    def _sum_of_scaled(self) -> Expression | None:
        """Return `f*(x - y)` or `x + f*y`, of states and a product f of powers."""
        for left, right in permutations(self._with_theta, 2):
            rows = list(self._telling(left, right))
            apart = [
                (sample, a / (x - y))
                for sample, (a, x, y) in rows
                if a and abs(x - y) > _TELLING * max(abs(x), abs(y))
            ]
            if left.name < right.name and len(apart) >= _FEWEST:
                factor = scale_of(self._bases, apart, 2)
                if factor is not None:
                    return apply("mul", factor, apply("sub", left, right))
            added = [
                (sample, (a - x) / y)
                for sample, (a, x, y) in rows
                if y and abs(a - x) > _TELLING * max(abs(a), abs(x))
            ]
            factor = scale_of(self._bases, added, 3) if len(added) >= _FEWEST else None
            if factor is not None:
                return apply("add", left, apply("mul", factor, right))
        return None

    # ----------------------------------------------------------- none of ours

    def _formula(self) -> Expression | None:
        """Return what a state is without any of ours: a sum of powers of t, or a product."""
        known = [(sample, a) for sample, (a,) in self._numbers()]
        if len(known) < _FEWEST:
            return None
        for degree in range(1, _HIGHEST + 1):
            found = _of_time({sample.t: a for sample, a in known}, degree)
            if found and all(near(a, float(_at(found, sample.t))) for sample, a in known):
                return _as_expression(found)
        telling = [(sample, a) for sample, a in known if all(sample.hypers.values())]
        if len(telling) < _FEWEST or not all(a for _, a in telling):
            return None
        return scale_of([base for base in self._bases if base.of_time], telling, 2)


def _is_sum(a: float, x: float, y: float) -> bool:
    return near(a, x + y) or abs(a - (x + y)) <= _ROUNDING * max(abs(x), abs(y))


def _of_time(known: Mapping[int, float], degree: int) -> list[Fraction] | None:
    """Return the coefficients of the polynomial of t through the first numbers, by powers."""
    points = sorted(known.items())[: degree + 1]
    if len(points) <= degree:
        return None
    total = [Fraction(0)] * (degree + 1)
    for t, a in points:
        term = [Fraction(a).limit_denominator(1000)]
        for other, _ in points:
            if other != t:
                higher, lower = [Fraction(0), *term], [*term, Fraction(0)]
                pairs = zip(higher, lower, strict=True)
                term = [(high - other * low) / (t - other) for high, low in pairs]
        total = [x + y for x, y in zip(total, term, strict=True)]
    return total


def _at(coefficients: Sequence[Fraction], t: int) -> Fraction:
    return sum((c * t**n for n, c in enumerate(coefficients)), Fraction(0))


def _as_expression(coefficients: Sequence[Fraction]) -> Expression:
    total: Expression = number(coefficients[0])
    for n, c in enumerate(coefficients[1:], 1):
        power = apply("pow", Clock(), number(n)) if n > 1 else Clock()
        total = apply("add", apply("mul", number(c), power), total) if c else total
    return total
