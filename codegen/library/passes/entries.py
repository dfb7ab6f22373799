"""The loop of one pass over some entries, in LLVM code."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.draws import standard
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.library.storing import (
    Converter,
    Precision,
    by_chance,
    noise,
    rounding_key,
    update_type,
)
from optdsl.codegen.library.values import Writer
from optdsl.codegen.loops import all_streams
from optdsl.codegen.support import arithmetic
from optdsl.codegen.support.arithmetic import BIT
from optdsl.codegen.support.emitting import (
    DOUBLE,
    NUMBERS,
    VOID,
    WORD,
    counted,
    function,
    is_true,
    load,
    room,
    store,
    word,
)
from optdsl.model.expressions import Clock, Draw, Kind, Value
from optdsl.model.storing import REST
from optdsl.program.program import Accumulate, Pass, neutral


def update_function(
    module: Any, interface: Interface, stage: Pass, precision: Precision, name: str, halves: bool
) -> Any:
    """Add the function that does the work of a pass on some entries.

    It takes the arrays, how many entries they have, the rows of numbers, where partial results
    go, and for draws the place of the first entry. What is stored in blocks has been widened.
    `halves` says that the processor widens and rounds float16.
    """
    loop = _Loop(module, interface, stage, precision, name, halves)
    loop.write()
    loop.function.attributes.add("noinline")  # or each loop would be compiled twice
    return loop.function


class _Loop:
    def __init__(
        self, module: Any, interface: Interface, stage: Pass, precision: Precision, name: str,
        halves: bool,
    ) -> None:  # fmt: skip
        self.unit, self.stage, self.real = interface.unit, stage, precision.real
        self.kept = interface.kept
        self.storages = {name: interface.storage(name, precision)
                         for name in all_streams(self.unit, stage)}  # fmt: skip
        arrays = {f"a{number}": update_type(storage).as_pointer()
                  for number, storage in enumerate(self.storages.values())}  # fmt: skip
        rows = {"numbers": NUMBERS, "tensor": NUMBERS, "everything": NUMBERS, "partials": NUMBERS}
        rest = {"count": WORD, **rows, "begin": WORD, "identity": WORD}
        self.function, self.head = function(module, name, VOID, {**arrays, **rest})
        self.arrays = dict(zip(self.storages, self.function.args, strict=False))
        self.given = {argument.name: argument for argument in self.function.args}
        self.builder = ir.IRBuilder(self.function.append_basic_block("start"))
        self.known: dict[Value | Clock, Any] = {}
        self.words: dict[str, Any] = {}
        self.keys: dict[int, list[Any]] = {}
        self.converter = Converter(self.builder, halves)
        self.index: Any = None
        self.writer = Writer(
            self.builder, self.real, self._value, self._clock, self.unit.predicates, True,
            self._draw, fused=halves,
        )  # fmt: skip

    def write(self) -> None:
        """Write the loop. What all entries share is read before it, in the first block."""
        builder, stage = self.builder, self.stage
        start = builder.block
        places = self._places()
        totals = [self._begun(each, place)
                  for each, place in zip(stage.reductions, places, strict=True)]  # fmt: skip
        for given in stage.vectors:
            if given.value.kind is Kind.ROW:
                self.known[given.value] = self._loaded(given.stream, given.value, word(0))
        with counted(builder, word(0), self.given["count"]) as self.index:
            self._entry(totals)
        for each, total, place in zip(stage.reductions, totals, places, strict=True):
            if each.kind is not Kind.COLUMN:
                builder.store(builder.load(total), place)
        builder.ret_void()
        self.head.position_at_end(self.function.entry_basic_block)
        self.head.branch(start)

    def _entry(self, totals: list[Any]) -> None:
        """Write what is done to one entry."""
        builder, stage = self.builder, self.stage
        columns = [each for each in stage.vectors if each.value.kind is Kind.COLUMN]
        for given in (*stage.loads, *columns):
            self.known[given.value] = self._loaded(given.stream, given.value, self.index)
        for assigned in stage.body:
            value = self.writer.write(assigned.expression)
            self.known[Value(assigned.name, Kind.ENTRY)] = value
        for each, total in zip(stage.reductions, totals, strict=True):
            place = total
            if each.kind is Kind.COLUMN:
                place = builder.gep(total, [self.index])
            builder.store(self._accumulated(each, builder.load(place)), place)
        for stored in stage.stores:
            self._store(stored.stream, self._value(stored.value))

    def _places(self) -> list[Any]:
        """Return where the partial result of each reduction goes; of a value a column, an array."""
        places, numbers = [], 0
        for each in self.stage.reductions:
            if each.kind.is_number:
                places.append(self.builder.gep(self.given["partials"], [word(numbers)]))
                numbers += 1
            else:
                places.append(self.arrays[each.partial])
        return places

    def _begun(self, reduction: Accumulate, place: Any) -> Any:
        """Return a running total; that of several pieces of a tensor goes on."""
        if reduction.kind is Kind.COLUMN:
            return place
        total = room(self.builder, DOUBLE)
        begin = ir.Constant(DOUBLE, neutral(reduction.operator))
        goes_on = self.stage.by_rows or any(each.block for each in self.storages.values())
        self.builder.store(self.builder.load(place) if goes_on else begin, total)
        return total

    def _loaded(self, stream: str, value: Value, index: Any) -> Any:
        read = self._read(stream, index)
        if stream == "theta" and self.kept.compensated:
            read = self.builder.fadd(read, self._read(REST, index), flags=("contract",))
        if value.name in self.unit.predicates:
            return is_true(self.builder, read)
        return read

    def _read(self, stream: str, index: Any) -> Any:
        stored = load(self.builder, self.arrays[stream], index)
        return self.converter.widened(stored, self.storages[stream], self.real)

    def _store(self, stream: str, value: Any) -> None:
        if value.type == BIT:
            value = self.builder.uitofp(value, self.real)
        storage, number = self.storages[stream], value
        if storage.stochastic and storage.block is None:
            number = by_chance(self.builder, value, self._noise(stream), storage)
        self._write(stream, number)
        if stream == "theta" and self.kept.compensated:
            kept = self._read(stream, self.index)
            rest = self.builder.fsub(value, kept, flags=("contract",))
            is_number = arithmetic.isfinite(self.builder, rest)
            nothing = ir.Constant(self.real, 0.0)
            self._write(REST, self.builder.select(is_number, rest, nothing))

    def _write(self, stream: str, number: Any) -> None:
        array = self.arrays[stream]
        stored = self.converter.rounded(number, self.storages[stream], array.type.pointee)
        store(self.builder, stored, array, self.index)

    def _noise(self, stream: str) -> Any:
        """Return the random bits of this entry, to round what is stored in a stream."""
        code = self.kept.code(stream)
        if code not in self.keys:
            at = self._place_of_noise(self.unit.slots.scalars[Clock(self.stage.part)])
            self.keys[code] = rounding_key(self.head, at, code)
        entry = self.builder.add(self.given["begin"], self.index)
        return noise(self.builder, self.keys[code], entry, code)

    def _place_of_noise(self, step: int) -> dict[str, Any]:
        """Return what random numbers depend on besides the entry."""
        seed = self.unit.slots.seed
        assert seed is not None
        return {
            "identity": self.given["identity"],
            "step": self._whole("numbers", step),
            "low": self._whole("everything", seed),
            "high": self._whole("everything", seed + 1),
        }

    def _accumulated(self, reduction: Accumulate, total: Any) -> Any:
        builder = self.builder
        if reduction.operator == "any":
            held = self.writer.condition(reduction.argument)
            return builder.select(held, ir.Constant(DOUBLE, 1.0), total)
        wide = self.converter.cast(self.writer.number(reduction.argument), DOUBLE)
        match reduction.operator:
            case "norm" | "rms":
                return arithmetic.add(builder, total, arithmetic.square(builder, wide))
            case "dot":
                assert reduction.other is not None
                other = self.converter.cast(self.writer.number(reduction.other), DOUBLE)
                product = builder.fmul(wide, other, flags=("contract",))
                return arithmetic.add(builder, total, product)
            case "min" | "max":
                name = f"{reduction.operator}imum"
                return arithmetic.intrinsic_call(builder, name, total, wide)
        return arithmetic.add(builder, total, wide)

    # ------------------------------------------------- what all entries share

    def _value(self, value: Value) -> Any:
        if value not in self.known:
            row, slot = self.unit.slots.place(value)
            given = {"step": "numbers", "tensor": "tensor", "all": "everything"}[row]
            self.known[value] = self._shared(given, slot, value.name in self.unit.predicates)
        return self.known[value]

    def _clock(self, clock: Clock) -> Any:
        if clock not in self.known:
            self.known[clock] = self._shared("numbers", self.unit.slots.scalars[clock], False)
        return self.known[clock]

    def _exact(self, row: str, slot: int) -> Any:
        return load(self.head, self.given[row], slot)

    def _shared(self, row: str, slot: int, predicate: bool) -> Any:
        number = self._exact(row, slot)
        if predicate:
            return is_true(self.head, number)
        return number if self.real == DOUBLE else self.head.fptrunc(number, self.real)

    def _whole(self, row: str, slot: int) -> Any:
        """Return a whole number of a row as a word; read once."""
        key = f"{row} {slot}"
        if key not in self.words:
            self.words[key] = self.head.fptoui(self._exact(row, slot), WORD)
        return self.words[key]

    def _draw(self, draw: Draw) -> Any:
        assert isinstance(draw.step, Value)
        at = self._place_of_noise(self.unit.slots.scalars[draw.step])
        at["entry"] = self.builder.add(self.given["begin"], self.index)
        return standard(self.builder, self.real, draw.distribution, draw.number, at)
