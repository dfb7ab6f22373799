"""Old values of states that move on between passes, kept where something later reads them."""

from __future__ import annotations

from dataclasses import replace

from optdsl.model.expressions import Expression, Kind, Value, transform, values
from optdsl.model.system import System
from optdsl.program.naming import Names
from optdsl.program.program import (
    Assignment,
    Combine,
    Guard,
    Load,
    Matrices,
    Pass,
    Scalars,
    Stage,
    Store,
    shaped_name,
)
from optdsl.program.streams import changed_states


def keep_old(system: System, stages: list[Stage]) -> list[Stage]:
    """Copy a state that moves on between passes, where its old value is read later."""
    names = Names({each.name for each in system.equations})
    for kind in Kind:
        if kind in (Kind.STEP, Kind.ENTRY):
            continue
        for state in changed_states(system, kind):
            old = Value(state.name, kind, -1)
            place = next(i for i, stage in enumerate(stages) if _moves(stage, state.name))
            later = stages[place + 1 :]
            behind = _behind(stages[place], state.name)
            if any(_reads(each, old) for each in (*behind, *later)):
                copy = Value(names.fresh(f"last_{state.name}"), kind)
                moved = _with_copy(stages[place], state.name, old, copy)
                stages = [*stages[:place], moved, *(_substituted(s, old, copy) for s in later)]
    return stages


def _moves(stage: Stage, name: str) -> bool:
    match stage:
        case Combine(assignments=assignments):
            return any(each.name == name for each in assignments)
        case Matrices(stores=stores):
            return any(each.stream == name for each in stores)
    return False


def _behind(stage: Stage, name: str) -> tuple[Assignment, ...]:
    """Return what a stage of numbers computes after it has moved a state on.

    One of matrices stores when all is computed.
    """
    if not isinstance(stage, Combine):
        return ()
    position = [each.name for each in stage.assignments].index(name)
    return stage.assignments[position + 1 :]


def _with_copy(stage: Stage, name: str, old: Value, copy: Value) -> Stage:
    kept = Assignment(copy.name, old, f"{name}[t-1]")
    if isinstance(stage, Matrices):
        loaded = Load(name, old)
        loads = stage.loads if loaded in stage.loads else (*stage.loads, loaded)
        stores = (Store(shaped_name(copy.name, copy.kind), copy), *stage.stores)
        return replace(stage, loads=loads, body=(kept, *stage.body), stores=stores)
    assert isinstance(stage, Combine)
    behind = _behind(stage, name)
    before = stage.assignments[: len(stage.assignments) - len(behind)]
    moved = tuple(_swapped(each, old, copy) for each in behind)
    return replace(stage, assignments=(*before[:-1], kept, before[-1], *moved))


def _reads(item: Stage | Assignment, old: Value) -> bool:
    loads = item.loads if isinstance(item, Matrices) else ()
    loads = item.vectors if isinstance(item, Pass) else loads
    return any(load.value == old for load in loads) or any(
        old in values(expression) for expression in expressions(item)
    )


def expressions(item: Stage | Assignment) -> list[Expression]:
    """Return every expression that a stage or an assignment evaluates."""
    match item:
        case Assignment(_, expression):
            return [expression]
        case Scalars(_, assignments) | Combine(_, _, assignments):
            return [each.expression for each in assignments]
        case Pass(body=body, reductions=reductions):
            reduced = [argument for each in reductions for argument in each.arguments]
            return [each.expression for each in body] + reduced
        case Matrices(body=body):
            return [each.expression for each in body]
        case Guard(_, condition):
            return [condition]
    return []


def _swapped(assignment: Assignment, old: Value, new: Value) -> Assignment:
    expression = transform(assignment.expression, lambda node: new if node == old else None)
    return replace(assignment, expression=expression)


def _substituted(stage: Stage, old: Value, new: Value) -> Stage:
    def swap(node: Expression) -> Expression | None:
        return new if node == old else None

    def reloaded(loads: tuple[Load, ...]) -> tuple[Load, ...]:
        kept = Load(shaped_name(new.name, new.kind), new)
        return tuple(kept if each.value == old else each for each in loads)

    match stage:
        case Combine(assignments=assignments):
            return replace(stage, assignments=tuple(_swapped(a, old, new) for a in assignments))
        case Matrices(loads=loads, body=body):
            moved = tuple(_swapped(each, old, new) for each in body)
            return replace(stage, loads=reloaded(loads), body=moved)
        case Pass(body=body, reductions=reductions, vectors=vectors):
            changed = tuple(
                replace(
                    each,
                    argument=transform(each.argument, swap),
                    other=None if each.other is None else transform(each.other, swap),
                )
                for each in reductions
            )
            moved = tuple(_swapped(each, old, new) for each in body)
            return replace(stage, body=moved, reductions=changed, vectors=reloaded(vectors))
        case Guard(_, condition):
            return replace(stage, condition=new if condition == old else condition)
    return stage
