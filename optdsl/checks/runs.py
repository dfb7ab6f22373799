"""Runs of one system on chosen inputs, exact or to many digits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import cycle, islice

from optdsl.checks.equivalence.question import Question, speaks_of_rows
from optdsl.checks.equivalence.tensor_facts import facts_read
from optdsl.checks.equivalence.trials import (
    Trial,
    choices_for,
    entries_in,
    tensors_needed,
    trials,
)
from optdsl.checks.equivalence.words import number_text
from optdsl.model.arithmetic import UNDEFINED, Arithmetic, Real, Scalar, Undecided, real
from optdsl.model.evaluation import LOSS, Entries, Machine, Step
from optdsl.model.expressions import Number
from optdsl.model.system import System

DIGITS = 50
ARITHMETIC = Arithmetic(DIGITS)

#: Called with the machine before and after each step.
Hook = Callable[[Machine, Step, Mapping[str, Entries]], Step]


#: Gradients, step by step, of a tensor's first entry; the others have none that is zero.
Pattern = tuple[Fraction, ...]

_F = Fraction
_DEFAULTS: tuple[Fraction, ...] = ()
_SIMPLE = (
    (_F(1, 2), _F(1), _F(2), _F(3, 2), _F(0), _F(5)),
    (_F(1), _F(1, 2), _F(2), _F(3, 4), _F(0), _F(5)),
    (_F(9, 10), _F(1, 10), _F(3), _F(0), _F(7)),
    _DEFAULTS,
)
_PATTERNS: tuple[Pattern, ...] = (
    (_F(1), _F(1), _F(1)),
    (_F(2), _F(1), _F(-1)),
    (_F(1, 10), _F(-3), _F(1, 2)),
)
_OTHERS = (_F(2), _F(-1))


def plain_trials(system: System, patterns: Sequence[Pattern] = _PATTERNS) -> Iterator[Trial]:
    """Yield inputs of simple numbers: hyperparameters that keep their value, few gradients."""
    question = Question(system, system)
    tensors = tensors_needed(system)[0]
    width = entries_in(tensors) if speaks_of_rows(system) else min(3, entries_in(tensors))
    asks = max(1, len(system.gradients))
    names = [*question.our_hypers, *system.inputs, *system.flags, *sorted(facts_read(system))]
    for pattern in patterns:
        for pool in _SIMPLE:
            chosen = {name: _simple_value(question, name, pool) for name in names}
            yield Trial(
                tuple((name, (value,) * (len(pattern) + 2)) for name, value in chosen.items()),
                tuple(islice(cycle((_F(1), _F(2), _F(-1))), width)),
                tuple(
                    tuple(tuple(islice(cycle((g / (k + 1), *_OTHERS)), width)) for k in range(asks))
                    for g in pattern
                ),
                ((_F(1),) * asks,) * len(pattern) if system.losses else (),
                tensors if speaks_of_rows(system) else (),
            )  # fmt: skip


def _simple_value(question: Question, name: str, pool: Sequence[Fraction]) -> Fraction | bool:
    choices = choices_for(question, name)
    if True in choices and isinstance(choices[0], bool):
        return True
    if name in {hyper.name for hyper in question.ours.hyperparameters}:
        default = question.ours.hyperparameter(name).default
        if pool is _DEFAULTS and isinstance(default, Number):
            return default.value
        fitting = [x for x in pool if x in question.domain(name)]
        return fitting[0] if fitting else choices[0]
    return choices[0]


def many_trials(system: System, steps: int = 3, count: int = 22) -> Iterable[Trial]:
    """Yield inputs of all kinds, over the declared domains."""
    return trials(Question(system, system), steps, count)


def run(system: System, trial: Trial, hook: Hook | None = None) -> list[Step] | None:
    """Return the steps of a system on some inputs, None where rounding leaves a comparison open.

    A gradient that is asked for twice in a step at one point is the same. `hook` is given what
    the states were before each step, and may change the machine and what the step gave.
    """
    given: dict[str, tuple[Scalar, ...]] = {
        name: tuple(x if isinstance(x, bool) else real(x) for x in series)
        for name, series in trial.hypers
    }
    given |= _kept(system, given)

    def hyper(name: str, t: int) -> Scalar:
        return given[name][min(max(t, 0), len(given[name]) - 1)]

    machine = Machine(system, hyper, ARITHMETIC, trial.shapes)
    steps = []
    try:
        machine.start(tuple(real(x) for x in trial.theta))
        for t, entries in enumerate(trial.gradients):
            before = dict(machine.states)
            step = machine.step(_oracle(entries, trial.losses[t] if trial.losses else ()))
            steps.append(step if hook is None else hook(machine, step, before))
    except Undecided:
        return None
    return steps


def _oracle(
    answers: tuple[tuple[Fraction, ...], ...], losses: tuple[Fraction, ...]
) -> Callable[[int, str, tuple[Scalar, ...] | None], tuple[Scalar, ...]]:
    asked: list[tuple[Scalar, ...] | None] = []

    def answer(step: int, name: str, point: tuple[Scalar, ...] | None) -> tuple[Scalar, ...]:
        number = next((i for i, other in enumerate(asked) if _same_point(other, point)), len(asked))
        if number == len(asked):
            asked.append(point)
        if point is not None and UNDEFINED in point:  # nothing is known of what is nowhere
            return (UNDEFINED,) * (1 if name == LOSS else len(point))
        if name == LOSS:
            return (real(losses[min(number, len(losses) - 1)]),)
        return tuple(real(x) for x in answers[min(number, len(answers) - 1)])

    return answer


def _same_point(a: tuple[Scalar, ...] | None, b: tuple[Scalar, ...] | None) -> bool:
    return a is b if a is None or b is None else same(a, b)


def _kept(
    system: System, series: Mapping[str, tuple[Scalar, ...]]
) -> dict[str, tuple[Scalar, ...]]:
    """Return inputs as a step reads them: the last that came, undefined before the first."""
    kept = {}
    for handed in system.handed_in:
        values: list[Scalar] = [UNDEFINED]
        for value, came in zip(series[handed.name][1:], series[handed.flag][1:], strict=True):
            values.append(value if came is True else values[-1])
        kept[handed.name] = tuple(values)
    return kept


def same(a: Entries | None, b: Entries | None) -> bool:
    """Are two values equal, in every entry, as far as 50 digits tell?"""
    if a is None or b is None:
        return a is b
    left, right = (x if isinstance(x, tuple) else (x,) for x in (a, b))
    if len(left) != len(right):
        left, right = (x * max(len(left), len(right)) if len(x) == 1 else x for x in (left, right))
    return all(ARITHMETIC.same(x, y) for x, y in zip(left, right, strict=True))


def first_difference(
    one: Sequence[Step] | None, other: Sequence[Step] | None
) -> tuple[int, str, Entries | None, Entries | None] | None:
    """Return where two runs part: the step, the output, and both values; None where they do not."""
    for a, b in zip(one or (), other or (), strict=False):
        for name, value in a.outputs.items():
            if not same(value, b.outputs[name]):
                return a.t, f"{name}[{a.t}]", value, b.outputs[name]
    return None


def defined(value: Entries | None) -> bool:
    """Is every entry a number?"""
    return all(isinstance(x, Real) for x in (value if isinstance(value, tuple) else (value,)))


def turned(trial: Trial) -> Trial:
    """Return the trial with opposite gradients at the same loss."""
    return replace(scaled(trial, Fraction(-1)), losses=trial.losses)


def scaled(trial: Trial, factor: Fraction) -> Trial:
    """Return the trial with the loss, and so its gradients, multiplied by a number."""
    gradients = tuple(
        tuple(tuple(factor * g for g in entries) for entries in asks) for asks in trial.gradients
    )
    losses = tuple(tuple(factor * x for x in answers) for answers in trial.losses)
    return replace(trial, gradients=gradients, losses=losses)


def with_hypers(trial: Trial, values: Mapping[str, Fraction]) -> Trial:
    """Return the trial with some hyperparameters set for all steps."""
    hypers = tuple(
        (name, (values[name],) * len(series) if name in values else series)
        for name, series in trial.hypers
    )
    return replace(trial, hypers=hypers)


def inputs_text(system: System, trial: Trial) -> dict[str, str]:
    """Return the inputs by name, as text; hyperparameters with one value are given once."""
    words = {}
    for name, series in trial.hypers:
        if len(set(series)) == 1:
            words[name] = number_text(series[0])
        else:
            words |= {f"{name}[{t}]": number_text(x) for t, x in enumerate(series)}
    words["theta[0]"] = _entries(trial.theta)
    asks = max(1, len(system.gradients))
    for t, answers in enumerate(trial.gradients, 1):
        for k, entries in enumerate(answers[:asks], 1):
            request = f", request {k}" if asks > 1 else ""
            words[f"g[{t}]{request}"] = _entries(entries)
            if trial.losses and system.losses:
                words[f"loss[{t}]{request}"] = number_text(trial.losses[t - 1][k - 1])
    return words


def _entries(entries: tuple[Fraction, ...]) -> str:
    words = [number_text(entry) for entry in entries]
    return words[0] if len(words) == 1 else f"({', '.join(words)})"
