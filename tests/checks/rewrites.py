"""Systems that are written otherwise and mean the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

from optdsl.checks.equivalence.reverse import rewritten
from optdsl.model.expressions import (
    Apply,
    Clock,
    Constant,
    Expression,
    Fact,
    Kind,
    Number,
    Value,
    apply,
    is_predicate,
    number,
    transform,
    walk,
)
from optdsl.model.system import Equation, State, System


@dataclass(frozen=True)
class Rewrite:
    """A system that means the same as another, where some hyperparameters are constant."""

    words: str
    system: System
    constant: frozenset[str] = frozenset()


def rewrites(system: System, random: Random) -> Iterator[Rewrite]:
    """Yield one of each kind that applies, at a place that is drawn."""
    yield Rewrite("renamed and reordered", renamed(system))
    for words, change in _NODES.items():
        places = [
            (index, node)
            for index, equation in enumerate(system.equations)
            for node in dict.fromkeys(walk(equation.value))
            if not (change is _expanded and _may_be_infinite(system))
            and change(system, node) is not None
        ]
        if places:
            index, node = random.choice(places)
            yield Rewrite(words, _changed(system, index, node, change(system, node)))
    yield from _scaled(system, random)
    yield from _named(system, random)
    yield from _inlined(system, random)


def _may_be_infinite(system: System) -> bool:
    """Does an infinity stand in it? Then a*(b + c) may be infinite where a*b + a*c is undefined."""
    starts = [state.start for state in system.states if state.start is not None]
    expressions = [*starts, *(equation.value for equation in system.equations)]
    return any(node == Constant("inf") for e in expressions for node in walk(e))


def _changed(system: System, index: int, node: Expression, new: Expression | None) -> System:
    equation = system.equations[index]
    value = transform(equation.value, lambda other: new if other == node else None)
    equations = list(system.equations)
    equations[index] = replace(equation, value=value)
    return replace(system, equations=tuple(equations))


# ----------------------------------------------------------------------- names


def renamed(system: System) -> System:
    """Give states and other values names of their own, and turn the order round."""
    kept = {*system.outputs, "theta", *(asked.name for asked in system.gradients)}
    names = {e.name: f"other_{e.name}" for e in system.equations if e.name not in kept}
    names |= {s.name: f"other_{s.name}" for s in system.states if s.name not in kept}

    def change(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.name in names:
            return replace(node, name=names[node.name])
        return None

    changed = rewritten(system, lambda expression: transform(expression, change))
    return replace(
        changed,
        states=tuple(replace(s, name=names.get(s.name, s.name)) for s in reversed(changed.states)),
        equations=tuple(
            replace(e, name=names.get(e.name, e.name)) for e in reversed(changed.equations)
        ),
    )


# ------------------------------------------------------------------ expressions


def _expanded(system: System, node: Expression) -> Expression | None:
    match node:
        case Apply("mul", (x, Apply("add" | "sub" as operator, (y, z)))):
            return apply(operator, apply("mul", x, y), apply("mul", x, z))
        case Apply("mul", (Apply("add" | "sub" as operator, (x, y)), z)):
            return apply(operator, apply("mul", x, z), apply("mul", y, z))
    return None


def _commuted(system: System, node: Expression) -> Expression | None:
    match node:
        case Apply("add" | "mul" | "max" | "min" as operator, (x, y)):
            return apply(operator, y, x)
    return None


def _difference(system: System, node: Expression) -> Expression | None:
    match node:
        case Apply("sub", (x, y)):
            return apply("add", x, apply("mul", number(-1), y))
    return None


def _quotient(system: System, node: Expression) -> Expression | None:
    match node:
        case Apply("div", (x, y)):
            return apply("mul", x, apply("pow", y, number(-1)))
    return None


def _regrouped(system: System, node: Expression) -> Expression | None:
    match node:
        case Apply("mul", (x, Apply("div", (y, z)))):
            return apply("div", apply("mul", x, y), z)
        case Apply("div", (Apply("mul", (x, y)), z)):
            return apply("mul", x, apply("div", y, z))
        case Apply("sub", (Apply("sub", (x, y)), z)):
            return apply("sub", x, apply("add", y, z))
    return None


def _squared(system: System, node: Expression) -> Expression | None:
    match node:
        case Apply("pow", (x, Number(n))) if n == 2:
            return apply("mul", x, x)
    return None


def _root(system: System, node: Expression) -> Expression | None:
    """Split a root where what is taken out is known to be positive, else write it as a power."""
    match node:
        case Apply("sqrt", (Apply("div", (x, y)),)) if _is_positive(system, y):
            return apply("div", apply("sqrt", x), apply("sqrt", y))
        case Apply("sqrt", (x,)):
            return apply("pow", x, Number(number(1).value / 2, "0.5"))
    return None


def _is_positive(system: System, node: Expression) -> bool:
    """Is it 1 - beta^t, with beta in [0, 1)?"""
    match node:
        case Apply("sub", (Number(one), Apply("pow", (Value(name, Kind.STEP), Clock())))):
            return one == 1 and name in _shares(system)
    return False


def _shares(system: System) -> set[str]:
    """Return the hyperparameters that are less than 1."""
    domains = {h.name: h.domain for h in system.hyperparameters if h.domain is not None}
    return {name for name, domain in domains.items() if domain.high == 1 and domain.high_open}


_NODES: dict[str, Callable[[System, Expression], Expression | None]] = {
    "a product expanded": _expanded,
    "sides exchanged": _commuted,
    "a difference as a sum": _difference,
    "a quotient as a power": _quotient,
    "regrouped": _regrouped,
    "a square as a product": _squared,
    "a root split or as a power": _root,
}


# ----------------------------------------------------------------------- states


def _scaled(system: System, random: Random) -> Iterator[Rewrite]:
    states = [s for s in system.states if _may_be_scaled(system, s)]
    if states:
        state = random.choice(states)
        yield Rewrite("a state three times as large", scaled(system, state.name, number(3)))
        shares = sorted(_shares(system))
        if shares:
            name = random.choice(shares)
            share = apply("sub", number(1), Value(name, Kind.STEP))
            constant = frozenset({name})
            yield Rewrite("a state times 1 - beta", scaled(system, state.name, share), constant)


def _may_be_scaled(system: System, state: State) -> bool:
    if state.name in (*system.outputs, "theta") or isinstance(state.start, Fact):
        return False
    equation = next((e.value for e in system.equations if e.name == state.name), None)
    return equation is not None and not is_predicate(equation)


def scaled(system: System, name: str, factor: Expression) -> System:
    """Hold `factor` times a state in its place; the factor does not change in time."""

    def change(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.name == name:
            return apply("div", node, factor)
        return None

    changed = rewritten(system, lambda expression: transform(expression, change))
    return replace(
        changed,
        states=tuple(
            replace(s, start=apply("mul", factor, s.start)) if s.name == name and s.start else s
            for s in changed.states
        ),
        equations=tuple(
            replace(e, value=apply("mul", factor, e.value)) if e.name == name else e
            for e in changed.equations
        ),
    )


# ------------------------------------------------------------- auxiliary values


def _named(system: System, random: Random) -> Iterator[Rewrite]:
    """Give a part of an equation a name and an equation of its own."""
    places = [
        (index, node)
        for index, equation in enumerate(system.equations)
        for node in dict.fromkeys(walk(equation.value))
        if isinstance(node, Apply) and not is_predicate(node) and node != equation.value
        and not any(_branching(outer) for outer in walk(equation.value))
    ]  # fmt: skip
    if places:
        index, node = random.choice(places)
        equation = system.equations[index]
        changed = _changed(system, index, node, Value("named", node.kind))
        equations = list(changed.equations)
        equations.insert(index, Equation("named", node, equation.part))
        yield Rewrite("a part named", replace(changed, equations=tuple(equations)))


def _branching(node: Expression) -> bool:
    return isinstance(node, Apply) and node.operator in ("select", "and", "or")


def _inlined(system: System, random: Random) -> Iterator[Rewrite]:
    """Write a value that is no state out wherever it is read."""
    kept = {*system.outputs, "theta", *(state.name for state in system.states)}
    helpers = [e for e in system.equations if e.name not in kept]
    if helpers:
        helper = random.choice(helpers)

        def change(node: Expression) -> Expression | None:
            return helper.value if node == Value(helper.name, helper.kind) else None

        changed = rewritten(system, lambda expression: transform(expression, change))
        equations = tuple(e for e in changed.equations if e.name != helper.name)
        yield Rewrite("a value written out", replace(changed, equations=equations))
