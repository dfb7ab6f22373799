"""Invariance: is the step the same when the loss is multiplied by a number c > 0?

It is, if every value of a system is multiplied by a fixed power of c: theta and the points by the
power 0, gradients by 1, and each state by one that all equations and starts respect. By induction
over the steps that is a proof, whatever the gradients are. Where there are no such powers, runs
with g and with c*g give a counterexample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, combinations
from typing import Literal

from optdsl.checks.dimensions import Found, Reading, Unfamiliar, without_unit_first
from optdsl.checks.equivalence.trials import Trial
from optdsl.checks.equivalence.words import number_text, value_text
from optdsl.checks.linear import Equations, Form, Unit, powers, unknown
from optdsl.checks.runs import (
    defined,
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
from optdsl.model.expressions import Number, Value
from optdsl.model.system import INFINITY, Domain, System

_SCALE = powers(c=1)
_FACTORS = (Fraction(2), Fraction(10))

Power = Fraction


@dataclass(frozen=True)
class Scaling:
    """A proof: what everything is multiplied by when the loss is multiplied by c.

    Args:
        states: the power of c for each state.
        outputs: that for each output; 0 is unchanged.
        hyperparameters: those that must be multiplied along, and their powers; others stay.
        zero: hyperparameters that must be 0.
    """

    states: Mapping[str, Power]
    outputs: Mapping[str, Power]
    hyperparameters: Mapping[str, Power] = field(default_factory=dict)
    zero: tuple[str, ...] = ()

    @property
    def unchanged(self) -> bool:
        """Do all outputs stay as they are?"""
        return not any(self.outputs.values())


@dataclass(frozen=True)
class Changed:
    """A counterexample: inputs at which the step depends on the scale of the loss."""

    factor: str
    step: int
    what: str
    inputs: Mapping[str, str]
    before: str
    after: str


@dataclass(frozen=True)
class Invariance:
    """Does the scale of the loss matter?

    `verdict` is "proved" (it does not), "differs" (it does, see `changed`), "not decided" or "not
    asked" (of a schedule). `zero` is a proof with some hyperparameters at 0, `scaled` one
    with some multiplied along.
    """

    verdict: Literal["proved", "differs", "not decided", "not asked"]
    scaling: Scaling | None = None
    zero: Scaling | None = None
    scaled: Scaling | None = None
    changed: Changed | None = None


def find_invariance(system: System) -> Invariance:
    """Decide whether the scale of the loss matters to a system.

    >>> from optdsl.library import load_system
    >>> found = find_invariance(load_system("Adam"))
    >>> found.verdict, found.zero.zero, dict(found.scaled.hyperparameters)
    ('differs', ('epsilon',), {'epsilon': Fraction(1, 1)})
    """
    if system.family == "schedule" or not system.gradients:
        return Invariance("not asked")
    try:
        plain = _scaling(system)
        if plain is not None and plain.unchanged:
            return Invariance("proved", plain)
        able = [h.name for h in system.hyperparameters if _may_be_multiplied(h.domain)]
        along = _scaling(system, free=able)
        zero = _at_zero(system, along)
    except Unfamiliar:
        plain = along = zero = None
    changed = _find_change(system)
    verdict: Literal["differs", "not decided"] = "not decided" if changed is None else "differs"
    return Invariance(verdict, plain, zero, along, changed)


# ---------------------------------------------------------------------- proof


def _scaling(
    system: System, *, free: Sequence[str] = (), zero: Sequence[str] = ()
) -> Scaling | None:
    """Return powers of c that everything is multiplied by, or None where there are none.

    Hyperparameters in `free` may be multiplied along, those in `zero` are 0. Outputs of a
    transform may be multiplied, too, where they cannot stay.
    """

    def number(value: Number, beside: bool) -> Form:
        return Form()

    def hyper(value: Value, beside: bool) -> Found:
        if value.name in zero:
            return None
        return unknown(f"hyper {value.name}") if value.name in free else Form()

    bases: dict[str, Unit] = {"theta": {}, "loss": _SCALE, "g": _SCALE}
    equations = Equations()
    for demand in Reading(system, bases, number, hyper).read():
        if not equations.suppose(demand.a, demand.b):
            return None
    for output in system.outputs:
        equations.suppose(unknown(output), Form())
    for name in (each for each in without_unit_first(system) if each in free):
        equations.suppose(unknown(f"hyper {name}"), Form())
    return Scaling(
        {state.name: _power(equations, unknown(state.name)) for state in system.memory},
        {
            name: Fraction(0) if name == "theta" else _power(equations, unknown(name))
            for name in system.outputs
        },
        {name: power for name in free if (power := _power(equations, unknown(f"hyper {name}")))},
        tuple(zero),
    )


def _may_be_multiplied(domain: Domain | None) -> bool:
    """Does every positive multiple of a number of the domain lie in it?"""
    if domain is None:
        return True
    return not domain.whole and domain.low in (0, -INFINITY) and domain.high == INFINITY


def _power(equations: Equations, form: Form) -> Power:
    return equations.unit(form).get("c", Fraction(0))


def _at_zero(system: System, scaling: Scaling | None) -> Scaling | None:
    """Return a proof for the fewest hyperparameters at 0, if a step is left to speak of."""
    hypers = system.hyperparameters
    able = [
        hyper.name
        for hyper in hypers
        if (hyper.domain is None or 0 in hyper.domain)
        and (scaling is None or hyper.name in scaling.hyperparameters)
    ]
    for chosen in _smallest_first(able):
        found = _scaling(system, zero=chosen)
        if found is not None and found.unchanged and _moves(system, chosen):
            return found
    return None


def _smallest_first(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for size in range(1, min(len(names), 3) + 1):
        yield from combinations(names, size)


# ------------------------------------------------------------- counterexample


def _moves(system: System, zero: tuple[str, ...]) -> bool:
    """Does the gradient still do anything where hyperparameters are 0?"""
    for trial in chain(plain_trials(system), many_trials(system)):
        there = with_hypers(trial, dict.fromkeys(zero, Fraction(0)))
        left, right = run(system, there), run(system, turned(there))
        for a, b in zip(left or (), right or (), strict=False):
            for name in system.outputs:
                x, y = a.outputs[name], b.outputs[name]
                if defined(x) and defined(y) and not same(x, y):
                    return True
    return False


def _find_change(system: System) -> Changed | None:
    """Return the simplest of the inputs tried whose step depends on the scale."""
    for inputs in (plain_trials(system), many_trials(system)):
        tried = (_changed(system, trial, factor) for trial in inputs for factor in _FACTORS)
        simplest = min((each for each in tried if each is not None), key=_weight, default=None)
        if simplest is not None:
            return simplest
    return None


def _weight(changed: Changed) -> tuple[bool, int, int]:
    words = [*changed.inputs.values(), changed.before, changed.after]
    alike = changed.before == changed.after
    return alike or "undefined" in words, changed.step, sum(map(len, words))


def _changed(system: System, trial: Trial, factor: Fraction) -> Changed | None:
    found = first_difference(run(system, trial), run(system, scaled(trial, factor)))
    if found is None:
        return None
    step, what, before, after = found
    return Changed(
        number_text(factor),
        step,
        what,
        inputs_text(system, trial.shortened(step)),
        value_text(before),
        value_text(after),
    )
