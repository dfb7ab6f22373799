"""Single changes to a system that people make by mistake, each with its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

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
    transform,
    values,
)
from optdsl.model.system import System

#: A change to one node: gives (words, new node) for every way in which it applies.
Edit = Callable[[System, str, Expression], Iterator[tuple[str, Expression]]]


def edits(system: System) -> Iterator[tuple[str, System]]:
    """Yield each system that is one change away, with words for the change."""
    for edit in _EDITS:
        for equation in system.equations:
            for node in _distinct(equation.value):
                for words, new in edit(system, equation.name, node):
                    value = _replaced(equation.value, node, new)
                    changed = replace(equation, value=value)
                    equations = tuple(changed if e is equation else e for e in system.equations)
                    yield (
                        f"{words} in the equation of {equation.name}",
                        replace(system, equations=equations),
                    )
    yield from _corrected_before(system)
    yield from _coupled_decay(system)
    yield from _moved_points(system)


def _distinct(expression: Expression) -> list[Expression]:
    found: dict[Expression, None] = {expression: None}
    for child in children(expression):
        found.update(dict.fromkeys(_distinct(child)))
    return list(found)


def _replaced(expression: Expression, old: Expression, new: Expression) -> Expression:
    return transform(expression, lambda node: new if node == old else None)


def _is_number(system: System, expression: Expression) -> bool:
    hypers = {h.name for h in system.hyperparameters}
    if isinstance(expression, Number):
        return True
    return isinstance(expression, Value) and expression.name in hypers


def _epsilon(system: System, name: str, node: Expression) -> Iterator[tuple[str, Expression]]:
    match node:
        case Apply("sqrt", (Apply("add", (x, e)),)) if _is_number(system, e):
            yield "epsilon outside the root", apply("add", apply("sqrt", x), e)
        case Apply("add", (Apply("sqrt", (x,)), e)) if _is_number(system, e):
            yield "epsilon inside the root", apply("sqrt", apply("add", x, e))
            if isinstance(x, Apply) and x.operator == "div":
                inner = apply("sqrt", apply("div", apply("add", x.arguments[0], e), x.arguments[1]))
                yield "epsilon inside the root, before the bias correction", inner


def _correction(system: System, name: str, node: Expression) -> Iterator[tuple[str, Expression]]:
    match node:
        case Apply("div", (x, below)) if _is_correction(below):
            yield "no bias correction", x
        case Value(read, _, 0) if read != name:
            for decay in _decays(system, read):
                power = apply("pow", decay, Clock())
                corrected = apply("div", node, apply("sub", number(1), power))
                yield f"a bias correction of {read}", corrected


def _is_correction(below: Expression) -> bool:
    match below:
        case Apply("sub", (Number(one), Apply("pow", (_, Clock())))) if one == 1:
            return True
    return False


def _decays(system: System, name: str) -> Iterator[Expression]:
    for equation in system.equations:
        if equation.name == name and any(v == _before(v, name) for v in values(equation.value)):
            for value in set(values(equation.value)):
                if _is_number(system, value):
                    yield value
            for node in _distinct(equation.value):
                if isinstance(node, Number) and 0 < node.value < 1:
                    yield node


def _before(value: Value, name: str) -> Value:
    return Value(name, value.kind, -1)


def _sign(system: System, name: str, node: Expression) -> Iterator[tuple[str, Expression]]:
    match node:
        case Apply("add" | "sub" as operator, (x, y)):
            other = "sub" if operator == "add" else "add"
            yield "the other sign", apply(other, x, y)


def _order(system: System, name: str, node: Expression) -> Iterator[tuple[str, Expression]]:
    match node:
        case Apply("max" | "min" as operator, (x, Apply("div", (y, below)))):
            yield (
                f"the correction after the {operator}",
                apply("div", apply(operator, x, y), below),
            )
        case Apply("div", (Apply("max" | "min" as operator, (x, y)), below)):
            yield (
                f"the correction before the {operator}",
                apply(operator, x, apply("div", y, below)),
            )


def _off_by_one(system: System, name: str, node: Expression) -> Iterator[tuple[str, Expression]]:
    states = {state.name for state in system.states}
    match node:
        case Value(read, kind, 0) if read in states and read != name:
            yield f"{read}[t-1] for {read}[t]", Value(read, kind, -1)
        case Value(read, kind, -1) if read in states and read not in (name, "theta"):
            yield f"{read}[t] for {read}[t-1]", Value(read, kind, 0)
        case Clock(part, offset):
            for by in (1, -1):
                written = "t" if offset + by == 0 else f"t{offset + by:+d}"
                yield f"{written} for t{f'{offset:+d}' if offset else ''}", Clock(part, offset + by)


def _factor(system: System, name: str, node: Expression) -> Iterator[tuple[str, Expression]]:
    match node:
        case Apply("mul", (Apply("sub", (Number(one), _)), x)) if one == 1:
            yield "no factor 1 - beta", x
        case Apply("mul", (x, y)) if _is_number(system, x):
            yield f"no factor {_shown(x)}", y
            yield (
                f"the factor 1 - {_shown(x)} for {_shown(x)}",
                apply("mul", apply("sub", number(1), x), y),
            )
        case Apply("add", (x, y)):
            for value in set(values(x)):
                if _is_number(system, value):
                    scaled = apply("mul", apply("sub", number(1), value), y)
                    yield f"a factor 1 - {value.name}", apply("add", x, scaled)


def _root(system: System, name: str, node: Expression) -> Iterator[tuple[str, Expression]]:
    match node:
        case Apply("sqrt", (x,)):
            yield "no root", x


def _shown(expression: Expression) -> str:
    return expression.name if isinstance(expression, Value) else getattr(expression, "text", "?")


def _coupled_decay(system: System) -> Iterator[tuple[str, System]]:
    """Take a term with theta out of the update and add it to the gradient, with its factors."""
    for equation in system.equations:
        if equation.name != "theta":
            continue
        for node in _distinct(equation.value):
            match node:
                case Apply("sub", (kept, taken)) if _reads_theta(taken) and _reads_theta(kept):
                    for share in _shares(taken):
                        yield (
                            "weight decay as a penalty, within the gradient",
                            _penalised(system, _replaced(equation.value, node, kept), share),
                        )


def _corrected_before(system: System) -> Iterator[tuple[str, System]]:
    """Move a bias correction from where a maximum is read to what enters it."""
    for equation in system.equations:
        for node in _distinct(equation.value):
            if not (isinstance(node, Apply) and node.operator == "div"):
                continue
            read, below = node.arguments
            if isinstance(read, Value) and read.offset == 0 and _is_correction(below):
                moved = _with_correction(system, read.name, below)
                if moved is not None:
                    value = _replaced(equation.value, node, read)
                    equations = tuple(
                        replace(e, value=value) if e.name == equation.name else e
                        for e in moved.equations
                    )
                    words = f"the correction before the maximum in the equation of {read.name}"
                    yield words, replace(moved, equations=equations)


def _with_correction(system: System, name: str, below: Expression) -> System | None:
    """Divide what enters the maximum that `name` keeps; None where it keeps none."""
    for equation in system.equations:
        match equation.value:
            case Apply("max" | "min" as operator, arguments) if equation.name == name:
                kept = tuple(
                    a if _before_of(a, name) else apply("div", a, below) for a in arguments
                )
                changed = replace(equation, value=apply(operator, *kept))
                equations = tuple(changed if e is equation else e for e in system.equations)
                return replace(system, equations=equations)
    return None


def _before_of(expression: Expression, name: str) -> bool:
    return any(v.name == name and v.offset == -1 for v in values(expression))


def _reads_theta(expression: Expression) -> bool:
    return any(v.name == "theta" and v.offset == -1 for v in values(expression))


def _shares(term: Expression) -> Iterator[Expression]:
    yield term
    for node in _distinct(term):
        if isinstance(node, Value) and node.kind is Kind.STEP:
            yield _replaced(term, node, number(1))


def _penalised(system: System, update: Expression, share: Expression) -> System:
    names = {asked.name for asked in system.gradients}

    def change(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.name in names:
            return apply("add", node, share)
        return None

    return replace(
        system,
        equations=tuple(
            replace(e, value=transform(update if e.name == "theta" else e.value, change))
            for e in system.equations
        ),
    )


def _moved_points(system: System) -> Iterator[tuple[str, System]]:
    theta = Value("theta", Kind.ENTRY, -1)
    for index, asked in enumerate(system.gradients):
        if asked.point is not None and asked.point != theta:
            gradients = list(system.gradients)
            gradients[index] = replace(asked, point=theta)
            yield "the gradient taken at theta[t-1]", replace(system, gradients=tuple(gradients))


_EDITS: tuple[Edit, ...] = (_epsilon, _correction, _order, _factor, _off_by_one, _sign, _root)
