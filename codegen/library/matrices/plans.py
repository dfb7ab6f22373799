"""What a stage of matrices does, operation by operation, and which arrays that takes.

An expression such as `3*X + (A @ A) @ X` becomes a product, another one, and a loop over entries.
An array is used again for later values of its shape once nobody reads what it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from optdsl.model.expressions import (
    Apply,
    Expression,
    Kind,
    Matrix,
    Reduce,
    Value,
    transform,
    values,
    walk,
)
from optdsl.program.keeping import expressions
from optdsl.program.program import Accumulate, Assignment, Matrices

#: An operation: a product, a power or a reduction of values, or an expression entry by entry in
#: which matrices are named, transposed or the identity.
Operation = Assignment | Accumulate


@dataclass(frozen=True)
class Plan:
    """The operations of a stage in order; `slots` says which array holds each matrix.

    `rooms` has the kind of each array, and whether it is float64 whatever the format of a step;
    `wide` are the values that are.
    """

    operations: tuple[Operation, ...]
    wide: frozenset[Value]
    slots: dict[Value, int]
    rooms: tuple[tuple[Kind, bool], ...]


def is_of_vectors(stage: Matrices) -> bool:
    """Does a stage compute values a row, a column and a tensor alone, from no entries?"""
    kinds = {each.value.kind for each in stage.loads} | {each.value.kind for each in stage.stores}
    kinds |= {each.kind for each in stage.body}
    nodes = [node for tree in expressions(stage) for node in walk(tree)]
    whole = any(isinstance(node, Matrix) for node in nodes)
    folded = all(each.kind.is_number for each in nodes if isinstance(each, Reduce))
    flat = all(kind.is_number or kind in (Kind.ROW, Kind.COLUMN) for kind in kinds)
    return flat and folded and not whole


def plan_of(stage: Matrices) -> Plan:
    """Return the plan of a stage."""
    planner = _Planner(stage)
    for fold in stage.folds:
        planner.wide.add(Value(fold.name, fold.kind))
        planner.operations.append(fold)
    for each in stage.body:
        planner.assign(each)
    slots, rooms = _arrays(planner.operations, planner.wide, {each.value for each in stage.stores})
    return Plan(tuple(planner.operations), frozenset(planner.wide), slots, rooms)


def is_view(expression: Expression) -> bool:
    """Is it a value, or the transpose of one?"""
    match expression:
        case Value():
            return not expression.kind.is_number
        case Matrix("transpose", (Value(),)):
            return True
    return False


class _Planner:
    """Takes expressions apart."""

    def __init__(self, stage: Matrices) -> None:
        self.operations: list[Operation] = []
        self.wide = {
            load.value for load in stage.loads if load.value.kind in (Kind.ROW, Kind.COLUMN)
        }
        self._count = 0

    def assign(self, assigned: Assignment) -> None:
        """Plan one assignment."""
        target = Value(assigned.name, assigned.kind)
        self._operate(target, assigned.expression, assigned.comment)
        if target.kind.is_number:
            self.wide.discard(target)  # it is rounded where it is read

    def _operate(self, target: Value, expression: Expression, comment: str = "") -> None:
        """Plan the operations that make a value of an expression."""
        match expression:
            case Matrix("product", (left, right)):
                whole: Expression = replace(expression, arguments=(self._view(left),
                                                                   self._view(right)))  # fmt: skip
            case Matrix("power", (matrix, exponent)):
                whole = replace(expression, arguments=(self._view(matrix), self._number(exponent)))
            case Reduce(_, argument, _, other):
                plain = None if other is None else self._plain(other)
                whole = replace(expression, argument=self._plain(argument), other=plain)
            case _:
                whole = self._plain(expression)
        if isinstance(whole, Reduce) or any(each in self.wide for each in values(whole)):
            self.wide.add(target)
        self.operations.append(Assignment(target.name, whole, comment))

    def _named(self, expression: Expression) -> Value:
        """Plan what makes a value without a name; return that."""
        self._count += 1
        target = Value(f"value {self._count} within", expression.kind)
        self._operate(target, expression)
        return target

    def _view(self, expression: Expression) -> Expression:
        """Return a value, or the transpose of one, that is what an expression gives."""
        if is_view(expression):
            return expression
        if isinstance(expression, Matrix) and expression.operator == "transpose":
            inner = self._view(expression.arguments[0])
            if isinstance(inner, Matrix):
                return inner.arguments[0]
            return replace(expression, arguments=(inner,))
        return self._named(expression)

    def _plain(self, expression: Expression) -> Expression:
        """Return what can be computed entry by entry, once other operations are done."""

        def change(node: Expression) -> Expression | None:
            match node:
                case Matrix("identity"):
                    return node
                case Matrix("transpose"):
                    return self._view(node)
                case Matrix() | Reduce():
                    return self._named(node)
                case Apply() if node.kind.is_number and not expression.kind.is_number:
                    return self._number(node)
            return None

        return transform(expression, change)

    def _number(self, expression: Expression) -> Expression:
        """Return a number that is computed in float64, before the entries that read it."""
        if not isinstance(expression, Apply):
            return self._plain(expression)
        target = self._named(expression)
        self.wide.discard(target)
        return target


def _arrays(
    operations: list[Operation], wide: set[Value], kept: set[Value]
) -> tuple[dict[Value, int], tuple[tuple[Kind, bool], ...]]:
    """Return the array of each matrix, and what each array holds."""
    last = {value: number for number, each in enumerate(operations) for value in _read(each)}
    slots: dict[Value, int] = {}
    rooms: list[tuple[Kind, bool]] = []
    free: dict[tuple[tuple[str, ...], bool], list[int]] = {}
    for number, each in enumerate(operations):
        target = Value(each.name, each.kind)
        if not target.kind.is_number:
            key = (tuple(sorted(target.kind.axes)), target in wide)
            waiting = free.setdefault(key, [])
            if not waiting:
                waiting.append(len(rooms))
                rooms.append((target.kind, target in wide))
            slots[target] = waiting.pop()
        for value in dict.fromkeys((*_read(each), target)):
            if value in slots and value not in kept and last.get(value, number) == number:
                key = (tuple(sorted(value.kind.axes)), value in wide)
                free[key].append(slots[value])
    return slots, tuple(rooms)


def _read(operation: Operation) -> Iterator[Value]:
    if isinstance(operation, Assignment):
        yield from values(operation.expression)
