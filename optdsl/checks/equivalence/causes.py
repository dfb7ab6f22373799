"""The likely cause of a difference: one change after which there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import isfinite

from optdsl.checks.equivalence.edits import edits
from optdsl.checks.equivalence.effort import Effort
from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.race import Race
from optdsl.checks.equivalence.trials import Trial, trials
from optdsl.model.arithmetic import Real, arithmetic
from optdsl.model.evaluation import Step
from optdsl.model.expressions import number

_DIGITS = 30
_POINTS = 12
_EFFORT = 16_000


def likely_cause(question: Question, trial: Trial) -> str | None:
    """Return words for a change that makes the systems agree, or None."""
    steps = max(3, trial.steps + 1)
    points = list(trials(question, steps, _POINTS, seed=3))
    if not _part_often(question, points):
        return None
    effort = Effort(_EFFORT)
    for words, changed in _changes(question):
        if _tells_nothing(question, changed, trial):
            continue
        same = changed.constant == question.constant and changed.fixed == question.fixed
        if same and not _agree_at(changed, trial, effort):
            continue
        others = points if same else trials(changed, steps, _POINTS, seed=3)
        if _agree(changed, others, effort):
            return words
        if effort.left < 0:
            return None
    return None


def _changes(question: Question) -> Iterator[tuple[str, Question]]:
    ours, theirs = question.ours, question.theirs
    free = [name for name in question.our_hypers if not question.is_constant(name)]
    for name in free:
        yield (
            f"they agree where {name} is constant",
            replace(question, constant=question.constant | {name}),
        )
    if len(free) > 1:
        everything = frozenset(question.our_hypers)
        yield "they agree where all is constant", replace(question, constant=everything)
    for words, system in edits(ours):
        yield f"{theirs.name} has {words}", replace(question, ours=system)
    for words, system in edits(theirs):
        yield f"{ours.name} has {words}", replace(question, theirs=system)
    for name in question.our_hypers:
        if question.domain(name).__contains__(Fraction(0)):
            fixed = {**question.fixed, name: number(0)}
            yield f"they agree at {name} = 0", replace(question, fixed=fixed)


def _tells_nothing(question: Question, changed: Question, trial: Trial) -> bool:
    """Do the inputs of the counterexample meet the condition of a change, which thus fails?"""
    series = dict(trial.hypers)
    constant = changed.constant - question.constant
    fixed = changed.fixed.keys() - question.fixed.keys()
    if not (constant or fixed):
        return False
    return all(len(set(series[name])) == 1 for name in constant) and all(
        set(series[name]) == {0} for name in fixed
    )


def _part_often(question: Question, points: Sequence[Trial]) -> bool:
    """Do the systems part on a third of the inputs, so that agreeing on all would say something?"""
    parted = 0
    for trial in points:
        parted += Race(question, trial, arithmetic(_DIGITS)).run().difference is not None
        if 3 * parted >= _POINTS:
            return True
    return False


def _agree_at(question: Question, trial: Trial, effort: Effort) -> bool:
    """Do the systems agree at the inputs of the counterexample?"""
    race = _race(question, trial, effort)
    return race is not None and race.difference is None


def _agree(question: Question, points: Iterable[Trial], effort: Effort) -> bool:
    """Do the systems agree on many inputs, with outputs that are defined and change?"""
    moving = 0
    for trial in points:
        race = _race(question, trial, effort)
        if race is None or race.difference is not None:
            return False
        moving += _moves(race)
    return moving > 1


def _race(question: Question, trial: Trial, effort: Effort) -> Race | None:
    """Run a race; None where the effort is spent, or a change made an equation read itself."""
    if not effort.allows(question, trial):
        return None
    try:
        return Race(question, trial, arithmetic(_DIGITS)).run()
    except (RecursionError, KeyError):
        return None


def _moves(race: Race) -> bool:
    """Is what the systems give defined, and not the same at every step?"""
    given = [_numbers(step) for step in race.ours]
    return len(set(given)) > 1 and all(isfinite(x) for x in given[-1])


def _numbers(step: Step) -> tuple[float, ...]:
    found = []
    for value in step.outputs.values():
        for entry in value if isinstance(value, tuple) else (value,):
            found.append(float(entry.value) if isinstance(entry, Real) else float("nan"))
    return tuple(found)
