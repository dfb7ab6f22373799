"""Finding what the states of one system are in terms of the other's.

Runs of both systems on the same inputs suggest the map: a state of theirs that
is always equal to one of ours, or to one times a product of hyperparameters.
Whatever is suggested here is proved elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

from optdsl.checks.equivalence.guesses import Guess
from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.race import Race
from optdsl.checks.equivalence.scales import Sample
from optdsl.checks.equivalence.sides import derived_states
from optdsl.model.arithmetic import Real
from optdsl.model.expressions import Expression, Value

_TELLING = 1e-6  # share of two numbers that their difference must be, to keep enough digits
_FEWEST = 6  # numbers that must suggest a map


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
        found = Guess(name, question, samples, kinds).found()
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


def _samples(question: Question, races: Sequence[Race]) -> Iterator[Sample]:
    for race in races:
        series = dict(race.trial.hypers)
        for ours, theirs in zip(race.ours, race.theirs, strict=False):
            yield Sample(
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
