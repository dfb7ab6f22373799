"""What the equations of a system demand of the units of its values.

Every operator says which units must agree and what unit its value has. Zero and infinity have any
unit. The same demands, with the powers of a scale in place of units, say whether values only change
by powers of that scale when the loss is multiplied by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from typing import TypeAlias

from optdsl.checks.linear import Form, Unit, unknown
from optdsl.model.expressions import (
    PREDICATES,
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
from optdsl.model.system import Hyperparameter, System

#: The unit of a value; None is that of zero and of infinity, which is any.
Found: TypeAlias = "Form | None"

NONE = Form()
_PASSING = frozenset({"neg", "abs", "transpose"})
_AGREEING = frozenset({"add", "sub", "min", "max", "mod"})
_COMPARISONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne"})
_PURE = frozenset({"exp", "log", "cos", "floor"})


class Rank(IntEnum):
    """How firmly a demand stands; where two contradict, the one of lower rank counts."""

    MEANING = 0  # a name has the unit of its equation
    FUNCTION = 1  # what exp, log and powers are given has no unit
    SUM = 2  # both sides of a sum or a comparison agree
    SAME = 3  # a hyperparameter has one unit, wherever it stands
    CHOICE = 4  # both branches of a choice agree
    STAND_IN = 5  # a number in one branch of a choice has the unit of the other


@dataclass(frozen=True)
class Demand:
    """Two units must be equal. `place` is where, `left` and `right` are what has them."""

    rank: Rank
    a: Form
    b: Form
    place: Expression
    left: Expression | None = None
    right: Expression | None = None
    name: str | None = None


class Unfamiliar(Exception):
    """An operator that says nothing about units."""


#: Gives the unit of a number of an equation; the flag tells that it stands beside something.
Numbers = Callable[[Number, bool], Form]

#: Gives the unit of a hyperparameter where it stands; the flag tells that it stands beside data.
Hypers = Callable[[Value, bool], Found]


@dataclass
class Reading:
    """Reads a system once and gathers `demands`.

    Args:
        system: what is read.
        bases: units of `theta`, `loss` and the gradients, by those three names (`g` for the last).
        numbers: the unit of numbers.
        hypers: the unit of hyperparameters.
        inputs: the units of numbers that are handed in.
    """

    system: System
    bases: Mapping[str, Unit]
    numbers: Numbers
    hypers: Hypers
    inputs: Mapping[str, Unit] = field(default_factory=dict)
    demands: list[Demand] = field(default_factory=list)
    _among_data: bool = True

    def read(self) -> list[Demand]:
        """Return everything that the system demands."""
        system = self.system
        self._gradients = {asked.name for asked in system.gradients}
        self._hyper_names = {hyper.name for hyper in system.hyperparameters}
        self.remembered = self._hypers_remembered()
        for equation in system.equations:
            if equation.name not in self.remembered:
                self._mean(equation.name, equation.value, isinstance(equation.value, Number))
        for state in system.states:
            known = state.name in self.remembered and isinstance(state.start, Value)
            if state.start is not None and state.name != "theta" and not known:
                self._mean(state.name, state.start, True)
        theta = Value("theta", Kind.ENTRY, -1)
        points = [*(asked.point for asked in system.gradients), system.evaluation]
        for point in points:
            if point is not None:
                self._demand(Rank.SUM, self.form(point), self.form(theta), point, point, theta)
        for skip in system.skips:
            self.form(skip.condition)
        return self.demands

    def _hypers_remembered(self) -> dict[str, str]:
        """Return the states that hold what a hyperparameter was in the last step."""
        states = {state.name for state in self.system.states}
        return {
            equation.name: equation.value.name
            for equation in self.system.equations
            if isinstance(equation.value, Value)
            and equation.name in states
            and equation.value.name in self._hyper_names
        }

    def _mean(self, name: str, value: Expression, beside: bool) -> None:
        meant = self._named(Value(name, value.kind), True)
        self._among_data = True
        found = self.form(value, beside)
        self._demand(Rank.MEANING, meant, found, value, Value(name, value.kind), value, name)

    def form(self, expression: Expression, beside: bool = False) -> Found:
        """Return the unit of an expression; `beside` tells that it is no factor."""
        match expression:
            case Number(value):
                return None if not value else self.numbers(expression, beside)
            case Constant(name):
                return None if name == "inf" else NONE
            case Clock() | Fact() | Draw():
                return NONE
            case Value():
                return self._named(expression, beside)
            case Reduce():
                return self._reduced(expression)
            case Matrix("product", (left, right)):
                return self._product([self.form(left), self.form(right)], Fraction(1))
            case Matrix("transpose", (inner,)):
                return self.form(inner, beside)
            case Matrix("power", (base, exponent)):
                return self._power(expression, base, exponent)
            case Matrix():
                return NONE
            case Apply("select", (condition, value, otherwise)):
                self.form(condition)
                branches = [value, otherwise]
                plain = any(isinstance(branch, Number) for branch in branches)
                return self._agreed(Rank.STAND_IN if plain else Rank.CHOICE, expression, branches)
            case Apply(operator, arguments):
                return self._applied(expression, operator, arguments, beside)
        raise Unfamiliar(type(expression).__name__)

    def _named(self, value: Value, beside: bool) -> Found:
        name = value.name
        if name == "theta":
            return Form(known=self.bases["theta"])
        if name in self._gradients:
            return Form(known=self.bases["g"])
        if name in self.remembered:
            value = Value(self.remembered[name], value.kind)
        if value.name in self._hyper_names:
            return self.hypers(value, beside and self._among_data)
        if name in self.system.inputs:
            return Form(known=self.inputs.get(name, {}))
        if name in self.system.flags:
            return NONE
        if name in self.system.losses:
            return Form(known=self.bases["loss"])
        return unknown(name)

    def _applied(
        self, place: Apply, operator: str, arguments: tuple[Expression, ...], beside: bool
    ) -> Found:
        if operator in _COMPARISONS:
            self._agreed(Rank.SUM, place, arguments)
            return NONE
        if operator in _AGREEING:
            return self._agreed(Rank.SUM, place, arguments)
        if operator == "pow":
            return self._power(place, *arguments)
        passed = beside and (operator in _PASSING or operator == "sqrt")
        found = [self.form(argument, passed) for argument in arguments]
        if operator in _PASSING:
            return found[0]
        if operator in ("mul", "div", "matmul"):
            return self._product(found, Fraction(-1 if operator == "div" else 1))
        if operator == "sqrt":
            return None if found[0] is None else found[0].power(Fraction(1, 2))
        if operator in _PURE:
            self._demand(Rank.FUNCTION, found[0], NONE, place, arguments[0])
            return NONE
        if operator == "sign" or operator in PREDICATES:
            return NONE
        raise Unfamiliar(operator)

    def _product(self, found: list[Found], sign: Fraction) -> Found:
        left, right = found
        return None if left is None or right is None else left.times(right, sign)

    def _power(self, place: Expression, base: Expression, exponent: Expression) -> Found:
        n = exact(exponent)
        if n is not None:
            found = self.form(base)
            if found is None:
                return None if n > 0 else NONE
            return found.power(n)
        for part in (base, exponent):
            self._demand(Rank.FUNCTION, self.form(part), NONE, place, part)
        return NONE

    def _reduced(self, reduce: Reduce) -> Found:
        if reduce.operator == "any":
            self.form(reduce.argument)
            return NONE
        found = self.form(reduce.argument)
        if reduce.other is not None:
            return self._product([found, self.form(reduce.other)], Fraction(1))
        return found

    def _agreed(
        self, rank: Rank, place: Expression, arguments: tuple[Expression, ...] | list[Expression]
    ) -> Found:
        """Demand one unit of all arguments and return it."""
        first: tuple[Form, Expression] | None = None
        for argument in arguments:
            self._among_data = place.kind is not Kind.STEP
            found = self.form(argument, beside=True)
            if found is None:
                continue
            if first is None:
                first = found, argument
            else:
                self._demand(rank, first[0], found, place, first[1], argument)
        return None if first is None else first[0]

    def _demand(
        self,
        rank: Rank,
        a: Found,
        b: Found,
        place: Expression,
        left: Expression | None = None,
        right: Expression | None = None,
        name: str | None = None,
    ) -> None:
        if a is not None and b is not None:
            self.demands.append(Demand(rank, a, b, place, left, right, name))


def exact(expression: Expression) -> Fraction | None:
    """Return the number that an expression of numbers is, or None.

    >>> from optdsl.model.expressions import apply, number
    >>> exact(apply("div", number(1), number(3)))
    Fraction(1, 3)
    """
    match expression:
        case Number(value):
            return value
        case Apply("neg", (inner,)):
            value = exact(inner)  # type: ignore[assignment]
            return None if value is None else -value
        case Apply("add" | "sub" | "mul" | "div" as operator, (left, right)):
            a, b = exact(left), exact(right)
            if a is None or b is None or (operator == "div" and not b):
                return None
            return {"add": a + b, "sub": a - b, "mul": a * b}.get(operator, a / (b or 1))
    return None


def without_unit_first(system: System) -> list[str]:
    """Return hyperparameters in the order in which they are supposed to have no unit.

    Later declared ones come first, and the step size, known to callers as lr, last.
    """

    def is_step_size(hyper: Hyperparameter) -> bool:
        return hyper.alias is not None and hyper.alias.name == "lr"

    later = list(reversed(system.hyperparameters))
    return [hyper.name for hyper in sorted(later, key=is_step_size)]
