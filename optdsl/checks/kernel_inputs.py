"""Random inputs for a compiled kernel, exact in every format that it is run in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

from optdsl.checks.equivalence.question import Question, speaks_of_rows
from optdsl.checks.equivalence.tensor_facts import facts_read
from optdsl.checks.equivalence.trials import (
    Trial,
    choices_for,
    entries_in,
    tensors_needed,
)
from optdsl.model.expressions import Apply, Expression, Number, Value, values
from optdsl.model.system import Domain, Hyperparameter, System

_WIDTH = 8
_STEPS = Fraction(7)  # where a number of steps must be given
_ZEROS = 0.1  # share of gradients that are zero


class Unfit(Exception):
    """Why a claim cannot be run on a kernel."""


@dataclass(frozen=True)
class Run:
    """The inputs of one run, and the hyperparameters as a kernel takes them."""

    trial: Trial
    hypers: Mapping[str, Any]


def random_runs(question: Question, steps: int, count: int, seed: int) -> list[Run]:
    """Return runs: first at default values, then at others that keep, then at moving ones.

    Raises:
        Unfit: where hyperparameters depend on what no kernel can be told.
    """
    if facts_read(question.ours) or facts_read(question.theirs):
        raise Unfit("it reads facts about a tensor, which documents do not tell")
    return [_run(question, steps, Random(f"{seed} {number}"), number) for number in range(count)]


def _run(question: Question, steps: int, random: Random, number: int) -> Run:
    series: dict[str, tuple[Fraction | bool, ...]] = {}
    still = {*question.constant, *_read_by_starts(question.ours)}
    for hyper in question.ours.hyperparameters:
        if hyper.name not in question.fixed:
            moves = number >= 2 and hyper.name not in still
            series[hyper.name] = _series(question, hyper, steps + 2, random, number, moves)
    fixed = {name: _fixed(value, series) for name, value in question.fixed.items()}
    hypers = {name: _source(values) for name, values in {**series, **fixed}.items()}
    for given in question.ours.handed_in:
        came = (True, *(random.random() < 0.7 for _ in range(steps + 1)))
        series[given.flag] = (False, *came[: steps + 1])
        series[given.name] = tuple(_float(random.uniform(0, 2)) for _ in range(steps + 2))
    layouts = tensors_needed(question.ours, question.theirs)
    tensors = layouts[number % len(layouts)]
    asks = max(1, len(question.ours.gradients))
    width = _WIDTH if entries_in(tensors) > 1 else _WIDTH - 1
    shaped = speaks_of_rows(question.ours) or speaks_of_rows(question.theirs)
    width = entries_in(tensors) if shaped else width
    trial = Trial(
        tuple(series.items()),
        tuple(_single(random, 0) for _ in range(width)),
        tuple(
            tuple(tuple(_single(random, _ZEROS) for _ in range(width)) for _ in range(asks))
            for _ in range(steps)
        ),
        tuple(tuple(abs(_single(random, 0)) for _ in range(asks)) for _ in range(steps)),
        tensors if shaped else (),
    )
    return Run(trial, hypers)


def _read_by_starts(system: System) -> set[str]:
    """Return what starts read: no document says at which step they would."""
    starts = (state.start for state in system.states if state.start is not None)
    return {value.name for start in starts for value in values(start)}


def _single(random: Random, zeros: float) -> Fraction:
    """Return a number that float32 holds, of any size that occurs in training."""
    import numpy as np

    if random.random() < zeros:
        return Fraction(0)
    return Fraction(float(np.float32(random.gauss(0, 1) * 10 ** random.uniform(-3, 1))))


def _float(value: float) -> Fraction:
    return Fraction(value)


def _series(
    question: Question,
    hyper: Hyperparameter,
    length: int,
    random: Random,
    number: int,
    moves: bool,
) -> tuple[Fraction | bool, ...]:
    default = _default(question, hyper)
    if isinstance(default, bool) or number == 0 or _whole(hyper):
        return (default,) * length
    chosen = [_near(default, hyper.domain or Domain(), random) for _ in range(length)]
    return tuple(chosen) if moves else (chosen[0],) * length


def _whole(hyper: Hyperparameter) -> bool:
    return hyper.domain is not None and hyper.domain.whole


def _near(default: Fraction, domain: Domain, random: Random) -> Fraction:
    """Return a number of the domain, not far from the default."""
    for _ in range(20):
        value = _float(float(default) * random.uniform(0.5, 1.1))
        if value in domain:
            return value
    return default


def _default(question: Question, hyper: Hyperparameter) -> Fraction | bool:
    match hyper.default:
        case Number(value):
            return _float(float(value))
        case Apply("neg", (Number(value),)):
            return -_float(float(value))
        case Value(name):
            return _default(question, question.ours.hyperparameter(name))
    if hyper.domain is not None and hyper.domain.whole and _STEPS in hyper.domain:
        return _STEPS
    choices = choices_for(question, hyper.name)
    return choices[min(1, len(choices) - 1)]


def _fixed(
    value: Expression, series: Mapping[str, tuple[Fraction | bool, ...]]
) -> tuple[Fraction | bool, ...]:
    match value:
        case Number(exact):
            length = max((len(each) for each in series.values()), default=1)
            return (exact,) * length
        case Value(name, _, 0) if name in series:
            return series[name]
    raise Unfit("it fixes a hyperparameter to a formula")


def _source(series: tuple[Fraction | bool, ...]) -> Any:
    """Return a hyperparameter for a kernel: a number, or a function of the step."""
    plain = [each if isinstance(each, bool) else float(each) for each in series]
    if len(set(plain)) == 1:
        return plain[0]
    return lambda t: plain[min(t, len(plain) - 1)]
