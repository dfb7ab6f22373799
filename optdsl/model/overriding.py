"""Hyperparameters that schedules give, made hyperparameters again that a user may set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from optdsl.model.expressions import Expression, Kind, Value, transform, values
from optdsl.model.feeding import first_value
from optdsl.model.guards import unguarded_inputs
from optdsl.model.system import Equation, Fed, Hyperparameter, State, System, given


@dataclass(frozen=True, slots=True)
class Feed:
    """The schedule that gives a hyperparameter where its user gives nothing.

    `equations` are in an order in which each can be computed; the one called as the
    hyperparameter gives its value. `needs` are the inputs that they read without asking
    whether they ever came, `own` the hyperparameters that nothing else reads.
    """

    hyperparameter: Hyperparameter
    equations: tuple[Equation, ...]
    states: tuple[State, ...]
    needs: frozenset[str]
    text: str
    own: frozenset[str] = frozenset()


def with_settings(system: System) -> tuple[System, tuple[Feed, ...]]:
    """Return `system` with a hyperparameter for each that a schedule gives, and the schedules.

    The equations that remain read it as any other. What the system means has not changed: each
    schedule stands beside it.

    >>> from optdsl.library import load_system
    >>> system, feeds = with_settings(load_system("SGD(eta=Cosine(T=9))"))
    >>> [h.local_name for h in system.hyperparameters], [feed.text for feed in feeds]
    (['eta', 'eta_max', 'eta_min', 'T'], ['Cosine(T=9)'])
    """
    feeds: list[Feed] = []
    for fed in system.fed:  # those within a schedule stand before its own
        feeds.append(_taken_out(system, fed))
        system = _with_hyperparameter(system, fed)
    starts = {name: start for fed in reversed(system.fed) for name, start in fed.starts}
    system = replace(system, states=tuple(_started(s, starts) for s in system.states), fed=())
    restored = [replace(f, states=tuple(_started(s, starts) for s in f.states)) for f in feeds]
    return system, tuple(replace(f, own=_own(f, restored, system)) for f in restored)


def _own(feed: Feed, feeds: list[Feed], system: System) -> frozenset[str]:
    """Return the hyperparameters that the schedule `feed` alone reads."""
    elsewhere = _read(system).union(*(_read_by(other) for other in feeds if other is not feed))
    hypers = {hyper.name for hyper in system.hyperparameters}
    return frozenset((_read_by(feed) & hypers) - elsewhere)


def _read_by(feed: Feed) -> set[str]:
    bodies = [equation.value for equation in feed.equations]
    bodies += [state.start for state in feed.states if state.start is not None]
    return {value.name for body in bodies for value in values(body)}


def without_schedules(system: System, meant: Callable[[Hyperparameter], bool]) -> System:
    """Return `system` with plain hyperparameters where schedules give those that are `meant`.

    The hyperparameters of these schedules go with them.
    """
    for fed in system.fed:
        if meant(fed.hyperparameter):
            system = _without(system, fed)
    return system


def _without(system: System, fed: Fed) -> System:
    before = _read(system)
    others = [each for each in system.fed if each != fed]
    starts = {name: _begun(system, start, others) for name, start in fed.starts}
    system = _with_hyperparameter(system, fed)
    inner = frozenset(each.hyperparameter.name for each in system.fed) & fed.names
    system = replace(
        system,
        states=tuple(_started(s, starts) for s in system.states),
        fed=tuple(f for f in others if f.hyperparameter.name not in inner),
    )
    gone = before - _read(system)
    asked = {given(name) for name in system.inputs} & _read(system)
    return replace(
        system,
        hyperparameters=tuple(h for h in system.hyperparameters if h.name not in gone),
        handed_in=tuple(
            each
            for each in system.handed_in
            if each.flag in asked or not {each.name, each.flag} & gone
        ),
    )


def _begun(system: System, start: Expression, others: list[Fed]) -> Expression:
    """Put the first values of other schedules where a start reads them."""
    for fed in others:
        start = first_value(parts_of(system, fed), start)
    return start


def _read(system: System) -> set[str]:
    """Return every name that something of `system` reads."""
    bodies: list[Expression | None] = [equation.value for equation in system.equations]
    bodies += [gradient.point for gradient in system.gradients]
    bodies += [skip.condition for skip in system.skips] + [system.evaluation]
    bodies += [state.start for state in system.states]
    bodies += [hyper.default for hyper in system.hyperparameters]
    return {value.name for body in bodies if body is not None for value in values(body)}


def _taken_out(system: System, fed: Fed) -> Feed:
    """Return the schedule of a hyperparameter: what its value and its states depend on."""
    schedule = parts_of(system, fed)
    own, states = schedule.equations, schedule.states
    name = fed.hyperparameter.name
    live, pending = {name}, [name, *(state.name for state in states)]
    bodies = {equation.name: equation.value for equation in own}
    while pending:
        reads = (value.name for value in values(bodies[pending.pop()]) if value.offset == 0)
        for read in reads:
            if read in bodies and read not in live:
                pending.append(read)
                live.add(read)
    live |= {state.name for state in states}
    equations = tuple(equation for equation in own if equation.name in live)
    needs = unguarded_inputs(replace(schedule, equations=equations))
    return Feed(fed.hyperparameter, equations, states, needs, fed.text)


def parts_of(system: System, fed: Fed) -> System:
    """Return the schedule that gives a hyperparameter."""
    return replace(
        system,
        family="schedule",
        equations=tuple(e for e in system.equations if e.name in fed.names),
        states=tuple(s for s in system.states if s.name in fed.names),
        gradients=(),
        skips=(),
        outputs=(fed.hyperparameter.name,),
        evaluation=None,
        fed=(),
    )


def _with_hyperparameter(system: System, fed: Fed) -> System:
    """Return `system` without the equations of a schedule, which reads a hyperparameter instead."""
    hyper = fed.hyperparameter
    old = None if fed.ahead is None else Value(fed.ahead, Kind.STEP)

    def change(node: Expression) -> Expression | None:
        return Value(hyper.name, Kind.STEP, 1) if node == old else None

    def changed(expression: Expression | None) -> Expression | None:
        return None if expression is None else transform(expression, change)

    return replace(
        system,
        hyperparameters=(hyper, *system.hyperparameters),
        states=tuple(state for state in system.states if state.name not in fed.names),
        equations=tuple(
            replace(equation, value=transform(equation.value, change))
            for equation in system.equations
            if equation.name not in fed.names
        ),
        gradients=tuple(replace(g, point=changed(g.point)) for g in system.gradients),
        skips=tuple(replace(s, condition=transform(s.condition, change)) for s in system.skips),
        evaluation=changed(system.evaluation),
    )


def _started(state: State, starts: dict[str, Expression]) -> State:
    return replace(state, start=starts.get(state.name, state.start))
