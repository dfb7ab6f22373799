"""Stages that compute with whole matrices, in LLVM code, tensor by tensor.

Products and powers are shared by the threads of the caller where there are any; what is done
entry by entry is done by one. Numbers once a tensor are float64, and so are values a row or a
column; entries are computed in the format of a step, product by product as they are written.
"""

from __future__ import annotations

from typing import Any

from optdsl.codegen.library.dispatch import Level
from optdsl.codegen.library.filters import each_of_case
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.library.matrices.loops import MatrixLoops, Random
from optdsl.codegen.library.matrices.plans import Plan, plan_of
from optdsl.codegen.library.matrices.powers import power_function, power_words
from optdsl.codegen.library.matrices.products import Crew, Products, View, half_words, packed_words
from optdsl.codegen.library.numbers import COMBINED, as_number
from optdsl.codegen.library.passes.tasks import FOR_EACH
from optdsl.codegen.library.storing import TYPES, Precision
from optdsl.codegen.library.values import Writer
from optdsl.codegen.support.emitting import (
    BYTE,
    DOUBLE,
    VOID,
    WORD,
    WORDS,
    array_at,
    function,
    is_true,
    load,
    numbers_at,
    place,
    room,
    store,
    word,
)
from optdsl.model.expressions import (
    Clock,
    Draw,
    Expression,
    Kind,
    Matrix,
    Reduce,
    Value,
    values,
)
from optdsl.program.program import Accumulate, Assignment, Matrices
from optdsl.storage import Storage

#: What a stage of matrices takes.
WITH_ROOM = {**COMBINED, "room": WORDS, "for_each": FOR_EACH, "pool": BYTE.as_pointer()}
_WIDE, _NARROW = Storage("float64"), Storage("float32")


def matrices_function(
    module: Any, interface: Interface, stage: Matrices, precision: Precision, name: str,
    level: Level,
) -> Any:  # fmt: skip
    """Add the function that does the work of a stage for one level."""
    made, builder = function(module, name + level.ending, VOID, WITH_ROOM)
    given = dict(zip(WITH_ROOM, made.args, strict=True))
    with each_of_case(builder, interface, given["tensors"], given["count"]) as tensor:
        _Tensor(builder, interface, stage, precision, level, tensor, given).write()
    builder.ret_void()
    return made


def stage_words(builder: Any, stage: Matrices, precision: Precision, shape: Any) -> Any:
    """Return the words of room that a stage needs for a tensor of so many rows and columns."""
    plan = plan_of(stage)
    rooms = _rooms(builder, plan, precision, shape)
    total = word(0)
    for each in [*rooms, _scratch(builder, plan, precision, shape)]:
        total = builder.add(total, each)
    return total


def _sizes(kind: Kind, shape: Any) -> tuple[Any, Any]:
    lengths = {"rows": shape[0], "columns": shape[1], "1": word(1)}
    down, across = kind.axes
    return lengths[down], lengths[across]


def _rooms(builder: Any, plan: Plan, precision: Precision, shape: Any) -> list[Any]:
    """Return the words that each array of a plan takes."""
    found = []
    for kind, wide in plan.rooms:
        count = builder.mul(*_sizes(kind, shape))
        narrow = not wide and precision.real != DOUBLE
        found.append(half_words(builder, count) if narrow else count)
    return found


def _scratch(builder: Any, plan: Plan, precision: Precision, shape: Any) -> Any:
    """Return the words that the largest product or power takes besides."""
    most = word(0)
    for each in plan.operations:
        match each:
            case Assignment(_, Matrix("product", (left, right))):
                wide = Value(each.name, each.kind) in plan.wide
                inner, across = _sizes(right.kind, shape)
                whole = (_sizes(left.kind, shape)[0], inner, across)
                need = packed_words(builder, whole, DOUBLE if wide else precision.real)
            case Assignment(_, Matrix("power", (matrix, _))):
                n = _sizes(matrix.kind, shape)[0]
                need = builder.add(power_words(builder, n), builder.mul(n, n))
            case _:
                continue
        more = builder.icmp_signed(">", need, most)
        most = builder.select(more, need, most)
    return most


class _Tensor:
    """Writes what is done to one tensor."""

    def __init__(
        self, builder: Any, interface: Interface, stage: Matrices, precision: Precision,
        level: Level, tensor: Any, given: dict[str, Any],
    ) -> None:  # fmt: skip
        self.builder, self.unit, self.stage = builder, interface.unit, stage
        self.interface, self.precision, self.level = interface, precision, level
        self.tensor, self.given, self.record = tensor, given, interface.tensor
        self.shape = [self._field("rows"), self._field("columns")]
        self.own = numbers_at(builder, tensor, interface.first(self.record, "tensor"))
        self.rows = {"step": given["scalars"], "tensor": self.own, "all": given["everything"]}
        self.plan = plan_of(stage)
        self.crew = Crew(given["for_each"], given["pool"])
        self.numbers: dict[Value, Any] = {}
        self.views = {each.value: self._stream(each.stream, each.value.kind)
                      for each in stage.loads}  # fmt: skip
        self.partials = {each.partial: self._partial(each) for each in stage.folds}
        self.scratch = self._arrays()
        self.loops = MatrixLoops(builder, level.ending, self.unit.predicates, self._found)

    def write(self) -> None:
        """Write the operations in order, then store what outlives the stage."""
        for each in self.plan.operations:
            if isinstance(each, Accumulate):
                self._fold(each)
            else:
                self._operate(each)
        for stored in self.stage.stores:
            target = self._stream(stored.stream, stored.value.kind)
            self.loops.copy(target, self.views[stored.value])
        for value, number in self.numbers.items():
            if value.name in self.unit.slots.tensor:
                slot = self.unit.slots.tensor[value.name]
                store(self.builder, as_number(self.builder, number), self.own, slot)

    # ------------------------------------------------------------------ memory

    def _field(self, key: str) -> Any:
        return load(self.builder, self.tensor, self.record.offset(key))

    def _stream(self, name: str, kind: Kind) -> View:
        """Return an array of the tensor as a matrix."""
        storage = self.interface.storage(name, self.precision)
        array = array_at(self.builder, self._field(f"stream {name}"), TYPES[storage.format])
        return self._matrix(array, storage, kind)

    def _partial(self, fold: Accumulate) -> View:
        return self._stream(fold.partial, fold.kind)

    def _matrix(self, array: Any, storage: Storage, kind: Kind) -> View:
        """Return a view of an array without gaps; where an axis has one value, that is repeated."""
        down, across = _sizes(kind, self.shape)
        steps = (0 if kind.axes[0] == "1" else 1 if kind.axes[1] == "1" else across,
                 0 if kind.axes[1] == "1" else 1)  # fmt: skip
        return View(array, storage, (down, across), steps)

    def _arrays(self) -> Any:
        """Find the arrays of the plan in the room; return where scratch begins."""
        builder, cursor = self.builder, self.given["room"]
        arrays = []
        sizes = _rooms(builder, self.plan, self.precision, self.shape)
        for (_, wide), size in zip(self.plan.rooms, sizes, strict=True):
            kind = DOUBLE if wide else self.precision.real
            arrays.append(builder.bitcast(cursor, kind.as_pointer()))
            cursor = place(builder, cursor, size)
        for value, slot in self.plan.slots.items():
            storage = _WIDE if self._real(value) == DOUBLE else _NARROW
            self.views[value] = self._matrix(arrays[slot], storage, value.kind)
        return cursor

    def _real(self, value: Value) -> Any:
        """Return the type in which a value is computed."""
        return DOUBLE if value in self.plan.wide else self.precision.real

    # -------------------------------------------------------------- operations

    def _fold(self, fold: Accumulate) -> None:
        """Finish what a pass has reduced to values a row or a column."""
        target = self.views[Value(fold.name, fold.kind)]
        count = self.shape[fold.kind is Kind.ROW]
        self.loops.finish(target, self.partials[fold.partial], fold.operator, count)

    def _operate(self, assigned: Assignment) -> None:
        target, expression = Value(assigned.name, assigned.kind), assigned.expression
        match expression:
            case Matrix("product", (left, right)):
                products = Products(self.builder.module, self._real(target), self.level)
                factors = self._found(left), self._found(right)
                products.multiply(
                    self.builder, self.crew, self.views[target].array, *factors, self.scratch
                )
            case Matrix("power", (matrix, exponent)):
                self._power(self.views[target], matrix, self._once(exponent))
            case Reduce():
                self._reduce(target, expression)
            case _ if target.kind.is_number:
                self.numbers[target] = self._once(expression)
            case _:
                self.loops.fill(self.views[target], expression, self._real(target))

    def _power(self, target: View, matrix: Expression, exponent: Any) -> None:
        """Write a power of a matrix, computed in float64."""
        builder, n = self.builder, target.shape[0]
        scratch = builder.bitcast(self.scratch, DOUBLE.as_pointer())
        wide = target
        if target.storage != _WIDE:
            wide = View(scratch, _WIDE, target.shape, target.steps)
            scratch = place(builder, scratch, builder.mul(n, n))
        self.loops.copy(wide, self._found(matrix))
        power = power_function(builder.module, self.level)
        given = [self.crew.for_each, self.crew.pool, n, wide.array, exponent, scratch]
        builder.call(power, given)
        if wide is not target:
            self.loops.copy(target, wide)

    def _reduce(self, target: Value, reduction: Reduce) -> None:
        """Reduce a matrix to a number, to one a row or to one a column."""
        builder = self.builder
        wide = any(each in self.plan.wide for each in values(reduction))
        if target.kind.is_number:
            total = View(room(builder, DOUBLE), _WIDE, (word(1), word(1)), (0, 0))
        else:
            total = self.views[target]
        real = DOUBLE if wide else self.precision.real
        self.loops.reduce(total, _sizes(reduction.over, self.shape), reduction, real)
        if target.kind.is_number:
            found = builder.load(total.array)
            if reduction.operator == "any":
                found = is_true(builder, found)
            self.numbers[target] = found

    # ------------------------------------------------------------------- reads

    def _once(self, expression: Expression) -> Any:
        """Compute a number, in float64."""
        writer = Writer(self.builder, DOUBLE, self._found, self._found, self.unit.predicates)
        return writer.write(expression)

    def _found(self, node: Expression) -> Any:
        """Return what an expression reads: a matrix, a number, or random numbers."""
        match node:
            case Matrix(_, (inner,)):
                return self._found(inner).turned
            case Draw(step=Value() as step):
                return Random(node, self._words(step))
            case Value() if not node.kind.is_number:
                return self.views[node]
            case Value() if node in self.numbers:
                return self.numbers[node]
            case Value() | Clock():
                row, slot = self.unit.slots.place(node)
                number = load(self.builder, self.rows[row], slot)
            case _:
                raise AssertionError(f"{node} stands inside an expression")
        if isinstance(node, Value) and node.name in self.unit.predicates:
            return is_true(self.builder, number)
        return number

    def _words(self, step: Value) -> dict[str, Any]:
        """Return what random numbers depend on besides the entry."""
        seed = self.unit.slots.seed
        assert seed is not None
        builder, everything = self.builder, self.given["everything"]
        numbers = {
            "step": load(builder, self.given["scalars"], self.unit.slots.scalars[step]),
            "low": load(builder, everything, seed),
            "high": load(builder, everything, seed + 1),
        }
        words = {name: builder.fptoui(number, WORD) for name, number in numbers.items()}
        return {**words, "identity": self._field("identity")}
