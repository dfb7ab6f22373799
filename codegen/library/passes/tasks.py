"""Passes over tensors as C hands them in: by one thread, or in tasks that threads share.

A pass is cut into pieces: chunks of entries, or whole tensors where rows are told apart. Each
leaves its partial sums in a place of its own, and they are folded in the order of the pieces, as
they are where one thread does all. So it changes nothing which thread does which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.filters import in_case, tensor_at
from optdsl.codegen.library.folds import Fold
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.library.passes.tables import PassWriter
from optdsl.codegen.library.passes.updates import Update
from optdsl.codegen.support import registers
from optdsl.codegen.support.chunks import CHUNK
from optdsl.codegen.support.emitting import (
    BYTE,
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
    once,
    place,
    room,
    smaller,
    store,
    word,
)
from optdsl.model.expressions import Kind

#: What a function over records takes.
OVER_RECORDS = {"tensors": WORDS, "count": WORD, "scalars": NUMBERS, "everything": NUMBERS}
#: What a task and a fold are told, a word each. `firsts` are the numbers of the first piece of
#: each tensor, and how many there are in all; a task takes `some` pieces.
SHARED = (*OVER_RECORDS, "firsts", "partials", "some", "pieces")
TASK = {"data": WORDS, "number": WORD}
#: What C hands over to run tasks: for_each(pool, count, task, data).
FOR_EACH = ir.FunctionType(
    VOID,
    [BYTE.as_pointer(), WORD, ir.FunctionType(VOID, list(TASK.values())).as_pointer(), WORDS],
).as_pointer()


@dataclass(frozen=True)
class PassFunctions:
    """The functions of one pass over records: by one thread, and for several."""

    alone: Any
    task: Any
    fold: Any
    by_rows: bool


class TaskWriter:
    """Writes the functions of one pass over records."""

    def __init__(self, writer: PassWriter) -> None:
        self.writer, self.module, self.interface = writer, writer.module, writer.interface
        self.stage, self.machine = writer.stage, writer.machine
        self.slots = writer.unit.slots
        self.reductions = [each for each in self.stage.reductions if each.kind.is_number]

    # ------------------------------------------------------------- one thread

    def alone(self, name: str, update: Update) -> Any:
        """Add the function by which one thread does all."""
        made, builder = function(self.module, name + update.ending, VOID, OVER_RECORDS)
        given = dict(zip(OVER_RECORDS, made.args, strict=True))
        partials = room(builder, DOUBLE, len(self.reductions))

        def work(number: Any, folds: list[Fold]) -> None:
            tensor = self._tensor(builder, given, number)

            def piece(begin: Any) -> None:
                self._piece(builder, update, given, tensor, begin, partials)
                for column, fold in enumerate(folds):
                    fold.add(load(builder, partials, column))

            if self.stage.by_rows:
                piece(word(0))
                return
            with counted(builder, word(0), self._field(builder, tensor, "size"), CHUNK) as begin:
                piece(begin)

        self._folded(builder, given, work)
        builder.ret_void()
        return made

    # --------------------------------------------------------- several threads

    def task(self, name: str, update: Update) -> Any:
        """Add the function that works on some pieces, so many of which are a task."""
        made, builder = function(self.module, name + update.ending, VOID, TASK)
        given = _shared(builder, made.args[0])
        before = registers.flush_tiny(builder, self.machine)
        first = builder.mul(made.args[1], given["some"])
        last = smaller(builder, builder.add(first, given["some"]), given["pieces"])
        width = word(len(self.reductions))
        with counted(builder, first, last) as piece:
            owner, begin = piece, word(0)
            if not self.stage.by_rows:
                find = owner_function(self.module)
                owner = builder.call(find, [given["firsts"], given["count"], piece])
                passed = builder.sub(piece, load(builder, given["firsts"], owner))
                begin = builder.mul(passed, word(CHUNK))
            partials = place(builder, given["partials"], builder.mul(piece, width))
            tensor = self._tensor(builder, given, owner)
            with in_case(builder, self.interface, tensor):
                self._piece(builder, update, given, tensor, begin, partials)
        registers.restore(builder, self.machine, before)
        builder.ret_void()
        return made

    def fold(self, name: str) -> Any:
        """Add the function that folds what all pieces have left; None for a pass of no sums."""
        if not self.reductions:
            return None
        made, builder = function(self.module, name, VOID, {"data": WORDS})
        given = _shared(builder, made.args[0])

        def work(number: Any, folds: list[Fold]) -> None:
            first, last = number, builder.add(number, word(1))
            if not self.stage.by_rows:
                first, last = (load(builder, given["firsts"], each) for each in (first, last))
            with counted(builder, first, last) as piece:
                line = builder.mul(piece, word(len(folds)))
                for column, fold in enumerate(folds):
                    at = builder.add(line, word(column))
                    fold.add(load(builder, given["partials"], at))

        self._folded(builder, given, work)
        builder.ret_void()
        return made

    # ------------------------------------------------------------------ pieces

    def _folded(
        self, builder: Any, given: dict[str, Any], work: Callable[[Any, list[Fold]], None]
    ) -> None:
        """Write the loop over tensors: `work` adds what each has left to the folds."""
        before = registers.flush_tiny(builder, self.machine)
        folds = [Fold(builder, each, self.interface.choice) for each in self.reductions]
        entries = room(builder, WORD)
        builder.store(word(0), entries)
        for fold in folds:
            fold.begin(Kind.ALL, given["everything"])
        with counted(builder, word(0), given["count"]) as number:
            tensor = self._tensor(builder, given, number)
            with in_case(builder, self.interface, tensor):
                size, own = self._field(builder, tensor, "size"), self._own(builder, tensor)
                builder.store(builder.add(builder.load(entries), size), entries)
                for fold in folds:
                    fold.begin(Kind.TENSOR, own)
                work(number, folds)
                for fold in folds:
                    fold.end(Kind.TENSOR, size, own, self.slots.tensor)
        for fold in folds:
            found = builder.load(entries)
            fold.end(Kind.ALL, found, given["everything"], self.slots.everything)
        registers.restore(builder, self.machine, before)

    def _piece(
        self, builder: Any, update: Update, given: dict[str, Any], tensor: Any, begin: Any,
        partials: Any,
    ) -> None:  # fmt: skip
        """Work on one piece of a tensor, which begins at an entry."""
        record = self.interface.tensor
        known = "identity" in record.fields
        identity = self._field(builder, tensor, "identity") if known else word(0)
        fields = [f"stream {name}" for name in self.writer.forms]
        wholes = [array_at(builder, self._field(builder, tensor, name), kind)
                  for name, kind in zip(fields, self.writer.types, strict=True)]  # fmt: skip
        numbers = [given["scalars"], self._own(builder, tensor), given["everything"], partials]
        if self.stage.by_rows:
            shape = [self._field(builder, tensor, name) for name in ("rows", "columns")]
            self.writer.by_rows(builder, update, wholes, shape, numbers, word(0), identity)
            return
        some = builder.sub(self._field(builder, tensor, "size"), begin)
        arrays = update.places(builder, wholes, begin)
        length = smaller(builder, some, word(CHUNK))
        update.call(builder, arrays, length, numbers, begin, identity)

    def _tensor(self, builder: Any, given: dict[str, Any], number: Any) -> Any:
        return tensor_at(builder, self.interface, given["tensors"], number)

    def _field(self, builder: Any, tensor: Any, key: str) -> Any:
        return load(builder, tensor, self.interface.tensor.offset(key))

    def _own(self, builder: Any, tensor: Any) -> Any:
        record = self.interface.tensor
        return numbers_at(builder, tensor, self.interface.first(record, "tensor"))


def _shared(builder: Any, data: Any) -> dict[str, Any]:
    """Return what a task is told, by name."""
    found = {name: load(builder, data, offset) for offset, name in enumerate(SHARED)}
    kinds = {"tensors": WORDS, "firsts": WORDS}
    kinds |= dict.fromkeys(("scalars", "everything", "partials"), NUMBERS)
    return {name: builder.inttoptr(value, kinds[name]) if name in kinds else value
            for name, value in found.items()}  # fmt: skip


def tell(builder: Any, given: dict[str, Any]) -> Any:
    """Return the place of what tasks are told, each a word or an address."""
    data = room(builder, WORD, len(SHARED))
    for offset, name in enumerate(SHARED):
        value = given[name]
        is_address = isinstance(value.type, ir.PointerType)
        store(builder, builder.ptrtoint(value, WORD) if is_address else value, data, offset)
    return data


def owner_function(module: Any) -> Any:
    """Return the function that finds the tensor of a piece: (firsts, count, piece)."""
    arguments = {"firsts": WORDS, "count": WORD, "piece": WORD}
    made, builder = once(module, "owner", WORD, arguments)
    if builder is None:
        return made
    firsts, count, piece = made.args
    low, high = room(builder, WORD), room(builder, WORD)
    builder.store(word(0), low)
    builder.store(count, high)
    test, body, done = (made.append_basic_block(each) for each in ("test", "body", "done"))
    builder.branch(test)
    builder.position_at_end(test)
    apart = builder.sub(builder.load(high), builder.load(low))
    builder.cbranch(builder.icmp_signed(">", apart, word(1)), body, done)
    builder.position_at_end(body)
    half = builder.add(builder.load(low), builder.lshr(apart, word(1)))
    below = builder.icmp_signed("<=", load(builder, firsts, half), piece)
    builder.store(builder.select(below, half, builder.load(low)), low)
    builder.store(builder.select(below, builder.load(high), half), high)
    builder.branch(test)
    builder.position_at_end(done)
    builder.ret(builder.load(low))
    return made


def count_function(module: Any, interface: Interface) -> Any:
    """Return the function that numbers the chunks of all tensors: (tensors, count, firsts).

    It returns how many there are, and writes no numbers where `firsts` is nowhere.
    """
    name = f"count_chunks{interface.tag}"
    arguments = {"tensors": WORDS, "count": WORD, "firsts": WORDS}
    made, builder = once(module, name, WORD, arguments)
    if builder is None:
        return made
    tensors, count, firsts = made.args
    total = room(builder, WORD)
    builder.store(word(0), total)
    written = builder.icmp_unsigned("!=", firsts, ir.Constant(WORDS, None))
    with counted(builder, word(0), count) as number:
        with builder.if_then(written):
            store(builder, builder.load(total), firsts, number)
        tensor = tensor_at(builder, interface, tensors, number)
        with in_case(builder, interface, tensor):
            size = load(builder, tensor, interface.tensor.offset("size"))
            chunks = builder.sdiv(builder.add(size, word(CHUNK - 1)), word(CHUNK))
            builder.store(builder.add(builder.load(total), chunks), total)
    with builder.if_then(written):
        store(builder, builder.load(total), firsts, count)
    builder.ret(builder.load(total))
    return made
