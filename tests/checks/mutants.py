"""Systems that differ from a given one by one small change, and independent long runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from random import Random

from optdsl.model.arithmetic import Arithmetic, Real, Undecided
from optdsl.model.evaluation import evaluate
from optdsl.model.expressions import (
    Apply,
    Clock,
    Expression,
    Kind,
    Number,
    Value,
    apply,
    children,
    number,
)
from optdsl.model.system import Domain, System

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
        for words, new in _changes(child, names, states, own):
            yield words, _with_child(expression, index, new)


def _with_child(expression: Expression, index: int, new: Expression) -> Expression:
    if isinstance(expression, Apply):
        arguments = list(expression.arguments)
        arguments[index] = new
        return apply(expression.operator, *arguments)
    return replace(expression, argument=new)  # type: ignore[arg-type]


def _here(
    node: Expression, names: list[str], states: dict[str, Kind], own: str
) -> Iterator[tuple[str, Expression]]:
    match node:
        case Apply("sqrt", (Apply("add", (x, y)),)):
            yield "second term out of the root", apply("add", apply("sqrt", x), y)
            yield "no root", apply("add", x, y)
        case Apply("add", (Apply("sqrt", (x,)), y)):
            yield "second term into the root", apply("sqrt", apply("add", x, y))
        case Apply("sqrt", (x,)):
            yield "no root", x
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
            yield "a number halved", number(value / 2)
    if isinstance(node, Apply):
        for other in _OTHERS.get(node.operator, []):
            yield f"{other} for {node.operator}", apply(other, *node.arguments)
        if node.operator in ("mul", "div", "add", "sub"):
            yield f"the right side of {node.operator} dropped", node.arguments[0]


def _computable(system: System) -> bool:
    """Can its equations be computed without running in a circle?"""
    try:
        run(system, Random(1), 1)
    except RecursionError:
        return False
    except (ZeroDivisionError, Undecided):
        pass
    return True


# ------------------------------------------------------------ independent runs

_SCALES = [Fraction(1), Fraction(1, 10**9), Fraction(10**9), Fraction(1, 1000), Fraction(0)]


def run(system: System, random: Random, steps: int, fixed: dict[str, Fraction] | None = None):
    """Run a system on random inputs of very different sizes; return points and outputs."""
    hypers = {h.name: _hyper(random, h.domain or Domain(), steps) for h in system.hyperparameters}
    for name, value in (fixed or {}).items():
        hypers[name] = [value] * (steps + 2)
    scale = random.choice(_SCALES[:-1])
    gradients = [_gradient(random, scale) for _ in range(steps)]
    taken = evaluate(
        system,
        steps,
        theta=(Fraction(random.randint(-9, 9), 4), Fraction(1)),
        gradient=lambda t, name, point: tuple(_real(x) for x in gradients[t - 1]),
        hyper={name: (lambda t, s=series: s[t]) for name, series in hypers.items()},
    )
    return [(step.points, tuple(step.outputs.values())) for step in taken]


def _real(value: Fraction) -> Real:
    return Real(value, float(abs(value)))


def _hyper(random: Random, domain: Domain, steps: int) -> list[Fraction]:
    def draw() -> Fraction:
        return random.choice(
            [
                Fraction(random.randint(0, 99), 100),
                Fraction(random.randint(1, 99), 37),
                Fraction(random.randint(1, 6)),
                Fraction(1, 10**8),
                Fraction(0),
            ]
        )

    found: list[Fraction] = []
    while len(found) < steps + 2:
        value = draw()
        if value in domain:
            found.append(value)
    return found


def _gradient(random: Random, scale: Fraction) -> tuple[Fraction, Fraction]:
    size = random.choice([scale, *_SCALES])
    return (Fraction(random.randint(-20, 20), 7) * size, Fraction(random.randint(-3, 3)) * size)


def runs_agree(ours: System, theirs: System, steps: int, fixed: dict[str, Fraction]) -> bool:
    """Do long runs on the same random inputs show no difference?"""
    arithmetic = Arithmetic(50)
    for seed in range(4):
        try:
            a = run(ours, Random(seed), steps, fixed)
            b = run(theirs, Random(seed), steps, fixed)
        except Undecided:
            continue
        if not all(_same(arithmetic, x, y) for x, y in zip(a, b, strict=True)):
            return False
    return True


def _same(arithmetic: Arithmetic, x: object, y: object) -> bool:
    if isinstance(x, tuple) and isinstance(y, tuple):
        return len(x) == len(y) and all(_same(arithmetic, *pair) for pair in zip(x, y, strict=True))
    return arithmetic.same(x, y)  # type: ignore[arg-type]
