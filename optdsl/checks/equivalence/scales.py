"""Products of powers of hyperparameters and t, by which one state is another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import combinations
from math import isfinite, prod

from optdsl.checks.equivalence.question import Question
from optdsl.model.expressions import (
    Apply,
    Clock,
    Expression,
    Kind,
    Number,
    Value,
    apply,
    number,
    values,
    walk,
)

_CLOSE = 1e-9
_POWERS = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
_SIMPLE_POWERS = (1.0, -1.0)  # where three are tried together


@dataclass(frozen=True)
class Sample:
    """The numbers of one step of one run."""

    t: int
    hypers: Mapping[str, float]
    ours: Mapping[str, tuple[float, ...]]
    theirs: Mapping[str, tuple[float, ...]]


def near(a: float, b: float) -> bool:
    """Are two numbers the same but for rounding?"""
    return abs(a - b) <= _CLOSE * max(abs(a), abs(b))


def scale_of(
    among: Sequence[Base], telling: Sequence[tuple[Sample, float]], most: int
) -> Expression | None:
    """Return a product of powers of `most` bases at most that all the numbers are."""
    head = telling[:2]
    for size in range(most + 1):
        powers_tried = _POWERS if size < 3 else _SIMPLE_POWERS
        single = [(base, p) for base in among for p in powers_tried]
        begun = [tuple(_power(base, p, sample) for sample, _ in head) for base, p in single]
        for chosen in combinations(range(len(single)), size):
            if len({id(single[i][0]) for i in chosen}) < size:
                continue
            x, y = (prod(begun[i][k] for i in chosen) for k in (0, -1))
            if x and y and not near(head[0][1] * y, head[-1][1] * x):
                continue
            powers = [single[i] for i in chosen]
            scale = _scale(powers, telling)
            if scale is not None:
                return _product(powers, scale)
    return None


@dataclass(frozen=True, eq=False)
class Base:
    """Something that a state may be scaled by."""

    expression: Expression

    @property
    def names(self) -> frozenset[str]:
        """The hyperparameters that it reads."""
        return frozenset(value.name for value in values(self.expression))

    @property
    def of_time(self) -> bool:
        """Does it read t?"""
        return any(isinstance(node, Clock) for node in walk(self.expression))

    def at(self, sample: Sample) -> float:
        """Return its number in one step of one run."""
        return _evaluate(self.expression, sample)


def bases(question: Question) -> Iterator[Base]:
    """Yield what states may be scaled by: hyperparameters, what they leave of 1, and t."""
    one = number(1)
    for name in question.our_hypers:
        hyper = Value(name, Kind.STEP)
        yield Base(hyper)
        domain = question.domain(name)
        if domain.high == 1:
            yield Base(apply("sub", one, hyper))
            yield Base(apply("sub", one, apply("pow", hyper, Clock())))
            if question.is_constant(name):
                yield Base(apply("pow", hyper, Clock()))
    yield Base(Clock())
    yield Base(apply("add", Clock(), one))


def _evaluate(expression: Expression, sample: Sample) -> float:
    match expression:
        case Value(name):
            return sample.hypers.get(name, float("nan"))
        case Clock():
            return float(sample.t)
    if isinstance(expression, Number):
        return float(expression.value)
    assert isinstance(expression, Apply)
    a, b = (_evaluate(argument, sample) for argument in expression.arguments)
    match expression.operator:
        case "add":
            return a + b
        case "sub":
            return a - b
    return float(a**b)


def _power(base: Base, power: float, sample: Sample) -> float:
    value = base.at(sample)
    return value**power if value > 0 else 0.0


def _scale(
    chosen: Sequence[tuple[Base, float]], telling: Sequence[tuple[Sample, float]]
) -> Fraction | None:
    """Return the number c where every ratio is c times the product, None where there is none."""
    found: float | None = None
    for sample, ratio in telling:
        product = 1.0
        for base, power in chosen:
            product *= _power(base, power, sample)
        if product:
            if found is None:
                found = ratio / product
            elif not near(found, ratio / product):
                return None
    if found is None or not isfinite(found):
        return None
    scale = Fraction(found).limit_denominator(1000)
    return scale if scale and near(float(scale), found) else None


def _product(chosen: Sequence[tuple[Base, float]], scale: Fraction) -> Expression:
    factors: list[Expression] = [] if abs(scale) == 1 and chosen else [number(abs(scale))]
    factors += [
        base.expression
        if power == 1
        else apply("pow", base.expression, number(Fraction(power).limit_denominator(2)))
        for base, power in chosen
    ]
    product = reduce(lambda a, b: apply("mul", a, b), factors)
    return apply("neg", product) if scale < 0 else product
