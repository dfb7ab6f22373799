"""States in blocks within Numba kernels: a scale and 8 bits an entry, as `runtime/formats.py` says.

A block is widened into room that stays in the nearest cache, worked on, and rounded back. All
is done in whole-number operations and selections, so that each loop runs on vectors.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numba
import numpy as np
from numba import njit
from numba.core import cgutils
from numba.extending import register_jitable
from numba.np import arrayobj

from optdsl.codegen.support import kernels
from optdsl.codegen.support.chances import bits_of, by_chance, number_of_bits, word_of
from optdsl.codegen.support.formats import intrinsic, types
from optdsl.codegen.support.kernels import entrywise
from optdsl.runtime.formats import SCALE

_functions: Any = cgutils
_arrays: Any = arrayobj
view: Any = kernels.view
where: Any = kernels.where

#: Entries that room is for: the longest block.
_ROOM = 4096

_BYTE, _FLOAT = np.uint8(0), np.float32(0)
_ZERO, _NAN = np.float32(0.0), np.float32(np.nan)
_SIZE, _LEAST, _SPECIAL = np.uint32(0x7FFFFFFF), np.uint32(0x00800000), np.uint32(0x7F800000)
_ABOVE = np.uint32(0xFFFFF)  # takes what is above 15/8 of a power of two to the next
_FRACTION, _EIGHT_UP = np.uint32(0x007FFFFF), np.uint32(130 << 23)
_NEGATIVE, _UNIT = np.uint32(31), np.uint32(127 << 23)
#: For blocks with a sign, and without: the largest code without it, where exponents begin, the
#: last place of the least exponent, and what rounds a number there when it is added.
_CODES = (np.uint32(0x7F), np.uint32(0xFF))
_BASE = (np.uint32(112 << 23), np.uint32(96 << 23))
_PLACE = (np.float32(2.0**-17), np.float32(2.0**-33))
_PLACES = (np.float32(2.0**17), np.float32(2.0**33))
_MAGIC = (np.float32(2.0**6), np.float32(2.0**-10))


#: Kernels count no references, and then Numba refuses a function that returns an array, though
#: nobody owns this one either.
_WITH_ARRAYS: Any = numba.njit(_nrt=True)  # type: ignore[call-overload]


@intrinsic
def room(typing: Any) -> Any:
    """Return an array of float32 on the stack, for the entries of blocks."""
    array = types.Array(types.float32, 1, "C")

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _functions.alloca_once(builder, ir.ArrayType(ir.FloatType(), _ROOM))
        result = _arrays.make_array(array)(context, builder)
        length = context.get_constant(types.intp, _ROOM)
        size = context.get_constant(types.intp, 4)
        data = builder.bitcast(place, ir.FloatType().as_pointer())
        _arrays.populate_array(
            result, data=data, shape=[length], strides=[size], itemsize=size, meminfo=None
        )
        return result._getvalue()

    return array(), build


@intrinsic
def _begin_of(typing: Any, array: Any) -> Any:
    """Return the address of an array."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = _arrays.make_array(array)(context, builder, arguments[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.int64(array), build


# ------------------------------------------------------------- one entry, in bits


def _const(value: int) -> Any:
    return ir.Constant(ir.IntType(32), value)


def _as_float(builder: Any, bits: Any) -> Any:
    return builder.bitcast(bits, ir.FloatType())


@intrinsic
def _number_of(typing: Any, code: Any, scale: Any, base: Any, place: Any, largest: Any) -> Any:
    """Return the number of a code: `base` and `place` tell the exponents, `largest` the codes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code, scale, base, place, largest = arguments
        whole = builder.zext(code, ir.IntType(32))
        size = builder.and_(whole, largest)
        normal = _as_float(builder, builder.add(builder.shl(size, _const(20)), base))
        small = builder.fmul(builder.sitofp(size, ir.FloatType()), place)
        least = builder.icmp_signed("<", size, _const(8))
        number = builder.fmul(builder.select(least, small, normal), scale)
        sign = builder.shl(builder.and_(whole, builder.not_(largest)), _const(24))
        return _as_float(builder, builder.or_(builder.bitcast(number, ir.IntType(32)), sign))

    return types.float32(code, scale, base, place, largest), build


@intrinsic
def _scaled(typing: Any, number: Any, down: Any) -> Any:
    """Return the bits of the size of a number over the scale; too small a one counts as zero."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.and_(builder.bitcast(arguments[0], ir.IntType(32)), _const(0x7FFFFFFF))
        moved = builder.sub(bits, arguments[1])
        least = _const(0x00800000)
        normal = builder.and_(
            builder.icmp_signed(">=", bits, least), builder.icmp_signed(">=", moved, least)
        )
        return builder.select(normal, moved, _const(0))

    return types.uint32(number, down), build


@intrinsic
def _code_of(typing: Any, scaled: Any, base: Any, magic: Any) -> Any:
    """Return the code of a size, rounded to the nearest; it may be one too large."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scaled, base, magic = arguments
        last = builder.and_(builder.lshr(scaled, _const(20)), _const(1))
        raised = builder.add(builder.sub(scaled, base), builder.add(last, _const(0x7FFFF)))
        normal = builder.lshr(raised, _const(20))
        summed = builder.fadd(_as_float(builder, scaled), magic)
        whole = ir.IntType(32)
        small = builder.sub(builder.bitcast(summed, whole), builder.bitcast(magic, whole))
        below = builder.icmp_signed("<", scaled, builder.add(base, _const(0x00800000)))
        return builder.select(below, small, normal)

    return types.uint32(scaled, base, magic), build


@intrinsic
def _stored_code(typing: Any, code: Any, number: Any, largest: Any) -> Any:
    """Return a code with the sign of its number, or, where none has one, not zero but for zero."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code, number, largest = arguments
        beyond = builder.icmp_unsigned(">", code, largest)
        bounded = builder.select(beyond, largest, code)
        nothing = builder.icmp_signed("==", bounded, _const(0))
        unsigned = builder.icmp_signed("==", largest, _const(0xFF))
        zero = ir.Constant(ir.FloatType(), 0.0)
        above = builder.fcmp_ordered(">", number, zero)
        raised = builder.and_(builder.and_(nothing, unsigned), above)
        kept = builder.select(raised, _const(1), bounded)
        below = builder.fcmp_ordered("<", number, zero)
        negative = builder.and_(below, builder.not_(builder.or_(nothing, unsigned)))
        signed = builder.select(negative, builder.or_(kept, _const(0x80)), kept)
        return builder.trunc(signed, ir.IntType(8))

    return types.uint8(code, number, largest), build


@intrinsic
def _larger(typing: Any, largest: Any, number: Any) -> Any:
    """Return the larger of some bits and those of the size of a number."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.and_(builder.bitcast(arguments[1], ir.IntType(32)), _const(0x7FFFFFFF))
        above = builder.icmp_signed(">", bits, arguments[0])
        return builder.select(above, bits, arguments[0])

    return types.uint32(largest, number), build


@intrinsic
def _or_negative(typing: Any, seen: Any, number: Any) -> Any:
    """Return `seen`, or 1 where a number is below zero."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        below = builder.fcmp_ordered("<", arguments[1], ir.Constant(ir.FloatType(), 0.0))
        return builder.or_(arguments[0], builder.zext(below, ir.IntType(32)))

    return types.uint32(seen, number), build


# ------------------------------------------------------------------- one block


@entrywise
def _widened(codes: Any, numbers: Any, scale: Any, base: Any, place: Any, largest: Any) -> None:
    for i in range(numbers.size):
        numbers[i] = _number_of(codes[i], scale, base, place, largest)


@entrywise
def _rounded(codes: Any, numbers: Any, down: Any, base: Any, magic: Any, largest: Any) -> None:
    for i in range(numbers.size):
        code = _code_of(_scaled(numbers[i], down), base, magic)
        codes[i] = _stored_code(code, numbers[i], largest)


@entrywise
def _rounded_by_chance(
    codes: Any, numbers: Any, down: Any, base: Any, places: Any, largest: Any, begin: Any,
    identity: Any, step: Any, code: Any, low: Any, high: Any,
) -> None:  # fmt: skip
    for i in range(numbers.size):
        scaled = _scaled(numbers[i], down)
        word = word_of(i, begin, identity, step, code, low, high)
        eighths = number_of_bits((scaled & _FRACTION) | _EIGHT_UP)
        small = by_chance(number_of_bits(scaled) * places, word)
        exponent = ((np.int64(scaled) - np.int64(base)) >> 23) * 8
        below = scaled < base + _LEAST
        whole = np.int64(where(below, small, by_chance(eighths, word)))
        found = where(below, whole, whole + exponent - 8)
        codes[i] = _stored_code(np.uint32(found), numbers[i], largest)


@entrywise
def _largest(numbers: Any) -> Any:
    """Return the bits of the largest size, NaN above all, and 1 if any number is negative."""
    largest, negative = np.uint32(0), np.uint32(0)
    for i in range(numbers.size):
        largest = _larger(largest, numbers[i])
        negative = _or_negative(negative, numbers[i])
    return largest, negative


# ---------------------------------------------------------------------- blocks


@register_jitable
def _one(records: Any, block: Any, number: Any) -> Any:
    return records + number * (block + SCALE)


@_WITH_ARRAYS  # type: ignore[untyped-decorator]
def open_blocks(records: Any, block: Any, count: Any, place: Any) -> Any:
    """Return `count` numbers of the blocks at `records`, widened into the array `place`."""
    for number in range((count + block - 1) // block):
        record = _one(records, block, number)
        begin = number * block
        length = min(block, count - begin)
        scale = view(record, 1, _FLOAT)[0]
        codes = view(record + SCALE, length, _BYTE)
        numbers = view(_begin_of(place) + 4 * begin, length, _FLOAT)
        if bits_of(scale) >> _NEGATIVE:
            _widened(codes, numbers, -scale, _BASE[1], _PLACE[1], _CODES[1])
        else:
            _widened(codes, numbers, scale, _BASE[0], _PLACE[0], _CODES[0])
    return view(_begin_of(place), count, _FLOAT)


@njit
def _scale_of(numbers: Any) -> Any:
    """Return the scale of some numbers, below zero where none of them is."""
    largest, negative = _largest(numbers)
    raised = largest + _ABOVE
    scale = number_of_bits((largest if raised >= _SPECIAL else raised) & _SPECIAL)
    if largest >= _SPECIAL:
        return _NAN
    if largest < _LEAST:
        return _ZERO
    return scale if negative else -scale


@register_jitable
def _clear(codes: Any) -> None:
    for i in range(codes.size):
        codes[i] = np.uint8(0)


@njit
def close_blocks(numbers: Any, records: Any, block: Any) -> None:
    """Round numbers to the blocks at `records`."""
    for number in range((numbers.size + block - 1) // block):
        record = _one(records, block, number)
        begin = number * block
        length = min(block, numbers.size - begin)
        some = view(_begin_of(numbers) + 4 * begin, length, _FLOAT)
        codes = view(record + SCALE, length, _BYTE)
        scale = _scale_of(some)
        view(record, 1, _FLOAT)[0] = scale
        bits = bits_of(scale) & _SIZE
        if bits < _LEAST or bits >= _SPECIAL:
            _clear(codes)
            continue
        down = np.uint32(bits - _UNIT)
        if scale > _ZERO:
            _rounded(codes, some, down, _BASE[0], _MAGIC[0], _CODES[0])
        else:
            _rounded(codes, some, down, _BASE[1], _MAGIC[1], _CODES[1])


@njit
def close_blocks_by_chance(
    numbers: Any, records: Any, block: Any, begins: Any, identity: Any, step: Any, code: Any,
    low: Any, high: Any,
) -> None:  # fmt: skip
    """Round numbers to the blocks at `records`, each up or down by chance."""
    for number in range((numbers.size + block - 1) // block):
        record = _one(records, block, number)
        begin = number * block
        length = min(block, numbers.size - begin)
        some = view(_begin_of(numbers) + 4 * begin, length, _FLOAT)
        codes = view(record + SCALE, length, _BYTE)
        scale = _scale_of(some)
        view(record, 1, _FLOAT)[0] = scale
        bits = bits_of(scale) & _SIZE
        if bits < _LEAST or bits >= _SPECIAL:
            _clear(codes)
            continue
        kind = 0 if scale > _ZERO else 1
        _rounded_by_chance(
            codes, some, np.uint32(bits - _UNIT), _BASE[kind], _PLACES[kind], _CODES[kind],
            begins + begin, identity, step, code, low, high,
        )  # fmt: skip
