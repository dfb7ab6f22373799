"""Systems that differ from a given one by one small change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from optdsl.model.arithmetic import Undecided, real
from optdsl.model.evaluation import Machine
from optdsl.model.expressions import (
    Apply,
    Clock,
    Draw,
    Expression,
    Kind,
    Matrix,
    Number,
    Value,
    apply,
    children,
    number,
)
from optdsl.model.system import System

_OTHERS = {
    "add": ["sub", "max", "mul"],
    "sub": ["add", "min"],
    "mul": ["div", "add"],
    "div": ["mul"],
    "max": ["min", "add"],
    "min": ["max"],
    "gt": ["ge", "lt"],
    "ge": ["gt", "le"],
}


def mutants(system: System) -> Iterator[tuple[str, System]]:
    """Yield words and a system for every small change of every node."""
    names = [h.name for h in system.hyperparameters]
    states = {state.name: state.kind for state in system.states}
    for index, equation in enumerate(system.equations):
        for words, value in _changes(equation.value, names, states, equation.name):
            if equation.kind.is_matrix and value.kind is not equation.kind:
                continue
            equations = list(system.equations)
            equations[index] = replace(equation, value=value)
            changed = replace(system, equations=tuple(equations))
            if _computable(changed):
                yield f"{equation.name}: {words}", changed
    for index, state in enumerate(system.states):
        if state.start is not None:
            changed_states = list(system.states)
            changed_states[index] = replace(state, start=apply("add", state.start, number(1)))
            yield f"{state.name}[0] one larger", replace(system, states=tuple(changed_states))
    for index, asked in enumerate(system.gradients):
        if asked.point is not None:
            for words, point in _changes(asked.point, names, states, asked.name):
                gradients = list(system.gradients)
                gradients[index] = replace(asked, point=point)
                changed = replace(system, gradients=tuple(gradients))
                if _computable(changed):
                    yield f"point: {words}", changed


def _changes(
    expression: Expression, names: list[str], states: dict[str, Kind], own: str
) -> Iterator[tuple[str, Expression]]:
    yield from _here(expression, names, states, own)
    for index, child in enumerate(children(expression)):
        shaped = isinstance(expression, Matrix) or child.kind.is_matrix
        for words, new in _changes(child, names, states, own):
            if not shaped or new.kind is child.kind:
                yield words, _with_child(expression, index, new)


def _with_child(expression: Expression, index: int, new: Expression) -> Expression:
    if isinstance(expression, Apply):
        arguments = list(expression.arguments)
        arguments[index] = new
        return apply(expression.operator, *arguments)
    if isinstance(expression, Matrix):
        arguments = list(expression.arguments)
        arguments[index] = new
        return replace(expression, arguments=tuple(arguments))
    if isinstance(expression, Draw):
        return replace(expression, step=new)
    return replace(expression, **{("argument", "other")[index]: new})  # type: ignore[arg-type]


def _here(
    node: Expression, names: list[str], states: dict[str, Kind], own: str
) -> Iterator[tuple[str, Expression]]:
    match node:
        case Apply("sqrt", (Apply("add", (x, y)),)):
            yield "second term out of the root", apply("add", apply("sqrt", x), y)
            yield "no root", apply("add", x, y)
        case Apply("add", (Apply("sqrt", (x,)), y)):
            yield "second term into the root", apply("sqrt", apply("add", x, y))
        case Apply("sqrt", (Apply("div", (x, y)),)):
            yield "the divisor out of the root", apply("div", apply("sqrt", x), y)
            yield "no root", apply("div", x, y)
        case Apply("sqrt", (x,)):
            yield "no root", x
        case Apply("max" | "min" as operator, (x, Apply("div", (y, z)))):
            yield "the division after it", apply("div", apply(operator, x, y), z)
        case Apply("div", (Apply("max" | "min" as operator, (x, y)), z)):
            yield "the division within it", apply(operator, x, apply("div", y, z))
        case Apply("neg", (x,)):
            yield "no sign", x
        case Apply("select", (condition, x, y)):
            yield "branches swapped", apply("select", condition, y, x)
        case Apply("pow", (x, y)):
            yield "power one higher", apply("pow", x, apply("add", y, number(1)))
        case Value(name, kind, 0) if name in states and name != own:
            yield f"{name} of the step before", Value(name, kind, -1)
        case Value(name, kind, -1) if name in states:
            yield f"{name} twice", apply("mul", number(2), node)
        case Value(name, kind, 0) if name in names:
            for other in names:
                if other != name:
                    yield f"{other} for {name}", Value(other, kind)
            yield f"1 - {name} for {name}", apply("sub", number(1), node)
        case Clock():
            yield "t - 1 for t", Clock(0, -1)
            yield "t + 1 for t", Clock(0, 1)
        case Number(value):
            yield "a number one larger", number(value + 1)
            if value:
                yield "a number halved", number(value / 2)
    if isinstance(node, Apply):
        for other in _OTHERS.get(node.operator, []):
            yield f"{other} for {node.operator}", apply(other, *node.arguments)
        if node.operator in ("mul", "div", "add", "sub"):
            yield f"the right side of {node.operator} dropped", node.arguments[0]
        if node.operator in ("mul", "add"):
            yield f"the left side of {node.operator} dropped", node.arguments[1]


def _computable(system: System) -> bool:
    """Can its equations be computed without running in a circle?"""
    machine = Machine(system, lambda name, t: name.startswith("given(") or real(1))
    machine.start((real(1), real(2)))
    try:
        machine.step(lambda t, name, point: (real(1), real(-1)))
    except RecursionError:
        return False
    except (ZeroDivisionError, Undecided):
        pass
    return True
