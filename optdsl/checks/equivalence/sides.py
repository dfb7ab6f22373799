"""One side of a comparison, in symbols: a step from states before to states after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from optdsl.checks.equivalence.functions import Functions
from optdsl.checks.equivalence.rationals import Rational, constant, of_atom
from optdsl.checks.equivalence.reading import Reader, of_all
from optdsl.checks.equivalence.roots import Unreadable, equal
from optdsl.checks.equivalence.signs import Context
from optdsl.model.expressions import (
    Apply,
    Clock,
    Expression,
    Kind,
    Reduce,
    Value,
    transform,
    values,
)
from optdsl.model.system import Gradient, System

#: The value of a hyperparameter, by name and offset from this step.
Hyper = Callable[[str, int], Rational]

#: The answer to the k-th gradient asked for in a step; None is the one that is handed in.
Answer = Callable[["int | None"], Rational]


@dataclass
class Side:
    """A system in one step.

    Args:
        system: what it computes.
        functions: the operators, over the atoms of the proof.
        context: the case.
        clock: t.
        before: states before the step, theta among them.
        hyper: hyperparameters and inputs.
        answer: gradients.
        over: the kind of the reduction that this side is read within, if it is.
        generic: gives this side as a reduction to a kind takes it in. A case speaks of one
            entry; what is found within it says nothing of the others.
        other: ours, for theirs; its points give theirs their numbers.
    """

    system: System
    functions: Functions
    context: Context
    clock: Rational
    before: Mapping[str, Rational]
    hyper: Hyper
    answer: Answer
    over: Kind | None = None
    generic: Callable[[Kind], Side] | None = None
    _within: dict[Kind, Side] = field(default_factory=dict)
    _known: dict[str, Rational] = field(default_factory=dict)
    other: Side | None = None
    _points: dict[int, Rational] = field(default_factory=dict)
    _requests: dict[str, int] = field(default_factory=dict)
    _equations: dict[str, Expression] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._equations = {e.name: e.value for e in self.system.equations}
        self._reader = Reader(
            self.functions,
            self.context,
            self._name,
            self._meaning,
            self._time,
            self.over,
            lambda kind: self.within(kind)._reader,
        )

    def within(self, kind: Kind) -> Side:
        """Return this side as a reduction to a kind takes it in: any entry, whatever its case."""
        if kind not in self._within:
            assert self.generic is not None
            self._within[kind] = self.generic(kind)
        return self._within[kind]

    def named(self, name: str) -> Rational:
        """Return the value of this step that has a name."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def value(self, expression: Expression) -> Rational:
        """Return the value of an expression in this step."""
        return self._reader.value(expression)

    def points(self) -> dict[int, Rational]:
        """Return the points at which gradients are asked for, each once, by their numbers."""
        for asked in self.system.gradients:
            self.named(asked.name)
        return dict(self._points)

    def _gradient(self, asked: Gradient) -> Rational:
        """Return a gradient; one that is asked for again at the same point is the same."""
        if asked.point is None:
            return self.answer(None)
        point = self.value(asked.point)
        number = self._number(asked, point)
        self._points.setdefault(number, point)
        self._requests[asked.name] = number
        return self.answer(number).under(*point.conditions)

    def _number(self, asked: Gradient, point: Rational) -> int:
        """Return which point of this step it is; two are the same where all their entries are."""
        if len(self.system.gradients) > 1 and self.over is not Kind.ALL:
            every = self.within(Kind.ALL)
            every.named(asked.name)
            return every._requests[asked.name]
        for number, known in {**self._points, **self._points_of_other()}.items():
            if equal(point, known, self.context):
                return number
        return next(number for number in count() if number not in self._points)

    def _points_of_other(self) -> Mapping[int, Rational]:
        """Return ours, for theirs, where either asks at several: their order does not count."""
        other = self.other
        if other is None or max(len(s.gradients) for s in (self.system, other.system)) < 2:
            return {}
        return other.points()

    def _loss(self, asked: Gradient) -> Rational:
        """Return the loss at the point of a gradient: like it, an unknown function of the point."""
        self.named(asked.name)
        table = self.functions.table
        if asked.point is None:
            return of_atom(table.atom("loss", None, kind=Kind.ALL))
        number = self._requests[asked.name]
        told = of_all(self._points[number], Kind.ALL)
        return of_atom(table.atom("loss", number, kind=Kind.ALL)).under(*told)

    def _ask_before(self, asked: Gradient) -> None:
        """Ask for gradients in their order, whichever is read first."""
        for earlier in self.system.gradients:
            if earlier is asked:
                return
            self.named(earlier.name)

    def output(self, name: str) -> Rational:
        """Return what the system gives under this name."""
        return self.named(name)

    def _find(self, name: str) -> Rational:
        for asked in self.system.gradients:
            if asked.name == name:
                self._ask_before(asked)
                return self._gradient(asked)
            if asked.loss == name:
                return self._loss(asked)
        if name in self._equations:
            return self.value(self._equations[name])
        if name == "theta":
            return self.before["theta"]
        return self.hyper(name, 0)

    def _name(self, value: Value) -> Rational:
        if value.offset == 0:
            return self.named(value.name)
        if value.offset == -1 and value.name in self.before:
            return self.before[value.name]
        if value.name in self._equations:
            raise Unreadable(f"{value.name} at another step")
        return self.hyper(value.name, value.offset)

    def _meaning(self, value: Value) -> Expression | None:
        return self._equations.get(value.name) if value.offset == 0 else None

    def _time(self, clock: Clock) -> Rational:

        return self.clock + constant(clock.offset)


class Lazy(Mapping[str, Rational]):
    """Values that are found when they are read, each once."""

    def __init__(self, known: Mapping[str, Rational]) -> None:
        self._known = dict(known)
        self._ways: dict[str, Callable[[], Rational]] = {}

    def find(self, name: str, way: Callable[[], Rational]) -> None:
        """Say how a value is found."""
        self._ways[name] = way

    def was_read(self, name: str) -> bool:
        """Is a value known by now?"""
        return name not in self._ways

    def __getitem__(self, name: str) -> Rational:
        if name in self._ways:
            self._known[name] = self._ways.pop(name)()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._known, **self._ways})

    def __len__(self) -> int:
        return len({**self._known, **self._ways})


def derived_states(system: System) -> dict[str, Expression]:
    """Return the states, and theta, that others, hyperparameters and t of the same step tell.

    Before step t >= 2 they have the value that this expression gives for the other
    states before the step. What is never changed counts as of any step.
    """
    equations = {e.name: e.value for e in system.equations}
    memories = {state.name for state in system.states} | {"theta"}
    gradients = {asked.name for asked in system.gradients} | set(system.losses)
    kept = kept_states(system)
    found = {}
    for name in equations.keys() & memories - kept:
        told = _settled(inline(equations[name], equations, memories), kept)
        if not any(v.offset != 0 or v.name in gradients for v in values(told)):
            found[name] = told
    return found


def kept_states(system: System) -> set[str]:
    """Return the states that stay what they were at the start."""
    return {
        equation.name
        for equation in system.equations
        if isinstance(equation.value, Value)
        and (equation.value.name, equation.value.offset) == (equation.name, -1)
    }


def _settled(expression: Expression, kept: set[str]) -> Expression:
    def change(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.name in kept:
            return Value(node.name, node.kind)
        return None

    return transform(expression, change)


def inline(
    expression: Expression, equations: Mapping[str, Expression], states: set[str]
) -> Expression:
    """Put the equations of this step in place of their names, except for those of states."""
    match expression:
        case Value(name, _, 0) if name in equations and name not in states:
            return inline(equations[name], equations, states)
        case Apply(operator, arguments, kind):
            return Apply(operator, tuple(inline(a, equations, states) for a in arguments), kind)
        case Reduce(operator, argument, kind, other):
            second = None if other is None else inline(other, equations, states)
            return Reduce(operator, inline(argument, equations, states), kind, second)
    return expression


def atoms_of(system: System, functions: Functions, owner: str) -> dict[str, Rational]:
    """Return an atom for every state before the step, theta among them."""
    table = functions.table
    before = {
        state.name: of_atom(table.atom("state", owner, state.name, kind=state.kind)).under(
            ("reads", owner, state.name)
        )
        for state in system.states
    }
    theta = of_atom(table.atom("state", owner, "theta", kind=Kind.ENTRY))
    before["theta"] = theta.under(("reads", owner, "theta"))
    return before
