"""Passes over the tables of the runtime in LLVM code, and what those over records share."""

from __future__ import annotations

from typing import Any

from optdsl.codegen.library.dispatch import Level
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.library.passes.entries import update_function
from optdsl.codegen.library.passes.updates import Update
from optdsl.codegen.library.storing import TYPES, Precision
from optdsl.codegen.loops import all_streams
from optdsl.codegen.support import registers
from optdsl.codegen.support.emitting import (
    DOUBLE,
    VOID,
    WORD,
    WORDS,
    array_at,
    counted,
    function,
    load,
    place,
    smaller,
    word,
)
from optdsl.codegen.support.frames import SHAPES
from optdsl.codegen.support.row_chunks import LONGEST
from optdsl.codegen.support.shared_library import KERNEL_ARGUMENTS
from optdsl.program.program import Pass


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

    def by_rows(
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
            self.by_rows(builder, update, arrays, shape, numbers, begin, identity)
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
