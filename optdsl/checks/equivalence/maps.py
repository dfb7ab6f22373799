"""Finding what the states of one system are in terms of the other's.

Runs of both systems on the same inputs suggest the map: a state of theirs that
is always equal to one of ours, or to one times a product of hyperparameters.
Whatever is suggested here is proved elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import combinations, permutations
from math import isfinite

from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.race import Race
from optdsl.checks.equivalence.sides import derived_states
from optdsl.model.arithmetic import Real
from optdsl.model.expressions import Clock, Expression, Kind, Value, apply, number, values, walk

_CLOSE = 1e-9
_TELLING = 1e-6  # share of two numbers that their difference must be, to keep enough digits
_FEWEST = 6  # numbers that must suggest a map
_POWERS = (1.0, -1.0, 2.0, -2.0, 0.5, -0.5)


@dataclass(frozen=True)
class _Sample:
    """The numbers of one step of one run."""

    t: int
    hypers: Mapping[str, float]
    ours: Mapping[str, tuple[float, ...]]
    theirs: Mapping[str, tuple[float, ...]]


def find_maps(
    question: Question, races: Sequence[Race], *, hinted: bool = True
) -> dict[str, Expression]:
    """Return what the states of theirs are in our names, as far as runs suggest.

    Where `hinted`, what the claim says of a state of theirs is taken for its map;
    what it says of an output always is.
    """
    memories = {state.name for state in question.theirs.states}
    hints = {
        name: value
        for name, value in question.hints().items()
        if name in question.theirs.outputs or (hinted and name in memories)
    }
    outputs = dict(zip(question.theirs.outputs, question.ours.outputs, strict=True))
    maps: dict[str, Expression] = dict(hints)
    samples = list(_samples(question, races))
    kinds = {state.name: state.kind for state in question.ours.states}
    derived = set(derived_states(question.theirs))
    for state in question.theirs.states:
        name = state.name
        if name in maps or name in derived or name == "theta":
            continue
        if name in outputs:
            maps[name] = Value(outputs[name], kinds.get(outputs[name], state.kind))
            continue
        found = _find(name, question, samples, kinds)
        if found is not None:
            maps[name] = found
    return maps


def observed_ranges(races: Sequence[Race]) -> dict[str, tuple[float, float]]:
    """Return the smallest and the largest number that each state of ours was in some runs."""
    seen: dict[str, tuple[float, float]] = {}
    for race in races:
        for step in race.ours:
            for name, value in step.states.items():
                for entry in _floats(value):
                    low, high = seen.get(name, (entry, entry))
                    if isfinite(entry):
                        seen[name] = min(low, entry), max(high, entry)
    return seen


def _samples(question: Question, races: Sequence[Race]) -> Iterator[_Sample]:
    for race in races:
        series = dict(race.trial.hypers)
        for ours, theirs in zip(race.ours, race.theirs, strict=False):
            yield _Sample(
                t=ours.t,
                hypers={
                    name: float(values[min(ours.t, len(values) - 1)])
                    for name, values in series.items()
                },
                ours={name: _floats(value) for name, value in ours.states.items()},
                theirs={name: _floats(value) for name, value in theirs.states.items()},
            )


def _floats(value: object) -> tuple[float, ...]:
    entries = value if isinstance(value, tuple) else (value,)
    return tuple(_float(entry) for entry in entries)


def _float(value: object) -> float:
    if isinstance(value, bool):
        return float(value)
    try:
        return float(value.value) if isinstance(value, Real) else float("nan")
    except OverflowError:
        return float("inf")


def _find(
    name: str, question: Question, samples: list[_Sample], kinds: Mapping[str, Kind]
) -> Expression | None:
    names = sorted(kinds, key=lambda other: other != name)
    for other in names:
        pairs = list(_pairs(name, other, samples))
        if pairs and all(_near(a, b) for _, a, b in pairs):
            return Value(other, kinds[other])
    for other in names:
        pairs = [p for p in _pairs(name, other, samples) if all(p[0].hypers.values())]
        telling = [(s, a / b) for s, a, b in pairs if b and a]
        if len(telling) < 2 or any((a == 0) != (b == 0) for _, a, b in pairs):
            continue
        factor = _factor(list(_bases(question)), telling, 2)
        if factor is not None:
            return apply("mul", factor, Value(other, kinds[other]))
    return (
        _sum(name, samples, kinds)
        or _formula(name, question, samples)
        or _offset(name, question, samples, names, kinds)
    )


def _formula(name: str, question: Question, samples: list[_Sample]) -> Expression | None:
    """Return what a state is without any of ours: a*t + b, or a product of powers."""
    known = [(sample, a) for sample in samples for a in sample.theirs.get(name, ()) if isfinite(a)]
    if len(known) < _FEWEST:
        return None
    (first, low), (last, high) = (pick(known, key=lambda item: item[0].t) for pick in (min, max))
    if first.t != last.t:
        slope = Fraction((high - low) / (last.t - first.t)).limit_denominator(1000)
        begin = Fraction(low - float(slope) * first.t).limit_denominator(1000)
        if all(_near(a, float(slope) * sample.t + float(begin)) for sample, a in known):
            return apply("add", apply("mul", number(slope), Clock()), number(begin))
    telling = [(sample, a) for sample, a in known if all(sample.hypers.values())]
    if len(telling) < _FEWEST or not all(a for _, a in telling):
        return None
    return _factor([base for base in _bases(question) if base.of_time], telling, 2)


def _sum(name: str, samples: list[_Sample], kinds: Mapping[str, Kind]) -> Expression | None:
    """Return the sum or difference of two states of ours, theta among them, that a state is."""
    known = {**kinds, "theta": Kind.ENTRY}
    for left, right in permutations(known, 2):
        for operator, sign in (("add", 1.0), ("sub", -1.0)):
            if operator == "add" and left > right:
                continue
            near = [
                _near(a, x + sign * y)
                for sample in samples
                for a, x, y in zip(
                    sample.theirs.get(name, ()),
                    sample.ours.get(left, ()),
                    sample.ours.get(right, ()),
                    strict=False,
                )
                if isfinite(a) and isfinite(x + y)
            ]
            if len(near) >= _FEWEST and all(near):
                return apply(operator, Value(left, known[left]), Value(right, known[right]))
    return None


def _offset(
    name: str,
    question: Question,
    samples: list[_Sample],
    names: Sequence[str],
    kinds: Mapping[str, Kind],
) -> Expression | None:
    """Return a state of ours plus a product of powers of what is constant."""
    bases = [base for base in _bases(question) if base.names and base.names <= question.constant]
    for other in names if bases else ():
        pairs = [p for p in _pairs(name, other, samples) if all(p[0].hypers.values())]
        telling = [(s, a - b) for s, a, b in pairs if abs(a - b) > _TELLING * max(abs(a), abs(b))]
        if len(telling) >= _FEWEST:
            offset = _factor(bases, telling, 3)
            if offset is not None:
                return apply("add", Value(other, kinds[other]), offset)
    return None


def _pairs(
    theirs: str, ours: str, samples: list[_Sample]
) -> Iterator[tuple[_Sample, float, float]]:
    for sample in samples:
        for a, b in zip(sample.theirs.get(theirs, ()), sample.ours.get(ours, ()), strict=False):
            if isfinite(a) and isfinite(b):
                yield sample, a, b


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= _CLOSE * max(abs(a), abs(b))


def _factor(
    bases: Sequence[_Base], telling: list[tuple[_Sample, float]], most: int
) -> Expression | None:
    """Return a product of powers of `most` bases at most that all the numbers are."""
    single = [(base, p) for base in bases for p in _POWERS]
    for size in range(most + 1):
        for chosen in combinations(single, size):
            if len({id(base) for base, _ in chosen}) < size:
                continue
            scale = _scale(chosen, telling)
            if scale is not None:
                return _product(chosen, scale)
    return None


@dataclass(frozen=True, eq=False)
class _Base:
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

    def at(self, sample: _Sample) -> float:
        return _evaluate(self.expression, sample)


def _bases(question: Question) -> Iterator[_Base]:
    one = number(1)
    for name in question.our_hypers:
        hyper = Value(name, Kind.STEP)
        yield _Base(hyper)
        domain = question.domain(name)
        if domain.high == 1:
            yield _Base(apply("sub", one, hyper))
            yield _Base(apply("sub", one, apply("pow", hyper, Clock())))
            if question.is_constant(name):
                yield _Base(apply("pow", hyper, Clock()))
    yield _Base(Clock())


def _evaluate(expression: Expression, sample: _Sample) -> float:
    match expression:
        case Value(name):
            return sample.hypers.get(name, float("nan"))
        case Clock():
            return float(sample.t)
    from optdsl.model.expressions import Apply, Number

    if isinstance(expression, Number):
        return float(expression.value)
    assert isinstance(expression, Apply)
    a, b = (_evaluate(argument, sample) for argument in expression.arguments)
    return a - b if expression.operator == "sub" else float(a**b)


def _scale(
    chosen: Sequence[tuple[_Base, float]], telling: list[tuple[_Sample, float]]
) -> Fraction | None:
    """Return the number c where every ratio is c times the product, None where there is none."""
    found: float | None = None
    for sample, ratio in telling:
        product = 1.0
        for base, power in chosen:
            value = base.at(sample)
            product *= value**power if value > 0 else 0.0
        if product:
            if found is None:
                found = ratio / product
            elif not _near(found, ratio / product):
                return None
    if found is None or not isfinite(found):
        return None
    scale = Fraction(found).limit_denominator(1000)
    return scale if scale and _near(float(scale), found) else None


def _product(chosen: Sequence[tuple[_Base, float]], scale: Fraction) -> Expression:
    factors: list[Expression] = [] if abs(scale) == 1 and chosen else [number(abs(scale))]
    factors += [
        base.expression
        if power == 1
        else apply("pow", base.expression, number(Fraction(power).limit_denominator(2)))
        for base, power in chosen
    ]
    product = reduce(lambda a, b: apply("mul", a, b), factors)
    return apply("neg", product) if scale < 0 else product
