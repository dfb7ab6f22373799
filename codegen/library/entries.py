"""The loop of one pass over some entries, in LLVM code."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.draws import standard
from optdsl.codegen.library.values import Writer
from optdsl.codegen.library.words import (
    DOUBLE,
    FLOAT,
    NUMBERS,
    VOID,
    WORD,
    counted,
    function,
    load,
    room,
    store,
    word,
)
from optdsl.codegen.loops import all_streams
from optdsl.codegen.support import arithmetic
from optdsl.codegen.support.arithmetic import BIT
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Clock, Draw, Kind, Value
from optdsl.program.program import Accumulate, Pass

#: What a running minimum, maximum or anything else begins with.
STARTS = {"min": float("inf"), "max": -float("inf")}
_STORAGE = {"float32": FLOAT, "float64": DOUBLE}


def stream_types(unit: Unit, stage: Pass, real: Any) -> list[Any]:
    """Return the format in which each array of a pass is stored."""
    stored = {s.name: _STORAGE[s.storage] for s in unit.system.states if s.storage}
    stored |= dict.fromkeys(unit.shaped, DOUBLE)
    return [stored.get(name, real) for name in all_streams(unit, stage)]


def update_function(module: Any, unit: Unit, stage: Pass, real: Any, name: str) -> Any:
    """Add the function that does the work of a pass on some entries.

    It takes the arrays, how many entries they have, the rows of numbers, where partial results
    go, and for draws the place of the first entry.
    """
    loop = _Loop(module, unit, stage, real, name)
    loop.write()
    loop.function.attributes.add("noinline")  # or each loop would be compiled twice
    return loop.function


class _Loop:
    def __init__(self, module: Any, unit: Unit, stage: Pass, real: Any, name: str) -> None:
        self.unit, self.stage, self.real = unit, stage, real
        self.streams = list(all_streams(unit, stage))
        arrays = {f"a{i}": kind.as_pointer()
                  for i, kind in enumerate(stream_types(unit, stage, real))}  # fmt: skip
        rows = {"numbers": NUMBERS, "tensor": NUMBERS, "everything": NUMBERS, "partials": NUMBERS}
        rest = {"count": WORD, **rows, "begin": WORD, "identity": WORD}
        self.function, self.head = function(module, name, VOID, {**arrays, **rest})
        self.arrays = dict(zip(self.streams, self.function.args, strict=False))
        self.given = {argument.name: argument for argument in self.function.args}
        self.builder = ir.IRBuilder(self.function.append_basic_block("start"))
        self.known: dict[Value | Clock, Any] = {}
        self.words: dict[str, Any] = {}
        self.index: Any = None
        self.writer = Writer(
            self.builder, real, self._value, self._clock, unit.predicates, True, self._draw
        )

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
        begin = ir.Constant(DOUBLE, STARTS.get(reduction.operator, 0.0))
        by_rows = self.stage.by_rows
        self.builder.store(self.builder.load(place) if by_rows else begin, total)
        return total

    def _loaded(self, stream: str, value: Value, index: Any) -> Any:
        read = self._as(load(self.builder, self.arrays[stream], index), self.real)
        if value.name in self.unit.predicates:
            return self.builder.fcmp_unordered("!=", read, ir.Constant(self.real, 0.0))
        return read

    def _store(self, stream: str, value: Any) -> None:
        array = self.arrays[stream]
        if value.type == BIT:
            value = self.builder.uitofp(value, self.real)
        store(self.builder, self._as(value, array.type.pointee), array, self.index)

    def _as(self, value: Any, kind: Any) -> Any:
        if value.type == kind:
            return value
        change = self.builder.fpext if kind == DOUBLE else self.builder.fptrunc
        return change(value, kind)

    def _accumulated(self, reduction: Accumulate, total: Any) -> Any:
        builder = self.builder
        if reduction.operator == "any":
            held = self.writer.condition(reduction.argument)
            return builder.select(held, ir.Constant(DOUBLE, 1.0), total)
        wide = self._as(self.writer.number(reduction.argument), DOUBLE)
        match reduction.operator:
            case "norm" | "rms":
                return arithmetic.add(builder, total, arithmetic.square(builder, wide))
            case "dot":
                assert reduction.other is not None
                other = self._as(self.writer.number(reduction.other), DOUBLE)
                product = builder.fmul(wide, other, flags=("contract",))
                return arithmetic.add(builder, total, product)
            case "min" | "max":
                name = f"{reduction.operator}imum"
                return arithmetic.intrinsic_call(builder, name, total, wide)
        return arithmetic.add(builder, total, wide)

    # ------------------------------------------------- what all entries share

    def _value(self, value: Value) -> Any:
        if value not in self.known:
            row, slot = self._place(value)
            self.known[value] = self._shared(row, slot, value.name in self.unit.predicates)
        return self.known[value]

    def _place(self, value: Value) -> tuple[str, int]:
        """Return the row of numbers that holds a value, and where."""
        slots = self.unit.slots
        if value.kind is Kind.STEP:
            return "numbers", slots.scalars[value]
        if value.kind is Kind.TENSOR:
            return "tensor", slots.tensor[value.name]
        return "everything", slots.everything[value.name]

    def _clock(self, clock: Clock) -> Any:
        if clock not in self.known:
            self.known[clock] = self._shared("numbers", self.unit.slots.scalars[clock], False)
        return self.known[clock]

    def _exact(self, row: str, slot: int) -> Any:
        return load(self.head, self.given[row], slot)

    def _shared(self, row: str, slot: int, predicate: bool) -> Any:
        number = self._exact(row, slot)
        if predicate:
            return self.head.fcmp_unordered("!=", number, ir.Constant(DOUBLE, 0.0))
        return number if self.real == DOUBLE else self.head.fptrunc(number, self.real)

    def _whole(self, row: str, slot: int) -> Any:
        """Return a whole number of a row as a word; read once."""
        key = f"{row} {slot}"
        if key not in self.words:
            self.words[key] = self.head.fptoui(self._exact(row, slot), WORD)
        return self.words[key]

    def _draw(self, draw: Draw) -> Any:
        seed = self.unit.slots.seed
        assert seed is not None
        assert isinstance(draw.step, Value)
        at = {
            "entry": self.builder.add(self.given["begin"], self.index),
            "identity": self.given["identity"],
            "step": self._whole("numbers", self.unit.slots.scalars[draw.step]),
            "low": self._whole("everything", seed),
            "high": self._whole("everything", seed + 1),
        }
        return standard(self.builder, self.real, draw.distribution, draw.number, at)
