"""The search for a counterexample, and its reduction to a simple one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from optdsl.checks.equivalence.effort import Effort
from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.race import Difference, Race
from optdsl.checks.equivalence.trials import Trial, choices_for, entries_needed, trials
from optdsl.model.arithmetic import arithmetic

DIGITS = 50
_CONFIRMING_DIGITS = 120
_SHORT, _LONG = 5, 24  # steps of a trial
_EFFORT = 12_000  # for simpler inputs
_KEPT = 14  # races that suggest maps between states
_SIMPLE = [Fraction(x) for x in ("0", "1", "-1", "1/2", "2", "-1/2", "-2", "3")]


@dataclass(frozen=True)
class Refutation:
    """A counterexample, or how far none was found."""

    steps: int = 0
    points: int = 0
    trial: Trial | None = None
    difference: Difference | None = None
    races: tuple[Race, ...] = ()


def first_look(question: Question) -> list[Trial]:
    """Return the inputs that are tried before a proof is sought: each shape of gradients."""
    count = 12 if _several(question) else 24
    return [*trials(question, _SHORT, count), *trials(question, _LONG, 1, seed=2)]


def second_look(question: Question) -> list[Trial]:
    """Return the inputs that are tried where the first look neither parts nor proves."""
    count, long_count = (24, 2) if _several(question) else (48, 4)
    if question.ours.family == "schedule":  # numbers alone: many steps cost little
        long_count = 60
    return [
        *trials(question, _SHORT, count, seed=4),
        *trials(question, _LONG, long_count, seed=5),
    ]


def _several(question: Question) -> bool:
    return entries_needed(question.ours, question.theirs) > 1


def refute(
    question: Question, planned: Sequence[Trial], earlier: Refutation | None = None
) -> Refutation:
    """Run the systems side by side on many inputs; report the earliest difference.

    Args:
        question: the two systems.
        planned: the inputs.
        earlier: what other inputs gave; a difference is only replaced by one at a smaller step.
    """
    found = earlier or Refutation()
    trial, difference, points, races = found.trial, found.difference, found.points, found.races
    for candidate in planned:
        if difference is not None and (difference.t <= 1 or candidate.steps > _SHORT):
            break
        steps = candidate.steps if difference is None else difference.t - 1
        race = Race(question, candidate.shortened(steps), arithmetic(DIGITS)).run()
        points += 1
        if len(races) < _KEPT:
            races = (*races, race)
        if race.difference is not None and confirmed(race):
            difference = race.difference
            trial = candidate.shortened(difference.t)
    steps = max(found.steps, *(t.steps for t in planned)) if trial is None else trial.steps
    return Refutation(steps, points, trial, difference, races)


def in_simple_inputs(question: Question, found: Refutation) -> Refutation:
    """Return a refutation with inputs made simpler."""
    assert found.trial is not None
    trial, difference = simplified(question, found.trial)
    return replace(found, steps=trial.steps, trial=trial, difference=difference)


def confirmed(race: Race) -> bool:
    """Do the systems part at the same step when computed to more digits?"""
    assert race.difference is not None
    again = Race(race.question, race.trial, arithmetic(_CONFIRMING_DIGITS)).run()
    return again.difference is not None and again.difference.t == race.difference.t


def simplified(question: Question, trial: Trial) -> tuple[Trial, Difference]:
    """Make the inputs of a counterexample simpler, as long as it remains one."""
    effort = Effort(_EFFORT)
    current, difference = _parted(question, trial)
    assert difference is not None
    improved = True
    while improved:
        improved = False
        for candidate in _simpler(question, current):
            if not effort.allows(question, candidate):
                return current, difference
            shorter, found = _parted(question, candidate)
            if found is not None and found.t <= difference.t:
                current, difference, improved = shorter, found, True
                break
    return current, difference


def _parted(question: Question, trial: Trial) -> tuple[Trial, Difference | None]:
    race = Race(question, trial, arithmetic(DIGITS)).run()
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
    for t, losses in enumerate(trial.losses):
        for k, value in enumerate(losses):
            for simple in _below(value, _SIMPLE):
                changed = (*losses[:k], simple, *losses[k + 1 :])
                yield replace(trial, losses=(*trial.losses[:t], changed, *trial.losses[t + 1 :]))


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
