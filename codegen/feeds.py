"""Schedules that give hyperparameters: one function each, which the runtime runs before a step."""

from __future__ import annotations

from dataclasses import replace

from optdsl.codegen.declarations import feed_text
from optdsl.codegen.host import start_function
from optdsl.codegen.naming import Identifiers, comment, identifier
from optdsl.codegen.predicates import predicate_names
from optdsl.codegen.printing import Dialect, python
from optdsl.codegen.source import Functions, indent
from optdsl.codegen.step_numbers import clock_text
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Kind, Value
from optdsl.model.overriding import Feed
from optdsl.program.formulas import formula, indexed_names


def feed_functions(unit: Unit, feed: Feed, functions: Functions) -> str:
    """Add the functions of a schedule; return the text of what the layout says of it."""
    name = identifier(feed.hyperparameter.name)
    function = functions.add(f"schedule_{name}", _function(unit, feed), number=False)
    starts = [
        functions.add(f"start_{identifier(state.name)}", start_function(unit, state), number=False)
        for state in feed.states
    ]
    return feed_text(feed, function, starts)


def _function(unit: Unit, feed: Feed) -> list[str]:
    """Return the function that gives the value of a step and moves the states on."""
    system = replace(unit.system, equations=feed.equations, states=feed.states)
    predicates = frozenset(predicate_names(system, []))
    names, indexed = Identifiers(), indexed_names(system)
    places = {state.name: place for place, state in enumerate(feed.states)}
    local = {equation.name for equation in feed.equations}
    heads: dict[str, str] = {}

    def value(read: Value) -> str:
        name = names.value(read)
        if read.name in local and read.offset == 0:
            return name
        if read.offset == -1:
            text = f"states[{places[read.name]}]"
        else:
            text = f"hyper[{unit.slots.hyper[read]}]"
        heads[name] = f"{text} != 0.0" if read.name in predicates else text
        return name

    dialect = Dialect(value, clock_text, predicates=predicates, lazy=True)
    body: list[str] = []
    for equation in feed.equations:
        text = python(equation.value, dialect)
        left = f"{equation.name}[t]" if equation.name in indexed else equation.name
        body.append(f"# {comment(f'{left} = {formula(equation.value, indexed)}')}")
        body.append(f"{names.value(Value(equation.name, Kind.STEP))} = {text}")
    for name, place in places.items():
        body.append(f"states[{place}] = {names.value(Value(name, Kind.STEP))}")
    body.append(f"return {names.value(Value(feed.hyperparameter.name, Kind.STEP))}")
    lines = [*(f"{name} = {text}" for name, text in heads.items()), *body]
    return ["@quiet", "def NAME(t, hyper, states):", *indent(lines)]
