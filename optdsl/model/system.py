"""A system of recurrences: what a definition means.

Step `t` takes the states from `t - 1` to `t`. Every equation defines one value
of this step; together they are in an order in which each can be computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from optdsl.diagnostics import Span
from optdsl.language.syntax import Alias, Definition, Family
from optdsl.model.expressions import Expression, Fact, Kind

INFINITY = float("inf")


@dataclass(frozen=True, slots=True)
class Domain:
    """The numbers a hyperparameter may be; `low` and `high` are exact or infinite."""

    low: Fraction | float = -INFINITY
    high: Fraction | float = INFINITY
    low_open: bool = True
    high_open: bool = True
    whole: bool = False

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | float | Fraction) or value != value:
            return False
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below and (not self.whole or value == int(value))

    def holds_all_of(self, other: Domain) -> bool:
        """Does every number of `other` lie in this domain?"""
        above = other.low > self.low or (
            other.low == self.low and (not self.low_open or other.low_open)
        )
        below = other.high < self.high or (
            other.high == self.high and (not self.high_open or other.high_open)
        )
        return above and below and (not self.whole or other.whole)

    def __str__(self) -> str:
        if self.whole:
            return f"{_bound(self.low)}..{_bound(self.high)}"
        left, right = "(" if self.low_open else "[", ")" if self.high_open else "]"
        return f"{left}{_bound(self.low)}, {_bound(self.high)}{right}"


def _bound(value: Fraction | float) -> str:
    return f"{float(value):g}"


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """A number, a formula of t, a schedule or a function of t that the user may choose.

    `owner` is the definition that declares it: in a composition `AdamW.eta`
    reaches the `eta` of AdamW alone. `default` is of kind STEP; None means that
    a value must be given. `part` is the part whose clock a schedule of it counts, from 1 in
    the step after the first `begins`.
    """

    name: str
    owner: str
    local_name: str
    alias: Alias | None = None
    default: Expression | None = None
    domain: Domain | None = None
    doc: str | None = None
    part: int = 0
    begins: int = 0
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A value that outlives a step, and what it is before the first.

    `start` may read hyperparameters and, as `theta[0]`, the starting point: the
    value named `theta` with offset -1. It is None where the first step reads nothing of it.
    """

    name: str
    kind: Kind
    start: Expression | None
    part: int = 0
    storage: str | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Equation:
    """`name[t] = value`."""

    name: str
    value: Expression
    part: int = 0
    doc: str | None = None
    span: Span | None = None

    @property
    def kind(self) -> Kind:
        """How many numbers the value is."""
        return self.value.kind


@dataclass(frozen=True, slots=True)
class Gradient:
    """A gradient that a step asks for, known by `name`.

    `point` is where it is taken; None where it is handed in from outside, as to
    a transform. All the gradients of a step are of one batch. `loss` is the name of the
    loss at the same point, one number for all tensors, where that is read.
    """

    name: str
    point: Expression | None
    part: int = 0
    span: Span | None = None
    loss: str | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """A number that a user hands in at some steps, under the name `known_as`.

    It keeps its value between: `Value(name, STEP)` is the last that came, and
    `Value(flag, STEP)` tells whether it came in this step.
    """

    name: str
    known_as: str
    part: int = 0
    doc: str | None = None
    span: Span | None = None

    @property
    def flag(self) -> str:
        """The name of `given(...)`, which no author can write."""
        return given(self.name)


def given(name: str) -> str:
    """Return the name of the condition that the input called `name` came in this step."""
    return f"given({name})"


@dataclass(frozen=True, slots=True)
class Skip:
    """Where `condition` holds, the parts after part number `part` take no step."""

    condition: Expression
    part: int
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Fed:
    """A hyperparameter whose place a schedule has taken in the equations of a system.

    `names` are the equations and the states of that schedule: the equation called as the
    hyperparameter gives its value, the one called `ahead` that of the next step. `starts` are
    the starts of states as they were before its first value was put there. `text` is the
    schedule as its author wrote it.
    """

    hyperparameter: Hyperparameter
    names: frozenset[str]
    ahead: str | None = None
    starts: tuple[tuple[str, Expression], ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class System:
    """What a definition means, ready for a checker or a compiler.

    `equations` are in an order in which each can be computed, those of one
    part after those of the parts before it. `outputs` name what the definition
    gives: ("theta",) for an optimizer, whose `equations` then hold one for theta.
    `states` does not list theta: it starts where the user puts it, and
    `Value("theta", ENTRY, -1)` is its value before the step, in transforms too.
    A gradient of this step is `Value(name, ENTRY)`. `evaluation` is the point at which the
    model is evaluated where that is not theta. `fed` are the hyperparameters that schedules
    give: here they are equations; `overriding.py` makes hyperparameters of them again.
    `parameters` is the storage format of theta where the rule says one; it means nothing to what
    reasons about the equations.
    """

    name: str
    family: Family
    doc: str | None
    hyperparameters: tuple[Hyperparameter, ...]
    states: tuple[State, ...]
    equations: tuple[Equation, ...]
    gradients: tuple[Gradient, ...]
    outputs: tuple[str, ...]
    skips: tuple[Skip, ...] = ()
    handed_in: tuple[Input, ...] = ()
    evaluation: Expression | None = None
    fed: tuple[Fed, ...] = ()
    parameters: str | None = None
    definition: Definition | None = None
    source: str = ""

    def hyperparameter(self, name: str) -> Hyperparameter:
        """Return the hyperparameter called `name`; KeyError where there is none."""
        return _named(self.hyperparameters, name)

    def state(self, name: str) -> State:
        """Return the state called `name`; KeyError where there is none."""
        return _named(self.states, name)

    def equation(self, name: str) -> Equation:
        """Return the equation that defines `name`; KeyError where there is none."""
        return _named(self.equations, name)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what is handed in."""
        return tuple(each.name for each in self.handed_in)

    @property
    def flags(self) -> tuple[str, ...]:
        """The names of the conditions that tell what came in this step."""
        return tuple(each.flag for each in self.handed_in)

    @property
    def losses(self) -> dict[str, str]:
        """The names of the losses that are read, with the gradient that each comes with."""
        return {each.loss: each.name for each in self.gradients if each.loss is not None}

    @property
    def memory(self) -> tuple[State, ...]:
        """The states that steps change; the others hold facts about a tensor."""
        return tuple(state for state in self.states if not isinstance(state.start, Fact))

    @property
    def parts(self) -> int:
        """How many parts take steps of their own."""
        return 1 + len(self.skips)


_Named = TypeVar("_Named", Hyperparameter, State, Equation)


def _named(items: tuple[_Named, ...], name: str) -> _Named:
    for item in items:
        if item.name == name:
            return item
    raise KeyError(name)
