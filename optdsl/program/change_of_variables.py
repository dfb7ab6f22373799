"""Rules whose gradient is taken elsewhere, written for arrays that hold that point.

Where gradients are handed in ready-made, the live parameters must be the point
`phi` at which they are taken. If `phi = theta[t-1] + f` with an `f` known before
the step, the same rule can be written with `phi` stored in place of `theta`:

    iterate_before = phi[t-1] - f                          the author's theta[t-1]
    iterate        = the author's equation for theta[t]
    phi[t]         = iterate + f, one step on              where the next gradient is taken
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from optdsl.model.expressions import (
    Apply,
    Clock,
    Expression,
    Kind,
    Number,
    Value,
    apply,
    number,
    transform,
    values,
    walk,
)
from optdsl.model.system import Equation, Gradient, System
from optdsl.program.streams import THETA_BEFORE


def stores_iterate(system: System) -> bool:
    """Are all gradients of `system` handed in or taken at theta[t-1], the stored parameters?"""
    return all(gradient.point in (None, THETA_BEFORE) for gradient in system.gradients)


def store_gradient_point(system: System) -> System | None:
    """Return `system` written for arrays that hold the point of its gradient.

    In the system returned `theta` is the stored point phi; the author's theta
    is `iterate` (and, before the step, `iterate_before`). Returns None where no
    such change of variables exists: several gradients, a point that is not
    theta[t-1] plus what is known before the step, or one that is not theta[0] at the start.
    """
    gradient = _only_gradient(system)
    if gradient is None or gradient.point is None:
        return None
    point = _inline(gradient.point, system)
    if point is None or not _on_spine(point) or not _starts_there(point, system):
        return None
    if any(read.name in (*system.inputs, *system.flags) for read in values(point)):
        return None  # where the next gradient is taken is not known before they come
    before, after = _new_names(system, gradient)
    recovered = Equation(before, _invert(point, THETA_BEFORE), _first_reader(system))
    equations = sorted(
        (recovered, *_equations(system, point, before, after)), key=lambda each: each.part
    )
    return replace(
        system,
        equations=tuple(equations),
        gradients=(replace(gradient, point=THETA_BEFORE),),
        evaluation=None,
    )


def recover_iterate(system: System) -> System | None:
    """Return the system that gives `iterate`, the author's theta, from the stored point.

    It is the first equation of the step to come, and moves nothing. None where
    `store_gradient_point` gives none.
    """
    changed = store_gradient_point(system)
    if changed is None:
        return None
    known = {equation.name for equation in system.equations}
    recovered = next(equation for equation in changed.equations if equation.name not in known)
    return replace(
        changed,
        equations=(replace(recovered, name="iterate"),),
        gradients=(),
        skips=(),
        outputs=("iterate",),
    )


def _first_reader(system: System) -> int:
    """Return the first part that reads theta[t-1]."""
    parts = [each.part for each in system.equations if _reads_theta(each.value)]
    return min(parts, default=system.equation("theta").part)


def _only_gradient(system: System) -> Gradient | None:
    return system.gradients[0] if len(system.gradients) == 1 else None


def _new_names(system: System, gradient: Gradient) -> tuple[str, str]:
    taken = {equation.name for equation in system.equations}
    taken |= {state.name for state in system.states} | {gradient.name}
    taken |= {hyper.name for hyper in system.hyperparameters}
    stem = "iterate"
    while {stem, f"{stem}_before"} & taken:
        stem = f"true_{stem}"
    return f"{stem}_before", stem


def _inline(point: Expression, system: System) -> Expression | None:
    """Write `point` with nothing but theta, states before the step, hyperparameters and t."""
    equations = {equation.name: equation.value for equation in system.equations}
    gradients = {gradient.name for gradient in system.gradients} | set(system.losses)

    def expand(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.offset == 0 and node.name in equations:
            return transform(equations[node.name], expand)
        return None

    inlined = transform(point, expand)
    for node in walk(inlined):
        if isinstance(node, Value) and (node.offset > 0 or node.name in gradients):
            return None
    return inlined


def _reads_theta(expression: Expression) -> bool:
    return any(isinstance(node, Value) and node.name == "theta" for node in walk(expression))


def _on_spine(point: Expression) -> bool:
    """Is `point` theta[t-1] with terms free of theta added and taken away?"""
    if point == THETA_BEFORE:
        return True
    match point:
        case Apply("add", (left, right)) if not _reads_theta(left):
            return _on_spine(right)
        case Apply("add" | "sub", (left, right)) if not _reads_theta(right):
            return _on_spine(left)
    return False


def _invert(point: Expression, value: Expression) -> Expression:
    """Solve `point = value` for theta[t-1], undoing the outermost term first."""
    match point:
        case Apply("add", (left, right)) if not _reads_theta(left):
            return _invert(right, apply("sub", value, left))
        case Apply("add", (left, right)):
            return _invert(left, apply("sub", value, right))
        case Apply("sub", (left, right)):
            return _invert(left, apply("add", value, right))
    return value


def _starts_there(point: Expression, system: System) -> bool:
    """Is the first point theta[0] whatever the hyperparameters, so that both forms start alike?"""
    starts = {state.name: state.start for state in system.states}

    def first(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.offset == -1 and node.name in starts:
            return starts[node.name]
        return None

    return _vanishes(_invert(transform(point, first), number(0)))


def _vanishes(expression: Expression) -> bool:
    """Is `expression` zero, as far as its form tells?"""
    match expression:
        case Number(value):
            return value == 0
        case Apply("neg", (argument,)):
            return _vanishes(argument)
        case Apply("add" | "sub", (left, right)):
            return _vanishes(left) and _vanishes(right)
        case Apply("mul", (left, right)):
            return _vanishes(left) or _vanishes(right)
        case Apply("div", (left, _)):
            return _vanishes(left)
    return False


def _equations(system: System, point: Expression, before: str, after: str) -> list[Equation]:
    equations = []
    for equation in system.equations:
        value = transform(equation.value, _renaming(before, after))
        name = after if equation.name == "theta" else equation.name
        equations.append(replace(equation, name=name, value=value))
    last = next(equation for equation in system.equations if equation.name == "theta")
    stored = transform(point, _one_step_on(after, {state.name for state in system.states}))
    return [*equations, Equation("theta", stored, last.part)]


def _renaming(before: str, after: str) -> Callable[[Expression], Expression | None]:
    def change(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.name == "theta":
            return Value(before if node.offset < 0 else after, Kind.ENTRY)
        return None

    return change


def _one_step_on(after: str, states: set[str]) -> Callable[[Expression], Expression | None]:
    def change(node: Expression) -> Expression | None:
        match node:
            case Clock(part, offset):
                return Clock(part, offset + 1)
            case Value("theta"):
                return Value(after, Kind.ENTRY)
            case Value(name, _, -1) if name in states:
                return replace(node, offset=0)
            case Value(offset=0):
                return replace(node, offset=1)
        return None

    return change
