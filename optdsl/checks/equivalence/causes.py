"""The likely cause of a difference: one change after which there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from math import isfinite
from time import monotonic

from optdsl.checks.equivalence.edits import edits
from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.race import Race
from optdsl.checks.equivalence.trials import Trial, trials
from optdsl.model.arithmetic import Arithmetic, Real
from optdsl.model.evaluation import Step
from optdsl.model.expressions import number

_DIGITS = 30
_POINTS = 12


def likely_cause(question: Question, trial: Trial, seconds: float = 0.8) -> str | None:
    """Return words for a change that makes the systems agree, or None."""
    deadline = monotonic() + seconds
    steps = max(3, trial.steps + 1)
    if not _part_often(question, steps):
        return None
    for words, changed in _changes(question):
        if monotonic() > deadline:
            return None
        if _agree(changed, trial, steps):
            return words
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


def _part_often(question: Question, steps: int) -> bool:
    """Do the systems part on a third of the inputs, so that agreeing on all would say something?"""
    parted = 0
    for other in trials(question, steps, _POINTS, seed=3):
        parted += Race(question, other, Arithmetic(_DIGITS)).run().difference is not None
        if 3 * parted >= _POINTS:
            return True
    return False


def _agree(question: Question, trial: Trial, steps: int) -> bool:
    """Do the systems agree on many inputs, with outputs that are defined and change?"""
    moving = 0
    for other in trials(question, steps, _POINTS, seed=3):
        try:
            race = Race(question, other, Arithmetic(_DIGITS)).run()
        except (RecursionError, KeyError):  # the change made an equation read itself
            return False
        if race.difference is not None:
            return False
        moving += _moves(race)
    return moving > 1


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
