"""The reduction of a counterexample to a simple one."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import takewhile

from optdsl.checks.equivalence.effort import Effort
from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.race import Difference, Race
from optdsl.checks.equivalence.refute import DIGITS, Refutation, confirmed
from optdsl.checks.equivalence.tensor_facts import facts_read, possible_facts
from optdsl.checks.equivalence.trials import Trial, choices_for, entries_in
from optdsl.model.arithmetic import arithmetic
from optdsl.model.expressions import Fact

_EFFORT = 12_000
LONGEST = 100  # steps of a counterexample that is looked into
_SIMPLE = [Fraction(x) for x in ("0", "1", "-1", "1/2", "2", "-1/2", "-2", "3")]


def in_simple_inputs(question: Question, found: Refutation) -> Refutation:
    """Return a refutation with inputs made simpler, where a run does not take long."""
    assert found.trial is not None
    if found.trial.steps > LONGEST:
        return found
    trial, difference = simplified(question, found.trial)
    return replace(found, steps=trial.steps, trial=trial, difference=difference)


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
    """Yield trials that have fewer entries, or differ in one input, which is simpler."""
    yield from _smaller(trial)
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


def _smaller(trial: Trial) -> Iterator[Trial]:
    """Yield trials without one of the tensors, or without one of its rows, columns or entries."""
    begin = 0
    for index, shape in enumerate(trial.tensors):
        before, after = trial.tensors[:index], trial.tensors[index + 1 :]
        size = entries_in((shape,))
        if before or after:
            yield _without(trial, (*before, *after), range(begin, begin + size))
        if isinstance(shape, int):
            if shape > 1:
                yield _without(trial, (*before, shape - 1, *after), {begin + shape - 1})
        else:
            yield from _smaller_matrix(trial, index, begin, shape)
        begin += size


def _smaller_matrix(
    trial: Trial, index: int, begin: int, shape: tuple[int, int]
) -> Iterator[Trial]:
    rows, columns = shape
    before, after = trial.tensors[:index], trial.tensors[index + 1 :]
    end = begin + rows * columns
    if rows > 1:
        tensors = (*before, (rows - 1, columns), *after)
        yield _without(trial, tensors, range(end - columns, end))
    if columns > 1:
        tensors = (*before, (rows, columns - 1), *after)
        yield _without(trial, tensors, range(begin + columns - 1, end, columns))


def _without(
    trial: Trial, tensors: tuple[int | tuple[int, int], ...], left_out: Container[int]
) -> Trial:
    """Return the trial of fewer entries that are cut into `tensors`."""

    def kept(entries: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
        return tuple(entry for k, entry in enumerate(entries) if k not in left_out)

    gradients = tuple(tuple(map(kept, asks)) for asks in trial.gradients)
    return replace(trial, theta=kept(trial.theta), gradients=gradients, tensors=tensors)


def _simpler_hypers(question: Question, trial: Trial) -> Iterator[Trial]:
    facts = facts_read(question.ours) | facts_read(question.theirs)
    yield from _simpler_facts(facts, trial)
    for index, (name, series) in enumerate(trial.hypers):
        if name in facts:
            continue
        choices = [c for c in choices_for(question, name) if not isinstance(c, bool)]
        for candidate in _simpler_series(series, choices, question.is_constant(name)):
            hypers = (*trial.hypers[:index], (name, candidate), *trial.hypers[index + 1 :])
            yield replace(trial, hypers=hypers)


def _simpler_facts(facts: Mapping[str, Fact], trial: Trial) -> Iterator[Trial]:
    """Yield the trial of another tensor: what is known of one changes together."""
    given = {name: series[0] for name, series in trial.hypers if name in facts}
    for known in takewhile(lambda each: each != given, possible_facts(facts)):
        hypers = tuple((n, (known[n],) * len(s) if n in known else s) for n, s in trial.hypers)
        if known.get("ndim") != 0 or len(trial.theta) == 1:
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
