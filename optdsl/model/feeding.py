"""A schedule in place of a hyperparameter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from optdsl.diagnostics import Span
from optdsl.language import syntax
from optdsl.language.expression_format import format_expression
from optdsl.model.expressions import Clock, Expression, Kind, Value, number, transform, values
from optdsl.model.merging import (
    begun_late,
    everywhere,
    in_front,
    in_order,
    later,
    names_of,
    of_host,
    rename,
)
from optdsl.model.problems import Problems
from optdsl.model.system import Equation, Fed, System


def feed(
    system: System, name: str, schedule: System, problems: Problems, span: Span | None
) -> System:
    """Return `system` with what `schedule` gives in place of the hyperparameter `name`.

    Its hyperparameters take the place of that one. It counts the steps of the part that
    reads the value. What it takes to undo this is kept in `System.fed`.
    """
    fed = system.hyperparameter(name)
    schedule = _apart(later(schedule, fed.part), system, name)
    ahead: str | None = None
    text = _as_written(schedule)
    rest = tuple(h for h in system.hyperparameters if h.name != name)
    system = replace(system, hyperparameters=rest)
    if _reads(system, name, 1):
        if schedule.handed_in:
            problems.error(
                "looks-ahead",
                f"`{name}[t+1]` is not known at step t: `{schedule.name}` waits for its input",
                span,
            )
            return system
        schedule, ahead = _with_next(schedule, name)
        system = _swap(system, Value(name, Kind.STEP, 1), Value(ahead, Kind.STEP))
    record = Fed(
        hyperparameter=fed,
        names=frozenset(names_of(schedule) - {h.name for h in schedule.hyperparameters}),
        ahead=ahead,
        starts=tuple(_starts_from(system, name)),
        text=text,
    )
    system = _with_starts(system, name, schedule)
    whole = in_front(begun_late(schedule, fed.begins, fed.part), system)
    ordered, _ = in_order(whole.equations, whole.gradients)
    return replace(
        whole,
        fed=(*whole.fed, record),
        equations=tuple(sorted(ordered, key=lambda e: e.part)),
        source="\n\n".join(dict.fromkeys((system.source, schedule.source))),
    )


def _as_written(schedule: System) -> str:
    """Return a schedule as its author wrote it."""
    written = schedule.definition
    if written is None or not written.statements:
        return schedule.name
    last = written.statements[-1]
    return format_expression(last.value) if isinstance(last, syntax.Equation) else schedule.name


def _starts_from(system: System, name: str) -> Iterator[tuple[str, Expression]]:
    """Yield the starts that read the hyperparameter called `name`, by the state."""
    for state in system.states:
        if state.start is not None and any(v.name == name for v in values(state.start)):
            yield state.name, state.start


def _apart(schedule: System, system: System, name: str) -> System:
    """Return a schedule that gives `name`, and has no other name in common with `system`."""
    taken = names_of(system)
    changes = {}
    for own in sorted(names_of(schedule) - {schedule.outputs[0]} - of_host(schedule)):
        new = own
        while new in taken:
            new += "_"
        if new != own:
            changes[own] = new
    return rename(schedule, {**changes, schedule.outputs[0]: name})


def _reads(system: System, name: str, offset: int) -> bool:
    bodies = [equation.value for equation in system.equations]
    bodies += [asked.point for asked in system.gradients if asked.point is not None]
    return any(v.name == name and v.offset == offset for body in bodies for v in values(body))


def _swap(system: System, old: Value, new: Value) -> System:
    return everywhere(system, lambda node: new if node == old else None)


def _with_next(schedule: System, name: str) -> tuple[System, str]:
    """Return a schedule that also computes what it will give in the step to come."""
    states = {state.name for state in schedule.states}
    names = {e.name: f"next_{e.name}" for e in schedule.equations}
    hypers = {h.name for h in schedule.hyperparameters}

    def change(node: Expression) -> Expression | None:
        match node:
            case Clock(part, offset):
                return Clock(part, offset + 1)
            case Value(read, kind, -1) if read in states:
                return Value(read, kind)
            case Value(read, kind, 0) if read in names:
                return Value(names[read], kind)
            case Value(read, kind, 0) if read in hypers:
                return Value(read, kind, 1)
        return None

    later_on = [
        Equation(names[e.name], transform(e.value, change), e.part) for e in schedule.equations
    ]
    whole = replace(schedule, equations=(*schedule.equations, *later_on))
    return whole, names[name]


def _with_starts(system: System, name: str, schedule: System) -> System:
    """Put the first value of a schedule where the start of a state reads it."""
    first = first_value(schedule, Value(name, Kind.STEP))

    def change(node: Expression) -> Expression | None:
        return first if node == Value(name, Kind.STEP) else None

    return replace(
        system,
        states=tuple(
            s if s.start is None else replace(s, start=transform(s.start, change))
            for s in system.states
        ),
    )


def first_value(schedule: System, expression: Expression) -> Expression:
    """Return `expression` with what the equations of `schedule` give in the first step."""
    equations = {e.name: e.value for e in schedule.equations}
    starts = {s.name: s.start or number(0) for s in schedule.states}

    def change(node: Expression) -> Expression | None:
        match node:
            case Clock(_, offset):
                return number(1 + offset)
            case Value(read, _, -1) if read in starts:
                return starts[read]
            case Value(read, _, 0) if read in equations:
                return transform(equations[read], change)
        return None

    return transform(expression, change)
