"""The arrays that a rule reads and writes, and what is written to each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from optdsl.model.expressions import Expression, Kind, Matrix, Reduce, Value, values, walk
from optdsl.model.system import Equation, State, System
from optdsl.program.naming import Names

THETA_BEFORE = Value("theta", Kind.ENTRY, -1)


def changed_states(system: System, kind: Kind) -> tuple[State, ...]:
    """Return the states of this kind that a step changes."""
    equations = {each.name: each.value for each in system.equations}
    return tuple(
        state
        for state in system.states
        if state.kind is kind and equations.get(state.name, _old(state)) != _old(state)
    )


def _old(state: State) -> Value:
    return Value(state.name, state.kind, -1)


def works_on_matrices(value: Expression) -> bool:
    """Does `value` hold an operation on whole matrices?"""
    return any(isinstance(node, Matrix) for node in walk(value))


def sweeps(value: Expression) -> bool:
    """Is `value` a reduction of entries, which takes a pass over memory?"""
    return isinstance(value, Reduce) and value.over is Kind.ENTRY


def made_of_matrices(equation: Equation, written: Collection[str]) -> bool:
    """Is the value of `equation` made by no loop: of whole matrices, or a value a row or so?"""
    if equation.name in written or sweeps(equation.value):
        return False
    kind = equation.value.kind
    if kind is Kind.ENTRY:
        return works_on_matrices(equation.value)
    return not kind.is_number or isinstance(equation.value, Reduce)


def part_count(system: System) -> int:
    """Return how many parts have equations or a skip."""
    return max([system.parts, *(each.part + 1 for each in system.equations)])


def output_buffer(system: System) -> str | None:
    """Return the buffer that holds what a transform gives, or the recovered iterate."""
    if system.family == "schedule" or system.outputs == ("theta",):
        return None
    output = system.outputs[0]
    streams = {state.name for state in system.states} | {each.name for each in system.gradients}
    return f"given_{output}" if output in streams else output


def written_streams(system: System) -> dict[str, Value]:
    """Return what a step of `system` stores: states, points of gradients, theta or an output."""
    written = {state.name: Value(state.name, Kind.ENTRY) for state in
               changed_states(system, Kind.ENTRY)}  # fmt: skip
    for gradient in system.gradients:
        if gradient.point not in (None, THETA_BEFORE):
            assert isinstance(gradient.point, Value)
            written[gradient.point.name] = gradient.point
    buffer = output_buffer(system)
    if buffer is not None:
        written[buffer] = Value(buffer, Kind.ENTRY)
    elif any(equation.name == "theta" for equation in system.equations):
        written["theta"] = Value("theta", Kind.ENTRY)
    return written


def name_points(system: System) -> System:
    """Give the point of each gradient that is not taken at theta[t-1] an equation of its own."""
    names = Names(
        {each.name for each in system.equations} | {each.name for each in system.states}
        | {each.name for each in system.hyperparameters}
    )  # fmt: skip
    for gradient in system.gradients:
        if gradient.point in (None, THETA_BEFORE):
            continue
        assert gradient.point is not None
        point = Equation(names.fresh(f"point_{gradient.name}"), gradient.point, gradient.part)
        renamed = replace(gradient, point=Value(point.name, Kind.ENTRY))
        system = replace(
            system,
            equations=_inserted(system.equations, point),
            gradients=tuple(renamed if each is gradient else each for each in system.gradients),
        )
    return system


def name_output(system: System) -> System:
    """Give what a transform hands on an equation of its own where its name is a stream's."""
    buffer = output_buffer(system)
    if buffer is None or buffer == system.outputs[0]:
        return system
    last = system.parts - 1
    given = Equation(buffer, Value(system.outputs[0], Kind.ENTRY), last)
    return replace(system, equations=(*system.equations, given))


def _inserted(equations: tuple[Equation, ...], new: Equation) -> tuple[Equation, ...]:
    """Put `new` behind the last equation that it reads."""
    needed = {each.name for each in values(new.value) if each.offset == 0}
    place = max(
        (i + 1 for i, each in enumerate(equations) if each.name in needed or each.part < new.part),
        default=0,
    )
    return (*equations[:place], new, *equations[place:])


def drop_unused(system: System, numbers: bool = True, kept: frozenset[str] = frozenset()) -> System:
    """Return `system` with only the equations and gradients that what it stores depends on.

    Those that are `kept` stay too.
    """
    equations = {each.name: each.value for each in system.equations}
    points = {each.name: each.point for each in system.gradients}
    losses = system.losses
    live: set[str] = set()
    pending: list[Expression] = list(_roots(system, numbers))
    pending += [Value(each.name, each.kind) for each in system.equations if each.name in kept]
    while pending:
        for value in values(pending.pop()):
            if value.offset == 0 and value.name not in live:
                live.add(value.name)
                live.add(losses.get(value.name, value.name))
                gradient = losses.get(value.name, value.name)
                reads = (equations.get(value.name), points.get(gradient))
                pending += [read for read in reads if read is not None]
    return replace(
        system,
        equations=tuple(each for each in system.equations if each.name in live),
        gradients=tuple(each for each in system.gradients if each.name in live),
    )


def names_needed(system: System, expression: Expression) -> set[str]:
    """Return every name that `expression` depends on within a step of `system`."""
    equations = {each.name: each.value for each in system.equations}
    found: set[str] = set()
    pending = [expression]
    while pending:
        for value in values(pending.pop()):
            if value.name not in found:
                found.add(value.name)
                if value.offset == 0 and value.name in equations:
                    pending.append(equations[value.name])
    return found


def _roots(system: System, numbers: bool) -> list[Expression]:
    roots: list[Expression] = [skip.condition for skip in system.skips]
    buffer = output_buffer(system)
    if buffer is not None:
        roots.append(Value(buffer, Kind.ENTRY))
    else:
        roots += [Value(output, Kind.STEP) for output in system.outputs]
    if numbers:
        for kind in Kind:
            roots += [Value(each.name, kind) for each in changed_states(system, kind)]
    return roots
