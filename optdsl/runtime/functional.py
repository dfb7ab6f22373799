"""What a generated module of functions says of itself: the contract with doors to frameworks
in which a step is a function of values.

The functions read values by key, see `optdsl.codegen.functional.bodies`, and return others. None
of them keeps or changes anything. Nothing here imports a compiler or a framework.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optdsl.runtime.facts import Facts
from optdsl.runtime.layout import HyperparameterSlot, InputSlot


@dataclass(frozen=True)
class Call:
    """A function, the keys of what it reads, and the keys of what it returns, in order."""

    function: Callable[..., Any]
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    def begin(self, known: Mapping[str, Any]) -> Any:
        """Call the function with what it reads."""
        return self.function(*(known[key] for key in self.reads))

    def __call__(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the function gives, by key."""
        return self.named(self.begin(known))

    def named(self, returned: Any) -> dict[str, Any]:
        """Return what the function returned, by key."""
        return dict(zip(self.writes, returned, strict=True))


#: Computes nothing.
NOTHING = Call(tuple, (), ())


@dataclass(frozen=True)
class Fact:
    """What is known of a tensor from its shape and name."""

    name: str
    pattern: str | None = None

    def of(self, facts: Facts) -> float:
        """Return it for a tensor."""
        known: Any = getattr(facts, self.name)
        return float(known if self.pattern is None else known(self.pattern))


@dataclass(frozen=True)
class StateSlot:
    """A state, its kind as in `layout.StateSlot`, and its value before the first step.

    `start` is a number, a fact, or a call that reads `theta` and hyperparameters.
    """

    name: str
    kind: Literal["entry", "row", "column", "turned", "rows", "columns", "tensor", "all", "step"]
    start: float | Fact | Call
    part: int = 0
    storage: str | None = None


@dataclass(frozen=True)
class Meeting:
    """Where the work on one tensor waits for the others: it yields, and is sent the answer.

    It wants a number for all tensors, or a gradient at a point ("gradient"). Cases in which a
    `shared` name stands meet each other.
    """

    name: str
    kind: Literal["number", "gradient"] = "number"
    shared: bool = False


@dataclass(frozen=True)
class Skip:
    """Where the number `condition` is true, parts after `part` take no step."""

    condition: str
    part: int


@dataclass(frozen=True)
class Case:
    """The rule of the tensors that `accepts` takes; see `layout.CaseSlot`.

    `numbers` gives what is computed once a step, from clocks, hyperparameters and states;
    `update` what is made of one tensor. `update` returns a generator where it has `meetings`.
    `evaluation` gives the point of evaluation, of theta and states after a step, by numbers and
    then tensor by tensor; `iterate` gives theta where the parameters hold something else, at
    the head of the step to come.
    """

    title: str
    parts: int
    numbers: Call
    update: Call | None
    hyperparameters: tuple[str, ...] = ()
    states: tuple[StateSlot, ...] = ()
    meetings: tuple[Meeting, ...] = ()
    skips: tuple[Skip, ...] = ()
    theta_part: int = 0
    accepts: Callable[[Any], bool] | None = None
    windows: tuple[tuple[int, int, int | None], ...] = ()
    kept: tuple[tuple[int, ...], ...] = ()
    evaluation: tuple[Call, Call] | None = None
    iterate: tuple[Call, Call] | None = None


@dataclass(frozen=True)
class Functions:
    """Everything that a door needs to know of a rule.

    `gradient` is the key of the gradient that is handed in, `output` that of what a step gives:
    "theta", what a transform hands on, or what a schedule gives. `losses` are keys of the loss
    where the gradient is taken. With `matrices`, the arrays are seen as rows and columns.
    """

    name: str
    family: Literal["optimizer", "schedule", "transform"]
    doc: str
    cases: tuple[Case, ...]
    gradient: str
    output: str
    hyperparameters: tuple[HyperparameterSlot, ...] = ()
    inputs: tuple[InputSlot, ...] = ()
    losses: tuple[str, ...] = ()
    matrices: bool = False
    draws: bool = False
    target: str = "jax"
