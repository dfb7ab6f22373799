"""Schedules that count epochs instead of steps."""

from __future__ import annotations

from dataclasses import replace

from optdsl.model.expressions import Clock, Expression, Value, apply, number, transform, values
from optdsl.model.system import Equation, State, System


def in_epochs(system: System, steps: int) -> System:
    """Return a schedule whose t counts epochs of a number of steps.

    What reads the past is computed in the first step of an epoch and kept until the next.
    """
    before = apply("sub", Clock(), number(1))
    epoch = apply("add", apply("floor", apply("div", before, number(steps))), number(1))
    begins = apply("eq", apply("mod", before, number(steps)), number(0))
    past = _readers_of_the_past(system)

    def change(node: Expression) -> Expression | None:
        match node:
            case Clock(_, 0):
                return epoch
            case Clock(_, offset):
                return apply("add", epoch, number(offset))
        return None

    equations = []
    for equation in system.equations:
        value = transform(equation.value, change)
        if equation.name in past:
            value = apply("select", begins, value, Value(equation.name, equation.kind, -1))
        equations.append(replace(equation, value=value))
    known = {state.name for state in system.states}
    kept = [e for e in system.equations if e.name in past - known]
    return replace(
        system,
        hyperparameters=tuple(
            replace(h, default=None if h.default is None else transform(h.default, change))
            for h in system.hyperparameters
        ),
        states=(*system.states, *(State(e.name, e.kind, number(0)) for e in kept)),
        equations=tuple(equations),
        fed=(),  # what another schedule gives a schedule that counts epochs is part of it
    )


def _readers_of_the_past(system: System) -> set[str]:
    """Return the equations whose value depends on a state before the step."""
    found = {state.name for state in system.states}
    while True:
        more = {e.name for e in system.equations if _reads(e, found)}
        if more <= found:
            return found
        found |= more


def _reads(equation: Equation, names: set[str]) -> bool:
    return any(value.name in names or value.offset < 0 for value in values(equation.value))
