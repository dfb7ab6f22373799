"""One step of a system, computed straight from its equations.

Nothing of the compiler behind the model takes part: no program, no emitted code. Reductions go over
every entry; everything else is computed at the entries asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optdsl.model.expressions import (
    Apply,
    Clock,
    Constant,
    Expression,
    Fact,
    Kind,
    Number,
    Reduce,
    Value,
    number,
)
from optdsl.model.system import System
from optdsl.runtime.facts import Facts
from tests.numerics.carried import Algebra, Array, Carried, Digits, Doubles

#: Which entries of which tensor are computed: a tensor's number, and indices or all of them.
Place = tuple[int, Any]
EVERYTHING: Any = slice(None)
#: The loss at every point.
LOSS = 0.75
NOWHERE: Place = (-1, EVERYTHING)


@dataclass(frozen=True)
class Inputs:
    """All that a step depends on.

    `clocks` are the numbers of this step, as each part of the rule counts; `arrays` are what the
    optimizer was given to step, one a tensor. `states` has for each state of kind ENTRY one array a
    tensor, of kind TENSOR one number a tensor, else one number; it is None before the first step.
    `ahead` are the hyperparameters of the step to come.
    """

    clocks: Sequence[int]
    arrays: Sequence[Array]
    gradients: Mapping[str, Sequence[Array]]
    hyper: Mapping[str, float]
    states: Mapping[str, Any] | None = None
    ahead: Mapping[str, float] = field(default_factory=dict)


class OneStep:
    """What a step makes of its inputs.

    `dtype` is that of the arithmetic that is judged. With `stored`, the arrays hold the point at
    which the gradient is taken, not theta. With `host_is_exact`, numbers of kind STEP carry no more
    than their own size: kernels in float32 get them from a host that computes in float64.
    """

    def __init__(
        self,
        system: System,
        inputs: Inputs,
        numbers: Doubles | Digits,
        dtype: Any,
        *,
        stored: bool = False,
        host_is_exact: bool = False,
    ) -> None:
        self.system = system
        self.inputs = inputs
        self.algebra = Algebra(numbers, dtype)
        self.stored = stored
        self.host_is_exact = host_is_exact
        self.equations = {each.name: each for each in system.equations}
        self._states = {each.name: each for each in system.states}
        self._gradients = {each.name: each for each in system.gradients}
        self._known: dict[Any, tuple[Any, Carried]] = {}  # entries are kept, for their id
        self._live = self._live_parts()

    def theta(self, tensor: int, entries: Any = EVERYTHING) -> Carried:
        """Return the iterate after the step."""
        return self._after("theta", Kind.ENTRY, (tensor, entries))

    def array(self, tensor: int, entries: Any = EVERYTHING) -> Carried:
        """Return what the array that was stepped holds after the step."""
        if not self.stored:
            return self.theta(tensor, entries)
        point = self._point()
        return _Next(self, tensor, entries).of(point)

    def point(self, gradient: str, tensor: int, entries: Any = EVERYTHING) -> Carried:
        """Return the point at which a gradient was asked for."""
        point = self._gradients[gradient].point
        assert point is not None
        return self.value(point, (tensor, entries))

    def state(self, name: str, tensor: int = -1, entries: Any = EVERYTHING) -> Carried:
        """Return a state after the step."""
        return self._after(name, self._states[name].kind, (tensor, entries))

    def _after(self, name: str, kind: Kind, place: Place) -> Carried:
        equation = self.equations[name]
        if equation.part > self._live:
            return self._before(name, kind, place)
        return self.value(Value(name, kind), place)

    def _live_parts(self) -> int:
        for skip in self.system.skips:
            if bool(self.value(skip.condition, NOWHERE).value[0]):
                return skip.part
        return self.system.parts

    def _point(self) -> Expression:
        (gradient,) = self.system.gradients
        assert gradient.point is not None
        return gradient.point

    def value(self, expression: Expression, place: Place) -> Carried:
        """Return what an expression is at a place."""
        result = self._value(expression, place)
        if self.host_is_exact and expression.kind is Kind.STEP and result.value.dtype != bool:
            return self.algebra.held(result)
        return result

    def _value(self, expression: Expression, place: Place) -> Carried:
        match expression:
            case Number(exact):
                return self.algebra.number(exact)
            case Constant(name):
                return self.algebra.constant(name)
            case Clock(part, offset):
                return self.algebra.given([float(self.inputs.clocks[part] + offset)])
            case Value():
                return self._named(expression, place)
            case Fact(name, pattern):
                facts = Facts(np.shape(self.inputs.arrays[place[0]]), str(place[0]))
                told = getattr(facts, name) if pattern is None else facts.named(pattern)
                return self.algebra.given([told])
            case Reduce():
                return self._reduced(expression, place)
            case Apply("select", (condition, value, otherwise)) if condition.kind is Kind.STEP:
                held = bool(self.value(condition, place).value[0])
                return self.value(value if held else otherwise, place)
            case Apply(operator, arguments):
                carried = [self.value(each, place) for each in arguments]
                return self.algebra.apply(operator, carried)
        raise TypeError(expression)

    def _named(self, value: Value, place: Place) -> Carried:
        tensor, entries = place
        if value.kind in (Kind.STEP, Kind.ALL):
            tensor = -1
        if value.kind in (Kind.STEP, Kind.ALL, Kind.TENSOR):
            entries = EVERYTHING
        key = (value.name, value.offset, tensor, id(entries))
        if key not in self._known:
            self._known[key] = entries, self._find(value, place)
        return self._known[key][1]

    def _find(self, value: Value, place: Place) -> Carried:
        name, inputs = value.name, self.inputs
        if value.offset == -1:
            return self._before(name, value.kind, place)
        if value.offset == 1:
            return self.algebra.given([inputs.ahead[name]])
        if name in self.system.losses:
            return self.algebra.given([LOSS])
        if name in self._gradients:
            return self._entries(inputs.gradients[name], place)
        if name in self.equations:
            return self.value(self.equations[name].value, place)
        return self.algebra.given([inputs.hyper[name]])

    def _before(self, name: str, kind: Kind, place: Place) -> Carried:
        if name == "theta":
            return self._theta_before(place)
        if self.inputs.states is None:
            return self._start(name, place)
        stored = self.inputs.states[name]
        if kind is Kind.ENTRY:
            return self._entries(stored, place)
        return self.algebra.given([stored[place[0]] if kind is Kind.TENSOR else stored])

    def _theta_before(self, place: Place) -> Carried:
        held = self._entries(self.inputs.arrays, place)
        if not self.stored:
            return held
        # The point is theta and a shift that does not depend on theta: what the point is at 0.
        shift = _AtZero(self, place).of(self._point())
        return self.algebra.apply("sub", [held, shift])

    def _start(self, name: str, place: Place) -> Carried:
        start = self._states[name].start
        # Where there is no start, only a branch that is not taken reads it.
        value = self.value(start, place) if start else self.algebra.given([np.nan])
        if self._states[name].kind is Kind.ENTRY and len(value.value) == 1 and place[0] >= 0:
            count = len(self._entries(self.inputs.arrays, place).value)
            return Carried(np.repeat(value.value, count), np.repeat(value.magnitude, count))
        return value

    def _entries(self, arrays: Sequence[Array], place: Place) -> Carried:
        tensor, entries = place
        return self.algebra.given(np.asarray(arrays[tensor]).ravel()[entries])

    def _reduced(self, reduce: Reduce, place: Place) -> Carried:
        tensors = range(len(self.inputs.arrays)) if reduce.kind is Kind.ALL else (place[0],)
        entries = _joined([self.value(reduce.argument, (i, EVERYTHING)) for i in tensors])
        other = reduce.other and _joined(
            [self.value(reduce.other, (i, EVERYTHING)) for i in tensors]
        )
        return self.algebra.reduce(reduce.operator, entries, other)


class _Elsewhere:
    """Evaluates an expression with some of its values replaced."""

    def __init__(self, step: OneStep, place: Place) -> None:
        self.step = step
        self.place = place

    def of(self, expression: Expression) -> Carried:
        result = self._of(expression)
        if self.step.host_is_exact and expression.kind is Kind.STEP:
            return self.step.algebra.held(result)
        return result

    def _of(self, expression: Expression) -> Carried:
        match expression:
            case Value(name, _, 0) if name in self.step.equations:
                return self.of(self.step.equations[name].value)
            case Value(name, kind, offset):
                return self.read(name, kind, offset)
            case Apply(operator, arguments):
                return self.step.algebra.apply(operator, [self.of(each) for each in arguments])
            case Clock(part, offset):
                return self.step.value(Clock(part, self.clock(offset)), self.place)
        return self.step.value(expression, self.place)

    def clock(self, offset: int) -> int:
        return offset

    def read(self, name: str, kind: Kind, offset: int) -> Carried:
        raise NotImplementedError


class _AtZero(_Elsewhere):
    """Before the step, with theta at 0."""

    def read(self, name: str, kind: Kind, offset: int) -> Carried:
        if name == "theta":
            return self.step.algebra.number(number(0).value)
        return self.step.value(Value(name, kind, offset), self.place)


class _Next(_Elsewhere):
    """At the head of the step to come: what was this step's is then the past."""

    def __init__(self, step: OneStep, tensor: int, entries: Any) -> None:
        super().__init__(step, (tensor, entries))

    def clock(self, offset: int) -> int:
        return offset + 1

    def read(self, name: str, kind: Kind, offset: int) -> Carried:
        if offset == -1:
            return self.step._after(name, kind, self.place)
        return self.step.value(Value(name, kind, offset + 1), self.place)


def _joined(parts: list[Carried]) -> Carried:
    values, magnitudes = zip(*parts, strict=True)
    return Carried(np.concatenate(values), np.concatenate(magnitudes))
