"""The search for a counterexample, and its reduction to a simple one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from time import monotonic

from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.race import Difference, Race
from optdsl.checks.equivalence.trials import Trial, choices_for, entries_needed, trials
from optdsl.model.arithmetic import Arithmetic

DIGITS = 50
_CONFIRMING_DIGITS = 120
_SIMPLE = [Fraction(x) for x in ("0", "1", "-1", "1/2", "2", "-1/2", "-2", "3")]


@dataclass(frozen=True)
class Refutation:
    """A counterexample, or how far none was found."""

    steps: int
    points: int
    trial: Trial | None = None
    difference: Difference | None = None
    races: tuple[Race, ...] = ()


def refute(
    question: Question,
    *,
    short: int = 5,
    count: int | None = None,
    long: int = 24,
    long_count: int | None = None,
) -> Refutation:
    """Run the systems side by side on many inputs; report the earliest difference.

    Args:
        question: the two systems.
        short: steps of most trials.
        count: how many of these; fewer where a tensor needs several entries.
        long: steps of the few long ones.
        long_count: how many of these.
    """
    several = entries_needed(question.ours, question.theirs) > 1
    count = count or (33 if several else 66)
    long_count = long_count or (2 if several else 4)
    races: list[Race] = []
    best: tuple[Trial, Difference] | None = None
    planned = [*trials(question, short, count), *trials(question, long, long_count, seed=2)]
    points = 0
    for trial in planned:
        if best is not None and (best[1].t <= 1 or trial.steps > short):
            break
        steps = trial.steps if best is None else min(trial.steps, best[1].t)
        race = Race(question, trial.shortened(steps), Arithmetic(DIGITS)).run()
        points += 1
        if len(races) < 14:
            races.append(race)
        found = race.difference
        if found is not None and (best is None or found.t < best[1].t) and confirmed(race):
            best = trial.shortened(found.t), found
    if best is None:
        return Refutation(max(t.steps for t in planned), points, races=tuple(races))
    trial, difference = simplified(question, best[0])
    return Refutation(trial.steps, points, trial, difference, tuple(races))


def confirmed(race: Race) -> bool:
    """Do the systems part at the same step when computed to more digits?"""
    assert race.difference is not None
    again = Race(race.question, race.trial, Arithmetic(_CONFIRMING_DIGITS)).run()
    return again.difference is not None and again.difference.t == race.difference.t


def simplified(question: Question, trial: Trial, seconds: float = 0.6) -> tuple[Trial, Difference]:
    """Make the inputs of a counterexample simpler, as long as it remains one."""
    deadline = monotonic() + seconds
    current, difference = _parted(question, trial)
    assert difference is not None
    improved = True
    while improved and monotonic() < deadline:
        improved = False
        for candidate in _simpler(question, current):
            if monotonic() > deadline:
                break
            shorter, found = _parted(question, candidate)
            if found is not None and found.t <= difference.t:
                current, difference, improved = shorter, found, True
                break
    return current, difference


def _parted(question: Question, trial: Trial) -> tuple[Trial, Difference | None]:
    race = Race(question, trial, Arithmetic(DIGITS)).run()
    if race.difference is None or not confirmed(race):
        return trial, None
    return trial.shortened(max(1, race.difference.t)), race.difference


def _simpler(question: Question, trial: Trial) -> Iterator[Trial]:
    """Yield trials that differ in one input, which is simpler."""
    yield from _simpler_hypers(question, trial)
    for index, value in enumerate(trial.theta):
        for simple in _below(value, _SIMPLE):
            theta = (*trial.theta[:index], simple, *trial.theta[index + 1 :])
            yield replace(trial, theta=theta)
    for t, asks in enumerate(trial.gradients):
        for k, entries in enumerate(asks):
            for index, value in enumerate(entries):
                for simple in _below(value, [Fraction(1), *_SIMPLE]):
                    changed = (*entries[:index], simple, *entries[index + 1 :])
                    new = (*asks[:k], changed, *asks[k + 1 :])
                    gradients = (*trial.gradients[:t], new, *trial.gradients[t + 1 :])
                    yield replace(trial, gradients=gradients)


def _simpler_hypers(question: Question, trial: Trial) -> Iterator[Trial]:
    for index, (name, series) in enumerate(trial.hypers):
        choices = [c for c in choices_for(question, name) if not isinstance(c, bool)]
        for candidate in _simpler_series(series, choices, question.is_constant(name)):
            hypers = (*trial.hypers[:index], (name, candidate), *trial.hypers[index + 1 :])
            yield replace(trial, hypers=hypers)


def _simpler_series(
    series: tuple[Fraction | bool, ...], choices: list[Fraction], constant: bool
) -> Iterator[tuple[Fraction | bool, ...]]:
    ordered = sorted(choices, key=_weight)
    if len(set(series)) == 1:
        yield from ((c,) * len(series) for c in _below(series[0], ordered))
        return
    yield from ((c,) * len(series) for c in ordered)
    if not constant:
        for t, value in enumerate(series):
            for c in _below(value, ordered):
                yield (*series[:t], c, *series[t + 1 :])


def _weight(value: Fraction) -> tuple[bool, int, bool]:
    """Simple numbers first; zero hides most, so it comes last."""
    return value == 0, abs(value.numerator) + value.denominator, value < 0


def _below(value: Fraction | bool, candidates: list[Fraction]) -> list[Fraction]:
    if isinstance(value, bool):
        return []
    return [c for c in candidates if _weight(c) < _weight(value)]
