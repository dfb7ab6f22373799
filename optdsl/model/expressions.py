"""Typed expressions: what an equation computes, in the author's order of operations.

A `System` and a `Program` hold these nodes. Each knows its kind: how many
numbers it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from typing import TypeAlias


class Kind(Enum):
    """How many numbers a value is."""

    STEP = "a number a step"  # of t and hyperparameters alone
    ALL = "a number for all tensors"
    TENSOR = "a number a tensor"
    ROW = "a value a row"
    COLUMN = "a value a column"
    ENTRY = "a value an entry"
    TURNED = "a value an entry of the transpose"
    ROWS = "a value a pair of rows"
    COLUMNS = "a value a pair of columns"

    @property
    def axes(self) -> tuple[str, str]:
        """What a value of this kind has one of down and across: "1", "rows" or "columns"."""
        return _AXES.get(self, ("1", "1"))

    @property
    def is_number(self) -> bool:
        """Is it one number, for a step, for all tensors or for each?"""
        return self not in _AXES

    @property
    def is_matrix(self) -> bool:
        """Does it speak of rows or columns, and not of entries or numbers alone?"""
        return self in _AXES and self is not Kind.ENTRY

    def join(self, other: Kind) -> Kind:
        """Return the kind of an operation on values of both kinds, which must `fit`."""
        if self.is_number and other.is_number:
            return max(self, other, key=_ORDER.index)
        joined = tuple(map(_longer, self.axes, other.axes))
        return _OF_AXES.get(joined, Kind.ENTRY)

    def fits(self, other: Kind) -> bool:
        """Can values of both kinds be taken together, entry by entry?"""
        pairs = zip(self.axes, other.axes, strict=True)
        return all(a == b or "1" in (a, b) for a, b in pairs)

    def within(self, other: Kind) -> bool:
        """Is a value of this kind known wherever one of the `other` kind is?"""
        return self.fits(other) and self.join(other) is other


_ORDER = list(Kind)
_AXES = {
    Kind.ROW: ("rows", "1"), Kind.COLUMN: ("1", "columns"), Kind.ENTRY: ("rows", "columns"),
    Kind.TURNED: ("columns", "rows"), Kind.ROWS: ("rows", "rows"),
    Kind.COLUMNS: ("columns", "columns"),
}  # fmt: skip
_OF_AXES: dict[tuple[str, ...], Kind] = {axes: kind for kind, axes in _AXES.items()}


def _longer(a: str, b: str) -> str:
    return b if a == "1" else a


def of_axes(down: str, across: str) -> Kind | None:
    """Return the kind of a value with these axes, or None where there is none."""
    return Kind.TENSOR if (down, across) == ("1", "1") else _OF_AXES.get((down, across))


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number. `text` is how the author wrote it."""

    value: Fraction
    text: str

    @property
    def kind(self) -> Kind:
        """It is known to the host."""
        return Kind.STEP


@dataclass(frozen=True, slots=True)
class Constant:
    """`pi`, `inf`, `true` or `false`."""

    name: str

    @property
    def kind(self) -> Kind:
        """It is known to the host."""
        return Kind.STEP


@dataclass(frozen=True, slots=True)
class Clock:
    """`t + offset`: the steps that part number `part` of the rule has taken, this one included."""

    part: int = 0
    offset: int = 0

    @property
    def kind(self) -> Kind:
        """It is known to the host."""
        return Kind.STEP


@dataclass(frozen=True, slots=True)
class Value:
    """A named value at step `t + offset`.

    Offset 0 is this step's, -1 is a state's value before the step, +1 is a
    hyperparameter one step ahead.
    """

    name: str
    kind: Kind
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Apply:
    """An operator on its arguments, entry by entry.

    `operator` is one of OPERATORS; the author's order is the tree itself.
    """

    operator: str
    arguments: tuple[Expression, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Reduce:
    """A reduction of `argument` to a number a tensor, or to one of another `kind`.

    `operator` is one of REDUCTIONS. Over all tensors the entries of every
    tensor are taken together.
    """

    operator: str
    argument: Expression
    kind: Kind
    other: Expression | None = None  # the second factor of `dot`

    @property
    def arguments(self) -> tuple[Expression, ...]:
        """What it reduces: one expression, or two factors."""
        return (self.argument,) if self.other is None else (self.argument, self.other)

    @property
    def over(self) -> Kind:
        """What it goes through: entries, rows or columns."""
        kind = self.argument.kind
        return kind if self.other is None else kind.join(self.other.kind)


@dataclass(frozen=True, slots=True)
class Matrix:
    """An operation on whole matrices: one of MATRIX_OPERATORS.

    `product` is `A @ B`, `transpose` is `A.T`, `identity` has ones where a row meets itself,
    and `power` is a power of a symmetric matrix, by its eigenvalues.
    """

    operator: str
    arguments: tuple[Expression, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a tensor before it steps: `rows`, `columns`, `ndim`, `size`, `named`.

    Facts stand in the starts of states of kind TENSOR alone. `pattern` is what the
    tensor's name is held against, for `named`, which is 1 where it fits and 0 elsewhere.
    """

    name: str
    pattern: str | None = None

    @property
    def kind(self) -> Kind:
        """It is known of each tensor."""
        return Kind.TENSOR

    def __str__(self) -> str:
        return self.name if self.pattern is None else f'{self.name}("{self.pattern}")'


@dataclass(frozen=True, slots=True)
class Step:
    """The point that the rule called `rule` steps to from `point`.

    `gradient` is handed to it, or None where it asks for its own. Systems that are
    built hold no such node: the rule is written out in its place.
    """

    rule: str
    point: Expression
    gradient: Expression | None = None

    @property
    def kind(self) -> Kind:
        """It is a point."""
        return Kind.ENTRY


@dataclass(frozen=True, slots=True)
class Draw:
    """One random number an entry: of `normal` with mean 0 and deviation 1, or `uniform` in (0, 1).

    It is a function of the seed, the tensor, the entry, `step` (the t of its part) and
    `number`, which counts the draws of one distribution in a rule, and of nothing else.
    """

    distribution: str
    number: int
    step: Expression = field(default_factory=Clock)

    @property
    def kind(self) -> Kind:
        """Every entry has its own."""
        return Kind.ENTRY


Expression: TypeAlias = (
    Number | Constant | Clock | Value | Apply | Reduce | Matrix | Fact | Step | Draw
)

#: Operators and how many arguments each takes (None: two or more).
OPERATORS: dict[str, int | None] = {
    "neg": 1, "add": 2, "sub": 2, "mul": 2, "div": 2, "pow": 2, "mod": 2,
    "min": None, "max": None, "abs": 1, "sign": 1, "sqrt": 1, "exp": 1, "log": 1,
    "cos": 1, "floor": 1, "finite": 1,
    "lt": 2, "le": 2, "gt": 2, "ge": 2, "eq": 2, "ne": 2, "and": 2, "or": 2, "not": 1,
    "select": 3,  # select(condition, value, otherwise): the branch not taken does not count
}  # fmt: skip

#: Operators whose value is true or false.
PREDICATES = frozenset({"finite", "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not"})

#: Operations on whole matrices and how many arguments each takes.
MATRIX_OPERATORS = {"product": 2, "transpose": 1, "identity": 0, "power": 2}

REDUCTIONS = frozenset({"norm", "sum", "mean", "rms", "max", "min", "dot", "any"})


def is_predicate(expression: Expression) -> bool:
    """Is the value of `expression` true or false?"""
    match expression:
        case Constant(name):
            return name in ("true", "false")
        case Apply("select", (_, value, _)):
            return is_predicate(value)
        case Apply(operator):
            return operator in PREDICATES
        case Reduce("any"):
            return True
    return False


def children(expression: Expression) -> tuple[Expression, ...]:
    """Return the expressions that `expression` is made of."""
    match expression:
        case Apply(_, arguments) | Matrix(_, arguments):
            return arguments
        case Reduce():
            return expression.arguments
        case Step(_, point, gradient):
            return (point,) if gradient is None else (point, gradient)
        case Draw(_, _, step):
            return (step,)
    return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield `expression` and all that stands in it, outermost first."""
    yield expression
    for child in children(expression):
        yield from walk(child)


def values(expression: Expression) -> Iterator[Value]:
    """Yield every named value that `expression` reads."""
    return (node for node in walk(expression) if isinstance(node, Value))


def transform(
    expression: Expression, change: Callable[[Expression], Expression | None]
) -> Expression:
    """Rebuild `expression` top down; where `change` gives an expression, that stands instead."""
    changed = change(expression)
    if changed is not None:
        return changed
    match expression:
        case Apply(_, arguments):
            new = tuple(transform(argument, change) for argument in arguments)
            return expression if new == arguments else _apply_again(expression, new)
        case Matrix(_, arguments):
            return replace(expression, arguments=tuple(transform(a, change) for a in arguments))
        case Reduce(_, argument, _, other):
            return replace(
                expression,
                argument=transform(argument, change),
                other=None if other is None else transform(other, change),
            )
        case Step(_, point, gradient):
            return replace(
                expression,
                point=transform(point, change),
                gradient=None if gradient is None else transform(gradient, change),
            )
        case Draw(_, _, step):
            return replace(expression, step=transform(step, change))
    return expression


def _apply_again(expression: Apply, arguments: tuple[Expression, ...]) -> Apply:
    return apply(expression.operator, *arguments)


def apply(operator: str, *arguments: Expression) -> Apply:
    """Return `operator` on `arguments`, of the kind that joins theirs.

    >>> apply("add", number(1), Value("g", Kind.ENTRY)).kind
    <Kind.ENTRY: 'a value an entry'>
    """
    kind = Kind.STEP
    for argument in arguments:
        kind = kind.join(argument.kind)
    return Apply(operator, arguments, kind)


def number(value: int | Fraction) -> Number:
    """Return an exact number that no author wrote."""
    return Number(Fraction(value), str(value))
