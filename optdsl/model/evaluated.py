"""The point at which a model is evaluated, told by what is kept after a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from optdsl.model.expressions import (
    Constant,
    Draw,
    Expression,
    Kind,
    Number,
    Step,
    Value,
    transform,
    walk,
)
from optdsl.model.system import Equation, State, System

THETA = Value("theta", Kind.ENTRY)


def with_known_evaluation(system: System) -> System:
    """Return `system` without an evaluation point that is theta[t] anyway."""
    return replace(system, evaluation=None) if system.evaluation == THETA else system


def not_kept(system: System) -> Iterator[str]:
    """Yield the values that the evaluation point reads and that no step keeps.

    Kept are theta, states, and numbers of t, hyperparameters and inputs.
    """
    kept = {state.name for state in system.states} | {"theta"}
    known = {h.name for h in system.hyperparameters} | {*system.inputs, *system.flags}
    for node in walk(_inlined(system)):
        match node:
            case Value(name, _, 0) if name in kept | known:
                pass
            case Value(name, _, 0):
                yield f"{name}[t]"
            case Value(name, _, offset):
                yield f"{name}[t{offset:+d}]"
            case Draw() | Step():
                yield "a draw" if isinstance(node, Draw) else f"{node.rule}(...)"


def keep_numbers(system: System) -> System:
    """Return `system` with a state for every number that only its evaluation point needs.

    The evaluation point then reads theta and states alone: it can be told after the step,
    whatever the hyperparameters are by then.
    """
    if system.evaluation is None:
        return system
    states = {state.name for state in system.states}
    taken = states | {each.name for each in system.equations}
    taken |= {each.name for each in system.hyperparameters} | set(system.inputs)
    part = system.equation("theta").part
    kept: dict[Expression, str] = {}

    def name_numbers(node: Expression) -> Expression | None:
        if node.kind is not Kind.STEP or isinstance(node, Number | Constant):
            return None
        if isinstance(node, Value) and node.name in states:
            return node
        if node not in kept:
            kept[node] = _fresh(taken)
        return Value(kept[node], Kind.STEP)

    point = transform(_inlined(system), name_numbers)
    return replace(
        system,
        states=(*system.states, *(State(n, Kind.STEP, None, part) for n in kept.values())),
        equations=(*system.equations, *(Equation(n, e, part) for e, n in kept.items())),
        evaluation=point,
    )


def _fresh(taken: set[str]) -> str:
    name = next(n for i in range(1, len(taken) + 2) if (n := f"evaluation_{i}") not in taken)
    taken.add(name)
    return name


def _inlined(system: System) -> Expression:
    """Write the evaluation point with nothing but theta, states, numbers, and what is not kept."""
    assert system.evaluation is not None
    states = {state.name for state in system.states} | {"theta"}
    equations = {each.name: each.value for each in system.equations if each.name not in states}

    def expand(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.offset == 0 and node.name in equations:
            return transform(equations[node.name], expand)
        return None

    return transform(system.evaluation, expand)
