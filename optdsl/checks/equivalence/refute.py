"""The search for a counterexample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from optdsl.checks.equivalence.question import Question, expressions_of
from optdsl.checks.equivalence.race import Difference, Race
from optdsl.checks.equivalence.trials import SHAPES, Trial, entries_needed, trials
from optdsl.model.arithmetic import arithmetic
from optdsl.model.expressions import Number, walk

DIGITS = 50
_CONFIRMING_DIGITS = 120
_SHORT, _LONG = 5, 24  # steps of a trial
_LATEST = 1200  # the last step that one trial goes to, where a number asks for it
_MOST_EQUATIONS = 15_000  # that it may compute on the way
_KEPT = 14  # races that suggest maps between states


@dataclass(frozen=True)
class Refutation:
    """A counterexample, or how far none was found: the most steps, and at how many inputs."""

    steps: int = 0
    points: int = 0
    trial: Trial | None = None
    difference: Difference | None = None
    races: tuple[Race, ...] = ()


def first_look(question: Question) -> list[Trial]:
    """Return the inputs that are tried before a proof is sought: each shape of gradients."""
    return [*trials(question, _SHORT, SHAPES), *trials(question, _LONG, 1, seed=2)]


def second_look(question: Question) -> list[Trial]:
    """Return the inputs that are tried where the first look neither parts nor proves."""
    several = entries_needed(question.ours, question.theirs) > 1
    count, long_count = (24, 2) if several else (48, 4)
    if question.ours.family == "schedule":  # numbers alone: many steps cost little
        long_count = 60
    return [
        *trials(question, _SHORT, count, seed=4),
        *trials(question, _LONG, long_count, seed=5),
        *_late_trials(question),
    ]


def _late_trials(question: Question) -> Iterator[Trial]:
    """Yield a trial that goes past the numbers which a counter may be held against, if any."""
    systems = (question.ours, question.theirs)
    nodes = (node for system in systems for each in expressions_of(system) for node in walk(each))
    written = {node.value for node in nodes if isinstance(node, Number)}
    turns = {int(x) for x in written if x.denominator == 1 and _LONG <= x <= _LATEST}
    equations = sum(len(system.equations) for system in systems)
    if turns and max(turns) * equations <= _MOST_EQUATIONS:
        for trial in trials(question, max(turns) + 2, 1, seed=6, shapes=("constant",)):
            kept = tuple((name, series[:1] * len(series)) for name, series in trial.hypers)
            yield replace(trial, hypers=kept)


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
    longest = found.steps
    for candidate in planned:
        if difference is not None and (difference.t <= 1 or candidate.steps > _SHORT):
            break
        steps = candidate.steps if difference is None else difference.t - 1
        race = Race(question, candidate.shortened(steps), arithmetic(DIGITS)).run()
        points += race.ended != 1  # an open comparison in the first step shows nothing
        longest = max(longest, len(race.theirs))
        if len(races) < _KEPT:
            races = (*races, race)
        if race.difference is not None and confirmed(race):
            difference = race.difference
            trial = candidate.shortened(difference.t)
    steps = longest if trial is None else trial.steps
    return Refutation(steps, points, trial, difference, races)


def confirmed(race: Race) -> bool:
    """Do the systems part at the same step when computed to more digits?"""
    assert race.difference is not None
    again = Race(race.question, race.trial, arithmetic(_CONFIRMING_DIGITS)).run()
    return again.difference is not None and again.difference.t == race.difference.t
