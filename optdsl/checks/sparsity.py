"""Sparsity: may entries whose gradient is zero be left alone in a step?

They may, if a zero gradient changes neither theta nor any state of that entry, wherever the states
may be by then. That is proved for an arbitrary reachable state, and needs every value to be
defined. If it is not so, a run that leaves such entries alone parts from one that does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from optdsl.checks.equivalence.trials import Trial
from optdsl.checks.equivalence.words import value_text
from optdsl.checks.ranges.still import read_where_still
from optdsl.checks.runs import (
    first_difference,
    inputs_text,
    many_trials,
    plain_trials,
    run,
    same,
    scaled,
    turned,
    with_hypers,
)
from optdsl.checks.sparsity_proof import (
    WIDE,
    assuming_least,
    could_hold,
    kept,
    mixing_text,
    proof,
    written_out,
)
from optdsl.model.arithmetic import Scalar, real
from optdsl.model.evaluation import Entries, Machine, Step
from optdsl.model.expressions import Number, Value, number
from optdsl.model.system import System

_F = Fraction
_PATTERNS = (
    (_F(1), _F(0), _F(1)),
    (_F(1), _F(0), _F(0), _F(2)),
    (_F(1), _F(1), _F(0), _F(1)),
    (_F(1), _F(0), _F(-2, 5)),
    (_F(0), _F(1), _F(1)),
)


@dataclass(frozen=True)
class Parted:
    """A counterexample: inputs at which leaving an entry alone changes what follows.

    `changes` tells which state moves, or which output is not zero, under the zero gradient.
    """

    step: int
    what: str
    inputs: Mapping[str, str]
    full: str
    sparse: str
    changes: str | None


@dataclass(frozen=True)
class Sparsity:
    """May entries with a zero gradient be left alone?

    Args:
        verdict: "proved" (they may), "differs" (see `parted`), "not decided" or "not asked".
        provided: what the proof needs of hyperparameters, such as "epsilon > 0".
        reads: reductions that take in such entries all the same.
        where: a value of one hyperparameter with which they may, where they may not in general.
        parted: a counterexample.
    """

    verdict: Literal["proved", "differs", "not decided", "not asked"]
    provided: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    where: str | None = None
    parted: Parted | None = None


def find_sparsity(system: System) -> Sparsity:
    """Decide whether a system leaves entries with a zero gradient as they are.

    >>> from optdsl.library import load_system
    >>> find_sparsity(load_system("SGD")).verdict, find_sparsity(load_system("Adam")).verdict
    ('proved', 'differs')
    """
    if system.family == "schedule" or not system.gradients:
        return Sparsity("not asked")
    parted = _find_parting(system, plain_trials(system, _PATTERNS))
    if parted is None:
        proved = _proved(system)
        if proved is not None:
            return proved
        silent = (scaled(trial, _F(0)) for trial in plain_trials(system, _PATTERNS[:1]))
        parted = _find_parting(system, (*silent, *many_trials(system, 4, 30)))
    if parted is None:
        return Sparsity("not decided")
    return Sparsity("differs", where=_where(system), parted=parted)


def _proved(system: System) -> Sparsity | None:
    plain = written_out(system) if could_hold(system) else None
    found = None if plain is None else assuming_least(plain, proof)
    found = found or assuming_least(system, _proof_by_ranges)
    if found is None:
        return None
    names, reads = found
    return Sparsity("proved", tuple(f"{name} > 0" for name in names), reads)


def _proof_by_ranges(system: System) -> tuple[str, ...] | None:
    reads = read_where_still(system, kept(system))
    return None if reads is None else mixing_text(system, reads)


def _where(system: System) -> str | None:
    """Return a value of one hyperparameter with which zero gradients change nothing.

    Only rules without memory are asked: what a state remembers does not go for want of a gradient.
    """
    if any(state.kind in WIDE for state in system.memory) or not could_hold(system):
        return None
    for hyper in system.hyperparameters:
        for value in (_F(0), _F(1)):
            fixed = {hyper.name: number(value)}
            if hyper.domain is None or value not in hyper.domain:
                continue
            if proof(system, fixed) is not None and _listens(system, fixed):
                return f"{hyper.name} = {value}"
    return None


def _listens(system: System, fixed: Mapping[str, Number]) -> bool:
    """Does the gradient do anything where hyperparameters are fixed?"""
    values = {name: each.value for name, each in fixed.items()}
    for trial in plain_trials(system):
        there = with_hypers(trial, values)
        if first_difference(run(system, there), run(system, turned(there))) is not None:
            return True
    return False


# ------------------------------------------------------------- counterexample


def _find_parting(system: System, inputs: Iterable[Trial]) -> Parted | None:
    for trial in inputs:
        parted = _parting(system, trial)
        if parted is not None:
            return parted
    return None


def _parting(system: System, trial: Trial) -> Parted | None:
    moved: list[str] = []

    def leave_alone(machine: Machine, step: Step, before: Mapping[str, Entries]) -> Step:
        return _leave_alone(system, trial, machine, step, before, moved)

    if system.evaluation is not None and not isinstance(system.evaluation, Value):
        return None  # what is evaluated would have to be put together anew from what was put back
    found = first_difference(run(system, trial), run(system, trial, leave_alone))
    if found is None:
        return None
    step, what, full, sparse = found
    return Parted(
        step,
        what,
        inputs_text(system, trial.shortened(step)),
        value_text(full),
        value_text(sparse),
        moved[0] if moved else None,
    )


def _leave_alone(
    system: System,
    trial: Trial,
    machine: Machine,
    step: Step,
    before: Mapping[str, Entries],
    moved: list[str],
) -> Step:
    """Put back what a step made of entries whose gradient is zero; note in `moved` what it was."""
    asks = max(1, len(system.gradients))
    answers = trial.gradients[step.t - 1][:asks]
    idle = [i for i in range(len(trial.theta)) if not any(entries[i] for entries in answers)]
    outputs = dict(step.outputs)
    for name in kept(system):
        old, new = _wide(before[name], trial), _wide(machine.states[name], trial)
        left = tuple(old[i] if i in idle else x for i, x in enumerate(new))
        if not same(left, new):
            i = next(i for i in idle if not same(old[i], new[i]))
            change = f"{value_text(old[i])} becomes {value_text(new[i])}"
            moved.append(f"{name}: {change} in step {step.t}, where the gradient is 0")
        machine.states[name] = left
        if name in outputs:
            outputs[name] = left
    if isinstance(system.evaluation, Value):
        outputs["evaluate"] = machine.states[system.evaluation.name]
    for name in outputs if system.family == "transform" else ():
        value = outputs[name]
        if value is not None:
            given = _wide(value, trial)
            outputs[name] = tuple(real(0) if i in idle else x for i, x in enumerate(given))
    return replace(step, outputs=outputs)


def _wide(value: Entries, trial: Trial) -> tuple[Scalar, ...]:
    return value if isinstance(value, tuple) else (value,) * len(trial.theta)
