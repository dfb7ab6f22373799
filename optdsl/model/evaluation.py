"""Step a system with exact or many-digit numbers.

One tensor of a few entries stands for all tensors, or a few of them, each of rows and columns. This
is the evaluation to which kernels and other systems are compared, so it takes
no short cut: every operator of every equation is applied as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from random import Random
from typing import TypeAlias

from optdsl.model.arithmetic import UNDEFINED, Arithmetic, Real, Scalar, real
from optdsl.model.expressions import (
    Apply,
    Clock,
    Constant,
    Draw,
    Expression,
    Fact,
    Kind,
    Matrix,
    Number,
    Reduce,
    Value,
)
from optdsl.model.matrix_values import of_matrices, reduced_matrices, widened, width_of
from optdsl.model.system import System

#: A value a step, or one an entry.
Entries: TypeAlias = "Scalar | tuple[Scalar, ...]"

#: The value of a hyperparameter, or of an input, in a step.
Choice: TypeAlias = Callable[[str, int], Scalar]

#: The gradient in a step: of (step, name, point); the point is None where none is asked at.
#: Where the name is LOSS, it is the loss at the point of a gradient, alone in a tuple.
Oracle: TypeAlias = "Callable[[int, str, tuple[Scalar, ...] | None], tuple[Scalar, ...]]"

LOSS = "loss"


@dataclass(frozen=True)
class Step:
    """What one step computed.

    `points` are the points at which gradients were asked, in order; `outputs`
    what the system gives, None where it skipped; `states` those after the step.
    """

    t: int
    values: Mapping[str, Entries]
    points: tuple[tuple[Scalar, ...], ...]
    outputs: Mapping[str, Entries | None]
    states: Mapping[str, Entries]


@dataclass
class Machine:
    """A system in motion: its states, and the arithmetic in which it moves.

    >>> machine = Machine(system, hyper=lambda name, t: real(0.1))   # doctest: +SKIP
    >>> machine.start((real(1),))                                    # doctest: +SKIP
    >>> machine.step(lambda t, name, point: point).outputs["theta"]  # doctest: +SKIP

    Args:
        system: what moves.
        hyper: gives hyperparameters and inputs, by name and step.
        arithmetic: how numbers are computed; 50 digits unless said.
        tensors: how many entries each tensor has, where there are several; or the rows and
            columns of each. What is one number a tensor is then given once for each of its
            entries. A number of entries is one row, and says nothing of the facts about a tensor.
    """

    system: System
    hyper: Choice
    arithmetic: Arithmetic = field(default_factory=Arithmetic)
    tensors: tuple[int | tuple[int, int], ...] = ()
    states: dict[str, Entries] = field(default_factory=dict)
    clocks: list[int] = field(default_factory=list)
    steps: int = 0
    _last: _Evaluation | None = None

    def __post_init__(self) -> None:
        self.points = {asked.name: asked.point for asked in self.system.gradients}
        self.equations = {equation.name: equation.value for equation in self.system.equations}
        self.losses = self.system.losses
        self._numbers: dict[tuple[int, int], Real] = {}

    def number(self, written: Number) -> Real:
        """Return a number of an equation; each is made once."""
        exact = written.value
        key = (exact.numerator, exact.denominator)  # far quicker to hash than a fraction
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = real(exact)
        return found

    def start(self, theta: tuple[Scalar, ...]) -> None:
        """Set every state to its start; `theta` is the starting point."""
        self.clocks = [0] * self.system.parts
        self.steps = 0
        self.states = {"theta": theta}
        self._last = _Evaluation(self, self.states, {"theta": theta}, None)
        for state in self.system.states:
            value: Entries = UNDEFINED if state.start is None else self._last.value(state.start)
            value = self.wide(value, state.kind)
            self.states[state.name] = self._last.computed[state.name] = value

    def step(self, gradient: Oracle) -> Step:
        """Take one step."""
        self.steps += 1
        self.clocks = [clock + 1 for clock in self.clocks]
        before = list(self.clocks)
        evaluation = self._last = _Evaluation(self, dict(self.states), {}, gradient)
        live = self._live_parts(evaluation)
        for asked in self.system.gradients:
            if asked.part <= live:
                evaluation.named(Value(asked.name, Kind.ENTRY))
        computed = {
            equation.name: evaluation.named(Value(equation.name, equation.kind))
            for equation in self.system.equations
            if equation.part <= live
        }
        kinds = {state.name: state.kind for state in self.system.states} | {"theta": Kind.ENTRY}
        moved = {name: self.wide(computed[name], kinds[name]) for name in kinds if name in computed}
        self.states |= moved
        handed_on = self.system.family != "transform" or live == self.system.parts
        outputs: dict[str, Entries | None] = {
            name: computed.get(name, self.states.get(name)) if handed_on else None
            for name in self.system.outputs
        }
        if self.system.evaluation is not None:
            outputs["evaluate"] = evaluation.value(self.system.evaluation)
        self.clocks = [c if part <= live else c - 1 for part, c in enumerate(before)]
        return Step(self.steps, computed, tuple(evaluation.points), outputs, dict(self.states))

    def read(self, expression: Expression, steps_ago: int = 0) -> Entries:
        """Return the value of an expression in the last step, or one step before it.

        One step before, only states, hyperparameters and t are known.
        """
        assert self._last is not None
        if not steps_ago:
            return self._last.value(expression)
        earlier = dict(self._last.states)
        clocks, self.clocks = self.clocks, [clock - steps_ago for clock in self.clocks]
        self.steps -= steps_ago
        try:
            return _Evaluation(self, {}, earlier, None).value(expression)
        finally:
            self.clocks, self.steps = clocks, self.steps + steps_ago

    def of_known(self, expression: Expression, known: Mapping[str, Scalar]) -> Entries:
        """Return the value of an expression that reads nothing but the `known` values."""
        return _Evaluation(self, {}, dict(known), None).value(expression)

    def _live_parts(self, evaluation: _Evaluation) -> int:
        for skip in sorted(self.system.skips, key=lambda skip: skip.part):
            if evaluation.value(skip.condition) is True:
                return skip.part
        return self.system.parts

    def wide(self, value: Entries, kind: Kind) -> Entries:
        """Return a value once for each that its kind has, where that is more than one number."""
        number = kind.is_number or isinstance(value, tuple)
        return value if number else self.filled(value, kind)  # type: ignore[arg-type]

    def filled(self, value: Scalar, kind: Kind) -> tuple[Scalar, ...]:
        """Return as many of one value as a kind has."""
        return (value,) * sum(width_of(kind, shape) for shape in self.shapes)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The rows and columns of each tensor."""
        given = self.tensors or (len(self._theta()),)
        return [(1, each) if isinstance(each, int) else each for each in given]

    def fact(self, fact: Fact) -> Entries:
        """Return what is known of each tensor: of its shape, where the shape is given."""
        if fact.name == "named" or not any(isinstance(each, tuple) for each in self.tensors):
            return self.hyper(str(fact), 0)
        known = [
            {"rows": rows, "columns": columns, "size": rows * columns, "ndim": 1 + (rows > 1)}[
                fact.name
            ]
            for rows, columns in self.shapes
        ]
        entries = zip(known, self.shapes, strict=True)
        return tuple(real(number) for number, (r, c) in entries for _ in range(r * c))

    def _theta(self) -> tuple[Scalar, ...]:
        theta = self.states["theta"]
        return theta if isinstance(theta, tuple) else (theta,)


@dataclass
class _Evaluation:
    """The values of one step, each computed when it is first read."""

    machine: Machine
    states: dict[str, Entries]
    computed: dict[str, Entries]
    gradient: Oracle | None
    points: list[tuple[Scalar, ...]] = field(default_factory=list)

    def value(self, expression: Expression) -> Entries:
        """Return the value of an expression."""
        if type(expression) is Value:  # the two most frequent first
            return self.named(expression)
        if type(expression) is Apply:
            return self._apply(expression)
        arithmetic = self.machine.arithmetic
        match expression:
            case Number():
                return self.machine.number(expression)
            case Constant(name):
                return arithmetic.constant(name)
            case Clock(part, offset):
                clocks = self.machine.clocks
                return real((clocks[part] if part < len(clocks) else clocks[-1]) + offset)
            case Fact():
                return self.machine.fact(expression)
            case Matrix():
                machine = self.machine
                return of_matrices(expression, self._every, arithmetic, machine.shapes)
            case Draw():
                return self._drawn(expression)
            case Reduce():
                return self._reduction(expression)
        raise TypeError(expression)

    def _apply(self, expression: Apply) -> Entries:
        operator, arguments = expression.operator, expression.arguments
        if operator == "select":
            return self._select(*arguments)
        if operator in ("and", "or"):
            return self._joined(operator, self.value(arguments[0]), arguments[1])
        given = [self.value(argument) for argument in arguments]
        if expression.kind.is_matrix:
            given = [
                widened(value, argument.kind, expression.kind, self.machine.shapes)
                if isinstance(value, tuple)
                else value
                for value, argument in zip(given, arguments, strict=True)
            ]
        return self._spread(operator, given)

    def _every(self, expression: Expression) -> tuple[Scalar, ...]:
        """Return a value once for each that its kind has."""
        value = self.value(expression)
        return value if isinstance(value, tuple) else self.machine.filled(value, expression.kind)

    def _drawn(self, draw: Draw) -> Entries:
        """Return any number an entry: the same wherever the same draw stands, in any system."""
        steps = _spread(self.value(draw.step), len(self.machine._theta()))
        return tuple(_any_number(draw, step, index) for index, step in enumerate(steps))

    def named(self, value: Value) -> Entries:
        """Return a named value."""
        name = value.name
        if value.offset == -1 and name in self.states:
            return self.states[name]
        if value.offset == 0 and name in self.computed:
            return self.computed[name]
        found = self._find(value)
        if value.offset == 0:
            self.computed[name] = found
        return found

    def _find(self, value: Value) -> Entries:
        name = value.name
        if name in self.machine.points:
            return self._ask(name, self.machine.points[name])
        if name in self.machine.losses:
            return self._loss(self.machine.losses[name])
        if name in self.machine.equations:
            return self.value(self.machine.equations[name])
        if name == "theta":
            return self.states[name]
        return self.machine.hyper(name, self.machine.steps + value.offset)

    def _ask(self, name: str, point: Expression | None) -> Entries:
        assert self.gradient is not None
        if point is None:
            return self.gradient(self.machine.steps, name, None)
        at = self.value(point)
        entries = at if isinstance(at, tuple) else (at,)
        self.points.append(entries)
        return self.gradient(self.machine.steps, name, entries)

    def _loss(self, gradient: str) -> Scalar:
        """Return the loss at the point of a gradient, which is asked for first."""
        assert self.gradient is not None
        self.named(Value(gradient, Kind.ENTRY))
        point = self.machine.points[gradient]
        at = None if point is None else self.value(point)
        entries = at if isinstance(at, tuple) or at is None else (at,)
        return self.gradient(self.machine.steps, LOSS, entries)[0]

    def _select(self, condition: Expression, value: Expression, otherwise: Expression) -> Entries:
        decided = self.value(condition)
        if decided is UNDEFINED:
            return UNDEFINED
        if not isinstance(decided, tuple):
            return self.value(value if decided else otherwise)
        taken = self.value(value) if any(d is True for d in decided) else UNDEFINED
        left = self.value(otherwise) if any(d is False for d in decided) else UNDEFINED
        return tuple(
            UNDEFINED if d is UNDEFINED else _entry(taken if d else left, i)
            for i, d in enumerate(decided)
        )

    def _joined(self, operator: str, left: Entries, right: Expression) -> Entries:
        """Where the left side decides, the right one does not count."""
        decides = operator == "or"
        if left is decides or (isinstance(left, tuple) and all(x is decides for x in left)):
            return left
        joined = self._spread(operator, [left, self.value(right)])
        if not isinstance(joined, tuple):
            return decides if left is decides else joined
        return tuple(decides if _entry(left, i) is decides else x for i, x in enumerate(joined))

    def _spread(self, operator: str, given: list[Entries]) -> Entries:
        apply = self.machine.arithmetic.apply
        width = 0
        for x in given:
            if type(x) is tuple:
                width = len(x)
        if not width:
            return apply(operator, given)  # type: ignore[arg-type]
        if width == 1:
            return (apply(operator, [x[0] if type(x) is tuple else x for x in given]),)  # type: ignore[misc]
        return tuple(apply(operator, [_entry(x, i) for x in given]) for i in range(width))

    def _reduction(self, reduce: Reduce) -> Entries:
        """Return one number for each group of entries that a reduction takes together."""
        if reduce.kind.is_matrix or reduce.argument.kind.is_matrix:
            fold = partial(self._reduce, reduce.operator)
            machine = self.machine
            return reduced_matrices(reduce, self._every, fold, machine.arithmetic, machine.shapes)
        width = len(self.machine._theta())
        entries = _spread(self.value(reduce.argument), width)
        if reduce.other is not None:
            others = _spread(self.value(reduce.other), width)
            pairs = zip(entries, others, strict=True)
            entries = tuple(self.machine.arithmetic.apply("mul", pair) for pair in pairs)
        groups = self._groups(reduce.kind, width)
        reduced = [self._reduce(reduce.operator, entries[start:end]) for start, end in groups]
        if len(groups) == 1:
            return reduced[0]
        spread: list[Scalar] = []
        for value, (start, end) in zip(reduced, groups, strict=True):
            spread += [value] * (end - start)
        return tuple(spread)

    def _groups(self, kind: Kind, width: int) -> list[tuple[int, int]]:
        sizes = [rows * columns for rows, columns in self.machine.shapes]
        if kind is Kind.ALL:
            sizes = [width]
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
        return [(end - size, end) for end, size in zip(ends, sizes, strict=True)]

    def _reduce(self, operator: str, entries: tuple[Scalar, ...]) -> Scalar:
        apply = self.machine.arithmetic.apply
        if operator in ("min", "max"):
            return apply(operator, entries) if len(entries) > 1 else entries[0]
        if operator == "any":
            return apply("or", [*entries, False])
        if operator in ("norm", "rms"):
            entries = tuple(apply("mul", [x, x]) for x in entries)
        total: Scalar = real(0)
        for x in entries:
            total = apply("add", [total, x])
        if operator in ("mean", "rms"):
            total = apply("div", [total, real(len(entries))])
        return apply("sqrt", [total]) if operator in ("norm", "rms") else total


def _spread(value: Entries, width: int) -> tuple[Scalar, ...]:
    return value if isinstance(value, tuple) else (value,) * width


def _any_number(draw: Draw, step: Scalar, index: int) -> Scalar:
    """Return a simple number that the distribution can give, as if at random."""
    if not isinstance(step, Real):
        return UNDEFINED
    random = Random(f"{draw.distribution} {draw.number} {int(step.value)} {index}")
    sign = 1 if draw.distribution == "uniform" else None
    size = Fraction(random.randint(1, 15), 16)
    return real(size * (sign or random.choice((-2, -1, 1, 2))))


def _entry(value: Entries, index: int) -> Scalar:
    return value[index] if isinstance(value, tuple) else value
