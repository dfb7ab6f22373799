"""Putting two systems together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from optdsl.model.expressions import (
    Clock,
    Draw,
    Expression,
    Kind,
    Value,
    apply,
    number,
    transform,
    values,
    walk,
)
from optdsl.model.functions import DISTRIBUTIONS
from optdsl.model.system import (
    Equation,
    Fed,
    Gradient,
    Hyperparameter,
    Input,
    State,
    System,
    given,
)

#: The owner of a hyperparameter that a schedule reads of the rule it stands in.
HOST = ""

_Item = TypeVar("_Item", Hyperparameter, State, Equation, Gradient, Input)


def rename(system: System, names: Mapping[str, str]) -> System:
    """Return `system` with every name of `names` replaced."""

    names = {**names, **{given(i): given(names[i]) for i in system.inputs if i in names}}

    def change(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.name in names:
            return replace(node, name=names[node.name])
        return None

    system = everywhere(system, change)
    return replace(
        system,
        hyperparameters=tuple(_renamed(h, names) for h in system.hyperparameters),
        states=tuple(_renamed(s, names) for s in system.states),
        equations=tuple(_renamed(e, names) for e in system.equations),
        gradients=tuple(_with_loss(_renamed(g, names), names) for g in system.gradients),
        outputs=tuple(names.get(name, name) for name in system.outputs),
        handed_in=tuple(_renamed(i, names) for i in system.handed_in),
        fed=tuple(_renamed_fed(f, names) for f in system.fed),
    )


def _renamed_fed(fed: Fed, names: Mapping[str, str]) -> Fed:
    return replace(
        fed,
        hyperparameter=_renamed(fed.hyperparameter, names),
        names=frozenset(names.get(name, name) for name in fed.names),
        ahead=None if fed.ahead is None else names.get(fed.ahead, fed.ahead),
        starts=tuple((names.get(name, name), start) for name, start in fed.starts),
    )


def _renamed(item: _Item, names: Mapping[str, str]) -> _Item:
    return replace(item, name=names.get(item.name, item.name))


def in_place_of(system: System, hyperparameter: str, other: str) -> System:
    """Return `system` with a hyperparameter of another rule, `other`, in place of its own."""
    rest = tuple(h for h in system.hyperparameters if h.name != hyperparameter)
    return rename(replace(system, hyperparameters=rest), {hyperparameter: other})


def _with_loss(gradient: Gradient, names: Mapping[str, str]) -> Gradient:
    loss = gradient.loss
    return gradient if loss is None else replace(gradient, loss=names.get(loss, loss))


def everywhere(system: System, change: Callable[[Expression], Expression | None]) -> System:
    """Rebuild every expression of `system`."""

    def some(expression: Expression | None) -> Expression | None:
        return None if expression is None else transform(expression, change)

    return replace(
        system,
        hyperparameters=tuple(replace(h, default=some(h.default)) for h in system.hyperparameters),
        states=tuple(replace(s, start=some(s.start)) for s in system.states),
        equations=tuple(replace(e, value=transform(e.value, change)) for e in system.equations),
        gradients=tuple(replace(g, point=some(g.point)) for g in system.gradients),
        skips=tuple(replace(s, condition=transform(s.condition, change)) for s in system.skips),
        evaluation=some(system.evaluation),
        fed=tuple(
            replace(f, starts=tuple((name, transform(start, change)) for name, start in f.starts))
            for f in system.fed
        ),
    )


def draws_behind(system: System, other: System) -> System:
    """Return `system` with its draws numbered behind those of `other`, so that none is the same."""
    taken = dict.fromkeys(DISTRIBUTIONS, 0)
    for drawn in draws_of(other):
        taken[drawn.distribution] = max(taken[drawn.distribution], drawn.number + 1)

    def change(node: Expression) -> Expression | None:
        if isinstance(node, Draw):
            return replace(node, number=node.number + taken[node.distribution])
        return None

    return everywhere(system, change) if any(taken.values()) else system


def draws_of(system: System) -> list[Draw]:
    """Return the random numbers that `system` draws, each once."""
    expressions = [equation.value for equation in system.equations]
    expressions += [gradient.point for gradient in system.gradients if gradient.point is not None]
    expressions += [skip.condition for skip in system.skips]
    nodes = (node for expression in expressions for node in walk(expression))
    return list(dict.fromkeys(node for node in nodes if isinstance(node, Draw)))


def later(system: System, parts: int) -> System:
    """Return `system` as what follows `parts` skips."""
    if parts == 0:
        return system

    def change(node: Expression) -> Expression | None:
        return replace(node, part=node.part + parts) if isinstance(node, Clock) else None

    system = everywhere(system, change)
    return replace(
        system,
        hyperparameters=tuple(replace(h, part=h.part + parts) for h in system.hyperparameters),
        states=tuple(replace(s, part=s.part + parts) for s in system.states),
        equations=tuple(replace(e, part=e.part + parts) for e in system.equations),
        skips=tuple(replace(s, part=s.part + parts) for s in system.skips),
        handed_in=tuple(replace(i, part=i.part + parts) for i in system.handed_in),
        fed=_each_fed(system, lambda h: replace(h, part=h.part + parts)),
    )


def _each_fed(
    system: System, change: Callable[[Hyperparameter], Hyperparameter]
) -> tuple[Fed, ...]:
    return tuple(replace(f, hyperparameter=change(f.hyperparameter)) for f in system.fed)


def begun_late(system: System, steps: int, part: int = 0) -> System:
    """Return `system` as one whose step 1 comes after `steps` steps of part number `part`.

    Random numbers go on with the clock as it is, so that none comes twice.
    """
    if steps == 0:
        return system

    def change(node: Expression) -> Expression | None:
        match node:
            case Draw():
                return node
            case Clock(own) if own == part:
                return apply("sub", node, number(steps))
        return None

    def begun(hyper: Hyperparameter) -> Hyperparameter:
        return replace(hyper, begins=hyper.begins + steps) if hyper.part == part else hyper

    hyperparameters = tuple(begun(h) for h in system.hyperparameters)
    late = replace(everywhere(system, change), hyperparameters=hyperparameters)
    return replace(late, fed=_each_fed(late, begun))


def names_of(system: System) -> set[str]:
    """Return every name that `system` defines."""
    names = {hyperparameter.name for hyperparameter in system.hyperparameters}
    names |= {state.name for state in system.states}
    names |= {equation.name for equation in system.equations}
    names |= {gradient.name for gradient in system.gradients} | set(system.losses)
    return names | set(system.inputs)


def _apart(system: System, other: System) -> System:
    """Return `system` with the names that `other` has too prefixed by its own."""
    clashes = (names_of(system) & names_of(other)) - {"g", "theta", "loss"}
    taken = names_of(system) | names_of(other)
    changes = {}
    for name in sorted(clashes):
        new = f"{system.name}_{name}"
        while new in taken:
            new += "_"
        taken.add(new)
        changes[name] = new
    return draws_behind(rename(system, changes), other)


def of_host(system: System) -> set[str]:
    """Return the hyperparameters that `system` reads of the rule it stands in."""
    return {h.name for h in system.hyperparameters if h.owner == HOST}


def once(hyperparameters: Iterable[Hyperparameter], known: set[str]) -> tuple[Hyperparameter, ...]:
    """Return hyperparameters without those of the host that are known, or come twice."""
    kept: list[Hyperparameter] = []
    for hyper in hyperparameters:
        if hyper.owner != HOST or hyper.name not in known:
            kept.append(hyper)
            known = known | {hyper.name}
    return tuple(kept)


def in_front(first: System, second: System) -> System:
    """Return `second` with the hyperparameters, states and equations of `first` before its own.

    What `first` reads of its host is that of `second`, if it has it.
    """
    return replace(
        second,
        hyperparameters=(*second.hyperparameters, *once(first.hyperparameters, names_of(second))),
        states=(*first.states, *second.states),
        equations=(*first.equations, *second.equations),
        handed_in=(*second.handed_in, *first.handed_in),
        fed=(*first.fed, *second.fed),
    )


def pipe(first: System, second: System) -> System:
    """Return the system in which every gradient that `second` asks for passes through `first`.

    `first` is a transform; one with states stands before a single gradient. What
    `first` skips, `second` does not see: its parts come after.
    """
    second = later(second, len(first.skips))
    hyperparameters = None
    known: tuple[Equation, ...] = ()  # those of `first` before the first gradient
    inputs: tuple[str, ...] = ()
    equations: tuple[Equation, ...] = second.equations
    gradients = second.gradients
    system = second
    for gradient in second.gradients:
        through = _apart(first, replace(second, equations=equations, gradients=gradients))
        if hyperparameters is None:
            hyperparameters, inputs = through.hyperparameters, through.inputs
            system = replace(
                system,
                states=(*through.states, *second.states),
                skips=(*through.skips, *second.skips),
                handed_in=(*through.handed_in, *second.handed_in),
                fed=(*through.fed, *second.fed),
            )
            known = through.equations
        else:
            same = zip(through.hyperparameters, hyperparameters, strict=True)
            names = {new.name: old.name for new, old in same}
            names |= dict(zip(through.inputs, inputs, strict=True))
            names |= _schedules_alike(through, known)
            through = _without_equations(rename(through, names), known)
        loss = gradient.loss
        if through.losses and loss is None:
            loss = _loss_name(gradient, gradients)
            gradients = tuple(
                replace(g, loss=loss) if g.name == gradient.name else g for g in gradients
            )
        through = rename(through, {"g": gradient.name} | ({} if loss is None else {"loss": loss}))
        given = through.outputs[0]
        equations = _reading(equations, gradient.name, given)
        gradients = tuple(_point_reading(g, gradient.name, given) for g in gradients)
        equations = (*through.equations, *equations)
    ordered, asked = in_order(equations, gradients)
    return replace(
        system,
        hyperparameters=(*(hyperparameters or ()), *second.hyperparameters),
        equations=ordered,
        gradients=asked,
        source="\n\n".join(dict.fromkeys((first.source, second.source))),
    )


def _schedules_alike(again: System, known: tuple[Equation, ...]) -> dict[str, str]:
    """Return the names that what schedules give has in the first copy of a transform."""
    fed = frozenset[str]().union(*(f.names for f in again.fed))
    pairs = zip(again.equations, known, strict=True)
    return {new.name: old.name for new, old in pairs if new.name in fed}


def _without_equations(system: System, known: tuple[Equation, ...]) -> System:
    """Return `system` without the equations whose names `known` has already."""
    names = {equation.name for equation in known}
    return replace(system, equations=tuple(e for e in system.equations if e.name not in names))


def _loss_name(gradient: Gradient, others: tuple[Gradient, ...]) -> str:
    """Return a name for the loss at the point of a gradient."""
    taken = {other.loss for other in others}
    return "loss" if "loss" not in taken else f"loss_{gradient.name}"


def _reading(equations: tuple[Equation, ...], old: str, new: str) -> tuple[Equation, ...]:
    return tuple(replace(e, value=_swap(e.value, old, new)) for e in equations)


def _point_reading(gradient: Gradient, old: str, new: str) -> Gradient:
    return (
        gradient
        if gradient.point is None
        else replace(gradient, point=_swap(gradient.point, old, new))
    )


def _swap(expression: Expression, old: str, new: str) -> Expression:
    def change(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.name == old and node.offset == 0:
            return Value(new, Kind.ENTRY)
        return None

    return transform(expression, change)


def in_order(
    equations: tuple[Equation, ...], gradients: tuple[Gradient, ...]
) -> tuple[tuple[Equation, ...], tuple[Gradient, ...]]:
    """Return both with each after what it reads, in their order where that can be."""
    bodies: dict[str, Expression | None] = {e.name: e.value for e in equations}
    bodies |= {g.name: g.point for g in gradients}
    done: set[str] = set()
    waiting = [g.name for g in gradients] + [e.name for e in equations]
    ordered: list[str] = []
    while waiting:
        ready = next(n for n in waiting if needs_now(bodies[n], bodies) <= done)
        waiting.remove(ready)
        done.add(ready)
        ordered.append(ready)
    return (
        tuple(sorted(equations, key=lambda equation: ordered.index(equation.name))),
        tuple(sorted(gradients, key=lambda gradient: ordered.index(gradient.name))),
    )


def needs_now(body: Expression | None, bodies: Mapping[str, object]) -> set[str]:
    """Return the names that `body` reads of the same step."""
    if body is None:
        return set()
    return {value.name for value in values(body) if value.offset == 0 and value.name in bodies}
