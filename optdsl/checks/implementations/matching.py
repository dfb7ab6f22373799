"""Which hyperparameter of one is which of the other, and the values both are given.

Hyperparameters match by name, by alias, and by the spellings that libraries use for the same
thing. Nothing else is matched: what is left over keeps its default, and the report says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from optdsl.checks.implementations.courses import STEPS
from optdsl.checks.implementations.subject import NotRun, Parameter, Series, Setting, Subject
from optdsl.model.system import Domain

#: Spellings of the same thing.
_SPELLINGS = (
    ("lr", "learning_rate", "eta", "step_size"),
    ("betas[1]", "b1", "beta1", "beta_1"),
    ("betas[2]", "b2", "beta2", "beta_2"),
    ("betas[3]", "b3", "beta3", "beta_3"),
    ("eps", "epsilon"),
    ("weight_decay", "wd"),
    ("momentum", "beta", "mu"),
    ("alpha", "decay", "rho"),
    ("trust", "trust_coefficient"),
    ("d0", "estim_lr0"),
    ("threshold", "n_sma_threshold"),
)
_SAME = {name: spellings for spellings in _SPELLINGS for name in spellings}


@dataclass(frozen=True)
class Matching:
    """Pairs of hyperparameters that are the same, and those that only one side has."""

    pairs: tuple[tuple[Parameter, Parameter], ...]
    ours: tuple[Parameter, ...]
    theirs: tuple[Parameter, ...]


def match(ours: Subject, theirs: Subject, where: Mapping[str, str] | None = None) -> Matching:
    """Pair the hyperparameters of two subjects.

    Args:
        ours, theirs: the two.
        where: names of theirs, with the names of ours that they are.

    Raises:
        NotRun: `where` names what is not there.
    """
    pairs = [_said(ours, theirs, mine, other) for other, mine in (where or {}).items()]
    tests: tuple[Callable[[Parameter, Parameter], bool], ...] = (
        lambda a, b: a.name == b.name,
        lambda a, b: bool(set(a.names) & set(b.names)),
        lambda a, b: any(set(_SAME.get(name, ())) & set(b.names) for name in a.names),
    )
    for alike in tests:
        for mine in _left(ours, pairs, 0):
            other = next((b for b in _left(theirs, pairs, 1) if alike(mine, b)), None)
            if other is not None:
                pairs.append((mine, other))
    return Matching(tuple(pairs), tuple(_left(ours, pairs, 0)), tuple(_left(theirs, pairs, 1)))


def _left(subject: Subject, pairs: list[tuple[Parameter, Parameter]], side: int) -> list[Parameter]:
    taken = {pair[side].name for pair in pairs}
    return [each for each in subject.parameters if each.name not in taken]


def _said(ours: Subject, theirs: Subject, mine: str, other: str) -> tuple[Parameter, Parameter]:
    return _called(ours, mine), _called(theirs, other)


def _called(subject: Subject, name: str) -> Parameter:
    for parameter in subject.parameters:
        if name in parameter.names:
            return parameter
    known = ", ".join(f"`{parameter.name}`" for parameter in subject.parameters) or "none"
    raise NotRun(f"{subject.name} has no hyperparameter `{name}`: it has {known}")


# ---------------------------------------------------------------------- values


@dataclass(frozen=True)
class Point:
    """Settings of both sides where these are not their defaults; `values` holds all, by pair."""

    title: str
    ours: Mapping[str, Setting]
    theirs: Mapping[str, Setting]
    values: tuple[tuple[Parameter, Parameter, Setting], ...]


def points(matching: Matching) -> tuple[Point, Point, Point | None]:
    """Return settings: theirs by default, other values, and others while the step size moves.

    The last is None where neither step size moves.

    Raises:
        NotRun: a hyperparameter that only we have must be given.
    """
    without = [p.name for p in (*matching.ours, *matching.theirs) if p.needed]
    if without:
        raise NotRun(f"nothing says what {', '.join(f'`{name}`' for name in without)} should be")
    usual = [_default(mine, other) for mine, other in matching.pairs]
    others = [
        _other(mine, other, value)
        for (mine, other), value in zip(matching.pairs, usual, strict=True)
    ]
    moving: list[Setting] = [
        _moving(value) if mine.moves and other.moves else value
        for (mine, other), value in zip(matching.pairs, others, strict=True)
    ]
    last = None
    if any(isinstance(value, Series) for value in moving):
        last = _point("a step size that moves", matching, moving)
    return (
        _point("its defaults", matching, usual),
        _point("other values", matching, others),
        last,
    )


def _point(title: str, matching: Matching, values: list[Setting] | list[float]) -> Point:
    pairs = list(zip(matching.pairs, values, strict=True))
    return Point(
        title,
        {mine.name: value for (mine, _), value in pairs if value != mine.default},
        {other.name: value for (_, other), value in pairs if value != other.default},
        tuple((mine, other, value) for (mine, other), value in pairs),
    )


def _default(mine: Parameter, other: Parameter) -> float:
    """Return theirs, else ours; where neither has one, what is usual for such a thing."""
    for value in (other.default, mine.default):
        if value is not None and _fits(value, mine, other):
            return value
    for value in _candidates(mine, 0.01):
        if _fits(value, mine, other):
            return value
    raise NotRun(f"no value fits both `{mine.name}` and `{other.name}`")


def _other(mine: Parameter, other: Parameter, default: float) -> float:
    for value in _candidates(mine, default):
        if value != default and _fits(value, mine, other):
            return value
    return default


def _candidates(parameter: Parameter, default: float) -> Iterator[float]:
    domain = parameter.domain or Domain()
    names = {name for known in parameter.names for name in (known, *_SAME.get(known, ()))}
    if domain.whole:
        yield from (default + 1, 2.0, 3.0)
    if any(name.startswith("eps") for name in names):
        yield 1e-3
    if "lr" in names:
        yield from (0.02, 0.01)
    if domain.high == 1 or (parameter.domain is None and 0.5 <= default < 1):
        yield from (1 - 3 * (1 - default), 0.6, 0.3)
    yield from (3 * default, 0.1, default + 1, 0.5)


def _fits(value: float, mine: Parameter, other: Parameter) -> bool:
    domains = [p.domain for p in (mine, other) if p.domain is not None]
    return math.isfinite(value) and all(value in domain for domain in domains)


def _moving(value: float) -> Series:
    """Return a step size that goes up and down."""
    factors = (1.0, 0.5, 2.0, 1.5, 0.25)
    return Series(tuple(value * factors[step % len(factors)] for step in range(STEPS + 2)))
