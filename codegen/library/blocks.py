"""States in blocks, in LLVM code: a scale and 8 bits an entry, as `runtime/formats.py` says.

Blocks are widened into room that stays in the nearest cache, worked on, and rounded back. The
formulas are those of `support/block_codes.py`, so that every target keeps the same bits.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.storing import noise
from optdsl.codegen.support.block_codes import (
    BASE,
    BASE_TWICE,
    MAGIC,
    PLACE,
    PLACES,
    SIGN_BIT,
    chance_formula,
    code_formula,
    larger_formula,
    number_formula,
)
from optdsl.codegen.support.emitting import (
    BYTE,
    FLOAT,
    HALF,
    VOID,
    WORD,
    counted,
    load,
    once,
    place,
    room,
    smaller,
    store,
    word,
)
from optdsl.codegen.support.lanes import Lane
from optdsl.runtime.formats import SCALE

_RECORDS, _ROOM, _KEY = BYTE.as_pointer(), FLOAT.as_pointer(), WORD.as_pointer()
_SPECIAL, _LEAST, _SIGN = 0x7F800000, 0x00800000, 0x80000000
_ABOVE = 0xFFFFF  # takes what is above 15/8 of a power of two to the next
_TWICE = 255 << 23  # the bits of 2/s are these less those of s


class Blocks:
    """Writes the functions that widen and round blocks of one size, for one level."""

    def __init__(self, module: Any, block: int, ending: str) -> None:
        self.module, self.block, self.ending = module, block, ending

    def open(self) -> Any:
        """Return the function that widens `count` entries: (records, count, room)."""
        name = f"open_{self.block}{self.ending}"
        arguments = {"records": _RECORDS, "count": WORD, "room": _ROOM}
        made, builder = once(self.module, name, VOID, arguments)
        if builder is None:
            return made
        made.attributes.add("noinline")
        records, count, numbers = made.args
        with counted(builder, word(0), count, self.block) as begin:
            codes, length, some = self._one(builder, records, count, numbers, begin)
            scale = builder.load(_scale_place(builder, codes), align=1)
            given = [_size(builder, scale), *_by_sign(builder, scale, BASE, PLACE, SIGN_BIT)]
            with counted(builder, word(0), length) as index:
                lanes = [Lane(builder, each) for each in (load(builder, codes, index), *given)]
                store(builder, number_formula(*lanes).value, some, index)
        builder.ret_void()
        return made

    def close(self, code: int | None = None) -> Any:
        """Return the function that rounds `count` entries: (records, count, room, key, begin).

        With a `code`, which tells the stream from others, it rounds by chance: with a key of two
        words, and `begin`, the place of the first entry in its tensor.
        """
        chance = "" if code is None else f"_by_chance_{code % 2}"
        name = f"close_{self.block}{chance}{self.ending}"
        arguments = {"records": _RECORDS, "count": WORD, "room": _ROOM, "key": _KEY, "begin": WORD}
        made, builder = once(self.module, name, VOID, arguments)
        if builder is None:
            return made
        made.attributes.add("noinline")
        records, count, numbers, key, first = made.args
        words = [] if code is None else [load(builder, key, each) for each in range(2)]
        with counted(builder, word(0), count, self.block) as begin:
            codes, length, some = self._one(builder, records, count, numbers, begin)
            scale = _scale_of(builder, some, length)
            builder.store(scale, _scale_place(builder, codes), align=1)
            given = [_factor_of(builder, scale)]
            last = MAGIC if code is None else PLACES
            given += _by_sign(builder, scale, BASE_TWICE, last, SIGN_BIT)
            with counted(builder, word(0), length) as index:
                number = load(builder, some, index)
                lanes = [Lane(builder, each) for each in (number, *given)]
                if code is None:
                    found = code_formula(*lanes)
                else:
                    entry = builder.add(builder.add(first, begin), index)
                    random = Lane(builder, noise(builder, words, entry, code))
                    found = chance_formula(lanes[0], random, *lanes[1:])
                store(builder, found.value, codes, index)
        builder.ret_void()
        return made

    def _one(
        self, builder: Any, records: Any, count: Any, numbers: Any, begin: Any
    ) -> tuple[Any, Any, Any]:
        """Return the codes of the block that begins at an entry, their count, and the numbers."""
        record = place(builder, records, self.offset(builder, begin))
        length = smaller(builder, builder.sub(count, begin), word(self.block))
        return place(builder, record, SCALE), length, place(builder, numbers, begin)

    def offset(self, builder: Any, entry: Any) -> Any:
        """Return how many bytes lie before the record of an entry with which a block begins."""
        return builder.mul(builder.sdiv(entry, word(self.block)), word(self.block + SCALE))


def room_for(builder: Any, entries: int) -> Any:
    """Return room for the widened entries of blocks."""
    return room(builder, FLOAT, entries)


def _scale_place(builder: Any, codes: Any) -> Any:
    return builder.bitcast(place(builder, codes, -SCALE), _ROOM)


def _bits(builder: Any, number: Any) -> Any:
    return builder.bitcast(number, HALF)


def _half(value: int) -> Any:
    return ir.Constant(HALF, value)


def _size(builder: Any, number: Any) -> Any:
    return builder.bitcast(builder.and_(_bits(builder, number), _half(_SIGN - 1)), FLOAT)


def _by_sign(builder: Any, scale: Any, *pairs: tuple[Any, Any]) -> list[Any]:
    """Return of each pair what is meant for blocks with a sign or without, as the scale says."""
    without = builder.icmp_signed("<", _bits(builder, scale), _half(0))
    found = []
    for pair in pairs:
        kind = FLOAT if pair[0].dtype.kind == "f" else HALF
        signed, unsigned = (ir.Constant(kind, each.item()) for each in pair)
        found.append(builder.select(without, unsigned, signed))
    return found


def _scale_of(builder: Any, numbers: Any, count: Any) -> Any:
    """Return the scale of some numbers, below zero where none of them is."""
    largest, signs = room(builder, HALF), room(builder, HALF)
    builder.store(_half(0), largest)
    builder.store(_half(0), signs)
    with counted(builder, word(0), count) as index:
        number = load(builder, numbers, index)
        lanes = Lane(builder, builder.load(largest)), Lane(builder, number)
        builder.store(larger_formula(*lanes).value, largest)
        builder.store(builder.or_(builder.load(signs), _bits(builder, number)), signs)
    most = builder.load(largest)
    raised = builder.add(most, _half(_ABOVE))
    beyond = builder.icmp_unsigned(">=", raised, _half(_SPECIAL))
    bits = builder.and_(builder.select(beyond, most, raised), _half(_SPECIAL))
    minus = builder.icmp_signed("<", builder.load(signs), _half(0))
    bits = builder.select(minus, bits, builder.or_(bits, _half(_SIGN)))
    bits = builder.select(builder.icmp_unsigned("<", most, _half(_LEAST)), _half(0), bits)
    lost = builder.icmp_unsigned(">=", most, _half(_SPECIAL))
    return builder.bitcast(builder.select(lost, _half(0x7FC00000), bits), FLOAT)


def _factor_of(builder: Any, scale: Any) -> Any:
    """Return 2/s for the scale s of a block; 0 where the block holds nothing, or no numbers."""
    bits = builder.and_(_bits(builder, scale), _half(_SIGN - 1))
    beyond = builder.or_(
        builder.icmp_unsigned("<", bits, _half(_LEAST)),
        builder.icmp_unsigned(">=", bits, _half(_SPECIAL)),
    )
    twice = builder.sub(_half(_TWICE), bits)
    return builder.bitcast(builder.select(beyond, _half(0), twice), FLOAT)
