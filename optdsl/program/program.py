"""A program: what the machine does in one step.

Stages run in order. A `Pass` is one loop over every entry of every tensor; what
stands between passes is a handful of numbers on the host, and `Matrices`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from optdsl.model.expressions import Expression, Kind, Value
from optdsl.model.system import System

#: Where gradients come from and what the arrays hold: see `Program`.
Mode: TypeAlias = Literal["ready", "function", "iterate", "evaluate"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name = expression`, computed once wherever it stands.

    `comment` is the equation, or the piece of one, that it came from.
    """

    name: str
    expression: Expression
    comment: str = ""

    @property
    def kind(self) -> Kind:
        """How many numbers the assigned value is."""
        return self.expression.kind


@dataclass(frozen=True, slots=True)
class Scalars:
    """Numbers of kind STEP, in float64 on the host, once for all tensors that share t and group."""

    part: int
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """Read `value` from the array called `stream`.

    A stream is "theta", a gradient's name, a state's name or a buffer's. After a
    pass has stored a state, the stream holds its new value: `value.offset` says which is meant.
    """

    stream: str
    value: Value


@dataclass(frozen=True, slots=True)
class Store:
    """Write `value` to the array called `stream`."""

    stream: str
    value: Value


def shaped_name(name: str, kind: Kind) -> str:
    """Return the name of the array that holds values of a kind, the same for the same shapes."""
    return name if kind is Kind.ENTRY else f"{name} by {' and '.join(_axes(kind))}"


def _axes(kind: Kind) -> list[str]:
    return [axis for axis in kind.axes if axis != "1"]


@dataclass(frozen=True, slots=True)
class Accumulate:
    """Reduce `argument` (of kind ENTRY) into `name`, in float64, a partial sum a chunk.

    `operator` is a reduction; `kind` says over one tensor or over all, or to a value a row or
    a column: then the pass leaves what it has reduced in the buffer `partial`.
    """

    name: str
    operator: str
    argument: Expression
    kind: Kind
    other: Expression | None = None
    comment: str = ""

    @property
    def arguments(self) -> tuple[Expression, ...]:
        """What it reduces: one expression, or two factors."""
        return (self.argument,) if self.other is None else (self.argument, self.other)

    @property
    def partial(self) -> str:
        """The buffer that holds the partial results, for a value a row or a column."""
        return f"partial {shaped_name(self.name, self.kind)}"


_NEUTRAL = {"min": float("inf"), "max": -float("inf")}


def neutral(operator: str) -> float:
    """Return what the total of a reduction begins with: the number that changes nothing.

    >>> neutral("sum"), neutral("min")
    (0.0, inf)
    """
    return _NEUTRAL.get(operator, 0.0)


@dataclass(frozen=True, slots=True)
class Pass:
    """One loop over memory: every load, then the body in order, then every store.

    `vectors` are values a row and a column that the body reads.
    """

    number: int
    part: int
    loads: tuple[Load, ...]
    body: tuple[Assignment, ...]
    stores: tuple[Store, ...]
    reductions: tuple[Accumulate, ...] = ()
    vectors: tuple[Load, ...] = ()

    @property
    def by_rows(self) -> bool:
        """Does it tell rows and columns apart?"""
        return bool(self.vectors) or any(not each.kind.is_number for each in self.reductions)


@dataclass(frozen=True, slots=True)
class Matrices:
    """What is computed of whole matrices, tensor by tensor, before pass `number`.

    First the reductions to rows and columns of the pass before it are finished (`folds`), then
    come every load, the body in order, and every store. Arrays are of any kind; an assignment
    of kind TENSOR gives a number.
    """

    number: int
    part: int
    folds: tuple[Accumulate, ...]
    loads: tuple[Load, ...]
    body: tuple[Assignment, ...]
    stores: tuple[Store, ...]


@dataclass(frozen=True, slots=True)
class Combine:
    """Finish the reductions of the pass before it, then compute numbers of kind ALL or TENSOR.

    Where it does not finish all of them, `columns` say which it does, of `width` that there are.
    """

    part: int
    reductions: tuple[Accumulate, ...]
    assignments: tuple[Assignment, ...]
    columns: tuple[int, ...] | None = None
    width: int | None = None

    def column(self, reduction: Accumulate) -> int:
        """Return which of the partial sums of a chunk belongs to a reduction."""
        place = self.reductions.index(reduction)
        return place if self.columns is None else self.columns[place]


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for the gradient called `gradient` at the point in the stream `point`."""

    gradient: str
    point: str


@dataclass(frozen=True, slots=True)
class Guard:
    """Where `condition` (STEP, ALL or TENSOR) holds, later parts do nothing in this step."""

    part: int
    condition: Value


Stage: TypeAlias = Scalars | Pass | Combine | Matrices | Ask | Guard


@dataclass(frozen=True, slots=True)
class Program:
    """The stages of one step of `system`.

    `mode` is "ready" where gradients come from outside and the arrays hold the
    point at which the first is taken; "function" where the program asks for
    them and the arrays hold theta; "iterate" where it writes the true theta of
    a stored point into the buffer "iterate"; "evaluate" where it writes the point at
    which the model is evaluated, arrays of theta given, into a buffer of its own. `buffers` are
    arrays of one step's length, of the parameters' shapes but for those that `shaped` gives
    another kind.
    """

    system: System
    mode: Mode
    stages: tuple[Stage, ...]
    buffers: tuple[str, ...] = ()
    shaped: tuple[tuple[str, Kind], ...] = ()

    @property
    def moves(self) -> bool:
        """Does it take a step, and not only look at what the last one left?"""
        return self.mode in ("ready", "function")

    @property
    def passes(self) -> tuple[Pass, ...]:
        """The loops over memory."""
        return tuple(stage for stage in self.stages if isinstance(stage, Pass))

    def by_part(self) -> Iterator[Stage]:
        """Yield the stages part by part; each begins with its `Scalars`, be they empty."""
        for part in range(self.system.parts):
            stages = [each for each in self.stages if self._part_of(each) == part]
            yield next((each for each in stages if isinstance(each, Scalars)), Scalars(part, ()))
            yield from (each for each in stages if not isinstance(each, Scalars))

    def _part_of(self, stage: Stage) -> int:
        if isinstance(stage, Ask):
            return next(g.part for g in self.system.gradients if g.name == stage.gradient)
        return stage.part
