"""Values a row and a column, computed between passes, in LLVM code.

No array is needed for what is computed on the way: a value is computed where it is read, for the
row or the column at hand. All is float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.filters import each_of_case
from optdsl.codegen.library.folds import finished, taken
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.library.numbers import COMBINED, as_number
from optdsl.codegen.library.storing import TYPES, Precision
from optdsl.codegen.library.values import Writer
from optdsl.codegen.support.emitting import (
    DOUBLE,
    VOID,
    array_at,
    counted,
    function,
    is_true,
    load,
    numbers_at,
    room,
    store,
    word,
)
from optdsl.model.expressions import Clock, Kind, Reduce, Value
from optdsl.program.program import Accumulate, Matrices, neutral

_VECTORS = (Kind.ROW, Kind.COLUMN)


def vectors_function(
    module: Any, interface: Interface, stage: Matrices, precision: Precision, name: str
) -> Any:
    """Add the function that does the work of a stage, tensor by tensor."""
    made, builder = function(module, name, VOID, COMBINED)
    tensors, count, scalars, everything = made.args
    with each_of_case(builder, interface, tensors, count) as tensor:
        _Tensor(builder, interface, stage, precision, tensor, (scalars, everything)).write()
    builder.ret_void()
    return made


class _Tensor:
    """Writes what is done to one tensor."""

    def __init__(
        self, builder: Any, interface: Interface, stage: Matrices, precision: Precision,
        tensor: Any, rows: Any,
    ) -> None:  # fmt: skip
        self.builder, self.unit, self.stage = builder, interface.unit, stage
        record = interface.tensor
        self.shape = [load(builder, tensor, record.offset(each)) for each in ("rows", "columns")]
        scalars, everything = rows
        self.own = numbers_at(builder, tensor, interface.first(record, "tensor"))
        self.rows = {"step": scalars, "tensor": self.own, "all": everything}
        streams = [*(each.partial for each in stage.folds), *(each.stream for each in stage.loads),
                   *(each.stream for each in stage.stores)]  # fmt: skip
        self.arrays = {
            name: array_at(
                builder,
                load(builder, tensor, record.offset(f"stream {name}")),
                TYPES[interface.storage(name, precision).format],
            )
            for name in dict.fromkeys(streams)
        }
        self.folds = {Value(each.name, each.kind): each for each in stage.folds}
        self.loads = {each.value: each.stream for each in stage.loads}
        self.body = {Value(each.name, each.kind): each.expression for each in stage.body}
        self.numbers: dict[Value, Any] = {}
        self.index: dict[Kind, Any] = {}
        self.known: dict[Value, Any] = {}
        self.writer = Writer(
            builder, DOUBLE, self._value, self._clock, self.unit.predicates, reduced=self._reduced
        )

    def write(self) -> None:
        """Write the numbers of the tensor, then what is stored a row, then what is a column."""
        for each in self.stage.body:
            if each.kind.is_number:
                value = self.writer.write(each.expression)
                self.numbers[Value(each.name, each.kind)] = value
        for kind in _VECTORS:
            stores = [stored for stored in self.stage.stores if stored.value.kind is kind]
            if stores:
                with self._each(kind):
                    found = [self.writer.number(stored.value) for stored in stores]
                    for stored, value in zip(stores, found, strict=True):
                        self._store(stored.stream, value, self.index[kind])
        for value, number in self.numbers.items():
            slot = self.unit.slots.tensor[value.name]
            store(self.builder, as_number(self.builder, number), self.own, slot)

    @contextmanager
    def _each(self, kind: Kind) -> Iterator[None]:
        """Write a loop over the rows or the columns; what is known of one is known within."""
        before = dict(self.known)
        with counted(self.builder, word(0), self.shape[kind is Kind.COLUMN]) as index:
            self.index[kind] = index
            yield
        self.known = before

    def _store(self, stream: str, value: Any, index: Any) -> None:
        array = self.arrays[stream]
        narrow = array.type.pointee != DOUBLE
        value = self.builder.fptrunc(value, array.type.pointee) if narrow else value
        store(self.builder, value, array, index)

    # ------------------------------------------------------------------ reads

    def _value(self, value: Value) -> Any:
        if value in self.numbers:
            return self.numbers[value]
        if value.kind not in _VECTORS:
            return self._number(value)
        if value not in self.known:
            self.known[value] = self._vector(value)
        return self.known[value]

    def _number(self, value: Value) -> Any:
        row, slot = self.unit.slots.place(value)
        return self._truth(value, load(self.builder, self.rows[row], slot))

    def _truth(self, value: Value, read: Any) -> Any:
        if value.name not in self.unit.predicates:
            return read
        return is_true(self.builder, read)

    def _clock(self, clock: Clock) -> Any:
        row, slot = self.unit.slots.place(clock)
        return load(self.builder, self.rows[row], slot)

    def _vector(self, value: Value) -> Any:
        """Return a value of the row or the column at hand."""
        if value in self.folds:
            return self._folded(self.folds[value])
        if value in self.body:
            return self.writer.write(self.body[value])
        array = self.arrays[self.loads[value]]
        read = load(self.builder, array, self.index[value.kind])
        wide = read if read.type == DOUBLE else self.builder.fpext(read, DOUBLE)
        return self._truth(value, wide)

    def _folded(self, fold: Accumulate) -> Any:
        """Return a reduction of the row or the column at hand, which the pass has left."""
        total = load(self.builder, self.arrays[fold.partial], self.index[fold.kind])
        if fold.operator == "any":
            return is_true(self.builder, total)
        return finished(self.builder, fold.operator, total, self.shape[fold.kind is Kind.ROW])

    # -------------------------------------------------------------- reductions

    def _reduced(self, reduction: Reduce) -> Any:
        """Return a number made of all values a row, or of all a column."""
        kind = reduction.argument.kind
        assert kind in _VECTORS
        builder, operator = self.builder, reduction.operator
        total = room(builder, DOUBLE)
        builder.store(ir.Constant(DOUBLE, neutral(operator)), total)
        with self._each(kind):
            one = self.writer.number(reduction.argument)
            other = one if reduction.other is None else self.writer.number(reduction.other)
            builder.store(taken(builder, operator, builder.load(total), one, other), total)
        found = builder.load(total)
        if operator == "any":
            return is_true(builder, found)
        return finished(builder, operator, found, self.shape[kind is Kind.COLUMN])
