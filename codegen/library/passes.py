"""Passes over tensors in LLVM code: over records of C, and over the tables of the runtime."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.dispatch import Level
from optdsl.codegen.library.entries import STARTS, update_function
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.library.storing import TYPES, Precision
from optdsl.codegen.library.updates import Update
from optdsl.codegen.library.words import (
    DOUBLE,
    NUMBERS,
    VOID,
    WORD,
    WORDS,
    array_at,
    counted,
    function,
    load,
    numbers_at,
    place,
    room,
    smaller,
    store,
    word,
)
from optdsl.codegen.loops import all_streams
from optdsl.codegen.support import arithmetic, registers
from optdsl.codegen.support.chunks import CHUNK
from optdsl.codegen.support.frames import SHAPES
from optdsl.codegen.support.row_chunks import LONGEST
from optdsl.codegen.support.shared_library import KERNEL_ARGUMENTS
from optdsl.model.expressions import Kind
from optdsl.program.program import Accumulate, Pass

#: What a function over records takes.
OVER_RECORDS = {"tensors": WORDS, "count": WORD, "scalars": NUMBERS, "everything": NUMBERS}


class PassWriter:
    """Writes the functions of one pass for one format, on one machine."""

    def __init__(
        self, module: Any, interface: Interface, stage: Pass, precision: Precision, machine: str
    ) -> None:
        self.module, self.interface, self.stage = module, interface, stage
        self.unit, self.precision, self.machine = interface.unit, precision, machine
        self.forms = all_streams(self.unit, stage)
        self.storages = {name: interface.storage(name, precision) for name in self.forms}
        self.types = [TYPES[each.format] for each in self.storages.values()]

    def update(self, name: str, level: Level) -> Update:
        """Add the function that works on some entries."""
        made = update_function(
            self.module, self.interface, self.stage, self.precision, name + level.ending,
            level.halves,
        )  # fmt: skip
        return Update(self.module, self.interface, self.stage, self.storages, made, level.ending)

    def over_records(self, name: str, update: Update) -> Any:
        """Add the function that runs a pass over tensors as C hands them in."""
        made, builder = function(self.module, name + update.ending, VOID, OVER_RECORDS)
        tensors, count, scalars, everything = made.args
        record, stage = self.interface.tensor, self.stage
        before = registers.flush_tiny(builder, self.machine)
        folds = [_Fold(builder, each) for each in stage.reductions if each.kind.is_number]
        entries = room(builder, WORD)
        builder.store(word(0), entries)
        for fold in folds:
            fold.begin(Kind.ALL)
        with counted(builder, word(0), count) as number:
            tensor = place(builder, tensors, builder.mul(number, word(record.words)))
            size = load(builder, tensor, record.offset("size"))
            builder.store(builder.add(builder.load(entries), size), entries)
            for fold in folds:
                fold.begin(Kind.TENSOR)
            self._tensor(builder, update, folds, tensor, (scalars, everything))
            row = numbers_at(builder, tensor, self.interface.first(record, "tensor"))
            for fold in folds:
                fold.end(Kind.TENSOR, size, row, self.unit.slots.tensor)
        for fold in folds:
            fold.end(Kind.ALL, builder.load(entries), everything, self.unit.slots.everything)
        registers.restore(builder, self.machine, before)
        builder.ret_void()
        return made

    def _tensor(
        self, builder: Any, update: Update, folds: list[_Fold], tensor: Any, rows: Any
    ) -> None:
        """Work through one tensor: chunk by chunk, or row by row."""
        record = self.interface.tensor
        scalars, everything = rows
        own = numbers_at(builder, tensor, self.interface.first(record, "tensor"))
        known = "identity" in record.fields
        identity = load(builder, tensor, record.offset("identity")) if known else word(0)
        names = [f"stream {name}" for name in self.forms]
        wholes = [array_at(builder, load(builder, tensor, record.offset(name)), kind)
                  for name, kind in zip(names, self.types, strict=True)]  # fmt: skip
        partials = room(builder, DOUBLE, len(folds))
        numbers = [scalars, own, everything, partials]
        if self.stage.by_rows:
            shape = [load(builder, tensor, record.offset(name)) for name in ("rows", "columns")]
            self._by_rows(builder, update, wholes, shape, numbers, word(0), identity)
            for column, fold in enumerate(folds):
                fold.add(load(builder, partials, column))
            return
        size = load(builder, tensor, record.offset("size"))
        with counted(builder, word(0), size, CHUNK) as begin:
            arrays = update.places(builder, wholes, begin)
            some = smaller(builder, builder.sub(size, begin), word(CHUNK))
            update.call(builder, arrays, some, numbers, begin, identity)
            for column, fold in enumerate(folds):
                fold.add(load(builder, partials, column))

    def _by_rows(
        self, builder: Any, update: Update, arrays: list[Any], shape: list[Any], numbers: list[Any],
        first: Any, identity: Any,
    ) -> None:  # fmt: skip
        """Work through some rows, from the entry `first` on; totals go on from piece to piece."""
        height, width = shape
        places = dict(zip(self.forms, arrays, strict=True))
        update.clear(builder, numbers[-1], places, shape)
        with counted(builder, word(0), height) as line:
            before = builder.mul(line, width)
            with counted(builder, word(0), width, LONGEST) as begin:
                entry = builder.add(before, begin)
                offsets = {"entry": entry, "row": line, "column": begin, "blocks": begin}
                pieces = [place(builder, places[name], offsets[form])
                          for name, form in self.forms.items()]  # fmt: skip
                some = smaller(builder, builder.sub(width, begin), word(LONGEST))
                at = builder.add(first, entry)
                update.call(builder, pieces, some, numbers, at, identity)

    def over_table(self, name: str, update: Update) -> Any:
        """Add the function that runs a pass over chunks of a table, which threads share."""
        made, builder = function(self.module, name + update.ending, VOID, {"frame": WORDS})
        at = _arrays_of(builder, made.args[0])
        before = registers.flush_tiny(builder, self.machine)
        some, count = load(builder, at["take"], 1), load(builder, at["take"], 2)
        again, work, done = (made.append_basic_block(n) for n in ("again", "work", "done"))
        builder.branch(again)
        builder.position_at_end(again)
        first = builder.atomic_rmw("add", at["take"], some, "monotonic")
        builder.cbranch(builder.icmp_signed("<", first, count), work, done)
        builder.position_at_end(work)
        last = smaller(builder, builder.add(first, some), count)
        with counted(builder, first, last) as chunk:
            self._chunk(builder, update, at, chunk)
        builder.branch(again)
        builder.position_at_end(done)
        registers.restore(builder, self.machine, before)
        builder.ret_void()
        return made

    def _chunk(self, builder: Any, update: Update, at: dict[str, Any], chunk: Any) -> None:
        """Work on one chunk of a table."""
        slots = self.unit.slots

        def row(name: str, index: Any, columns: int) -> Any:
            return place(builder, at[name], builder.mul(index, word(columns)))

        line = row("addresses", chunk, len(self.types))
        arrays = [array_at(builder, load(builder, line, column), kind)
                  for column, kind in enumerate(self.types)]  # fmt: skip
        identity = load(builder, at["rows"], chunk)
        scalars = row("scalars", load(builder, at["cohort"], identity), len(slots.scalars))
        tensor = row("tensor", identity, len(slots.tensor))
        width = sum(each.kind.is_number for each in self.stage.reductions)
        numbers = [scalars, tensor, at["everything"], row("partials", chunk, width)]
        begin = load(builder, at["begins"], chunk)
        count = load(builder, at["counts"], chunk)
        if self.stage.by_rows:
            shape = [count, load(builder, at["columns"], chunk)]
            self._by_rows(builder, update, arrays, shape, numbers, begin, identity)
        else:
            update.call(builder, arrays, count, numbers, begin, identity)


def _arrays_of(builder: Any, frame: Any) -> dict[str, Any]:
    """Return the arrays of a frame of `support/frames.py`: each an address, then its lengths."""
    arrays, offset = {}, 0
    for name in KERNEL_ARGUMENTS:
        dtype, axes = SHAPES[name]
        kind = WORD if dtype == "int64" else DOUBLE
        arrays[name] = array_at(builder, load(builder, frame, offset), kind)
        offset += 1 + axes
    return arrays


class _Fold:
    """A reduction, folded chunk after chunk."""

    def __init__(self, builder: Any, reduction: Accumulate) -> None:
        self.builder, self.reduction = builder, reduction
        self.total = room(builder, DOUBLE)

    def begin(self, kind: Kind) -> None:
        """Begin anew, if it is over a tensor or over all, as `kind` says."""
        if self.reduction.kind is kind:
            start = STARTS.get(self.reduction.operator, 0.0)
            self.builder.store(ir.Constant(DOUBLE, start), self.total)

    def add(self, partial: Any) -> None:
        """Take in what a chunk gave."""
        builder, total = self.builder, self.builder.load(self.total)
        match self.reduction.operator:
            case "min" | "max" as operator:
                folded = arithmetic.extreme("<" if operator == "min" else ">")
                builder.store(folded(builder, total, partial), self.total)
            case "any":
                held = builder.fcmp_unordered("!=", partial, ir.Constant(DOUBLE, 0.0))
                builder.store(builder.select(held, partial, total), self.total)
            case _:
                builder.store(builder.fadd(total, partial), self.total)

    def end(self, kind: Kind, size: Any, row: Any, slots: dict[str, int]) -> None:
        """Write what so many entries gave to its place in a row of numbers."""
        if self.reduction.kind is not kind:
            return
        builder, total = self.builder, self.builder.load(self.total)
        if self.reduction.operator in ("mean", "rms"):
            total = builder.fdiv(total, builder.sitofp(size, DOUBLE))
        if self.reduction.operator in ("norm", "rms"):
            total = arithmetic.intrinsic_call(builder, "sqrt", total)
        store(builder, total, row, slots[self.reduction.name])
