"""States in blocks within Numba kernels: a scale and 8 bits an entry, as `runtime/formats.py` says.

A block is widened into room that stays in the nearest cache, worked on, and rounded back. All
is done in whole-number operations and selections, so that each loop runs on vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import Parameter, Signature, signature
from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba.extending import register_jitable
from numba.np import arrayobj

from optdsl.codegen.support import kernels
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
from optdsl.codegen.support.chances import bits_of, number_of_bits, word_of
from optdsl.codegen.support.formats import intrinsic, types
from optdsl.codegen.support.kernels import entrywise
from optdsl.codegen.support.lanes import Lane
from optdsl.codegen.support.pieces import piece
from optdsl.runtime.formats import SCALE

_arrays: Any = arrayobj
view: Any = kernels.view
where: Any = kernels.where

#: Entries that room is for: the longest block.
ROOM = 4096

_BYTE, _FLOAT = np.uint8(0), np.float32(0)
_ZERO, _NAN = np.float32(0.0), np.float32(np.nan)
_SIGN, _SIZE = np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
_LEAST, _SPECIAL = np.uint32(0x00800000), np.uint32(0x7F800000)
_ABOVE = np.uint32(0xFFFFF)  # takes what is above 15/8 of a power of two to the next
#: The bits of 2/s are these less those of s, for each power of two s: neither is ever too small.
_TWICE = np.uint32(255 << 23)


#: Kernels count no references, and then Numba refuses a function that returns an array, though
#: nobody owns this one either.
_WITH_ARRAYS: Any = partial(piece, _nrt=True)


def _stack(entries: int) -> Any:
    """Make a function that returns an array of float32 on the stack."""
    array = types.Array(types.float32, 1, "C")

    def typed(typing: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            with builder.goto_entry_block():  # Numba's own would write zeros, one by one
                place = builder.alloca(ir.ArrayType(ir.FloatType(), entries))
            result = _arrays.make_array(array)(context, builder)
            length = context.get_constant(types.intp, entries)
            size = context.get_constant(types.intp, 4)
            data = builder.bitcast(place, ir.FloatType().as_pointer())
            _arrays.populate_array(
                result, data=data, shape=[length], strides=[size], itemsize=size, meminfo=None
            )
            return result._getvalue()

        return array(), build

    return intrinsic(typed)


#: Room for the entries of blocks; room for two blocks, and the record of one.
room, rooms = _stack(ROOM), _stack(3 * ROOM)


@intrinsic
def begin_of(typing: Any, array: Any) -> Any:
    """Return the address of an array."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = _arrays.make_array(array)(context, builder, arguments[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.int64(array), build


# ------------------------------------------------------------- one entry, in bits


def _of_lanes(result: Any, formula: Callable[..., Lane]) -> Any:
    """Make a function that compiled code calls of a formula of lanes, which gives a `result`."""

    def typed(typing: Any, *kinds: Any) -> Any:
        def generate(context: Any, builder: Any, kinds: Any, arguments: Any) -> Any:
            return formula(*(Lane(builder, each) for each in arguments)).value

        return result(*kinds), generate

    first = Parameter("typing", Parameter.POSITIONAL_OR_KEYWORD)
    own = signature(formula).parameters.values()
    typed.__signature__ = Signature([first, *own])  # type: ignore[attr-defined]
    return intrinsic(typed)


#: The number of a code.
number_of = _of_lanes(types.float32, number_formula)
#: The code of a number, rounded to the nearest.
nearest_code_of = _of_lanes(types.uint8, code_formula)
#: The code of a number, rounded up or down by chance.
chance_code_of = _of_lanes(types.uint8, chance_formula)
#: The larger of some bits and those of the size of a number.
larger_of = _of_lanes(types.uint32, larger_formula)


# ------------------------------------------------------------------- one block


@entrywise
def _widened(codes: Any, numbers: Any, scale: Any, base: Any, place: Any, sign: Any) -> None:
    for i in range(numbers.size):
        numbers[i] = number_of(codes[i], scale, base, place, sign)


@entrywise
def rounded(codes: Any, numbers: Any, factor: Any, base: Any, magic: Any, sign: Any) -> None:
    """Let `codes` be those of numbers, rounded to the nearest."""
    for i in range(numbers.size):
        codes[i] = nearest_code_of(numbers[i], factor, base, magic, sign)


@entrywise
def _rounded_by_chance(
    codes: Any, numbers: Any, factor: Any, base: Any, places: Any, sign: Any, begin: Any,
    identity: Any, step: Any, code: Any, low: Any, high: Any,
) -> None:  # fmt: skip
    for i in range(numbers.size):
        word = word_of(i, begin, identity, step, code, low, high)
        codes[i] = chance_code_of(numbers[i], word, factor, base, places, sign)


@entrywise
def _largest(numbers: Any) -> Any:
    """Return the bits of the largest size, NaN above all, and the signs of all together."""
    largest, signs = np.uint32(0), np.uint32(0)
    for i in range(numbers.size):
        largest = larger_of(largest, numbers[i])
        signs |= bits_of(numbers[i])
    return largest, signs & _SIGN


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
        numbers = view(begin_of(place) + 4 * begin, length, _FLOAT)
        kind = 1 if bits_of(scale) & _SIGN else 0
        _widened(codes, numbers, abs(scale), BASE[kind], PLACE[kind], SIGN_BIT[kind])
    return view(begin_of(place), count, _FLOAT)


@piece
def scale_of(numbers: Any) -> Any:
    """Return the scale of some numbers, below zero where none of them is."""
    largest, signs = _largest(numbers)
    raised = largest + _ABOVE
    scale = number_of_bits((largest if raised >= _SPECIAL else raised) & _SPECIAL)
    if largest >= _SPECIAL:
        return _NAN
    if largest < _LEAST:
        return _ZERO
    return scale if signs else -scale


@register_jitable
def factor_of(scale: Any) -> Any:
    """Return 2/s for the scale s of a block; 0 where the block holds nothing, or no numbers."""
    bits = bits_of(scale) & _SIZE
    if bits < _LEAST or bits >= _SPECIAL:
        return _ZERO
    return number_of_bits(np.uint32(_TWICE - bits))


@piece
def close_blocks(numbers: Any, records: Any, block: Any) -> None:
    """Round numbers to the blocks at `records`."""
    for number in range((numbers.size + block - 1) // block):
        record = _one(records, block, number)
        begin = number * block
        length = min(block, numbers.size - begin)
        some = view(begin_of(numbers) + 4 * begin, length, _FLOAT)
        codes = view(record + SCALE, length, _BYTE)
        scale = scale_of(some)
        view(record, 1, _FLOAT)[0] = scale
        kind = 1 if bits_of(scale) & _SIGN else 0
        rounded(codes, some, factor_of(scale), BASE_TWICE[kind], MAGIC[kind], SIGN_BIT[kind])


@piece
def close_blocks_by_chance(
    numbers: Any, records: Any, block: Any, begins: Any, identity: Any, step: Any, code: Any,
    low: Any, high: Any,
) -> None:  # fmt: skip
    """Round numbers to the blocks at `records`, each up or down by chance."""
    for number in range((numbers.size + block - 1) // block):
        record = _one(records, block, number)
        begin = number * block
        length = min(block, numbers.size - begin)
        some = view(begin_of(numbers) + 4 * begin, length, _FLOAT)
        codes = view(record + SCALE, length, _BYTE)
        scale = scale_of(some)
        view(record, 1, _FLOAT)[0] = scale
        kind = 1 if bits_of(scale) & _SIGN else 0
        _rounded_by_chance(
            codes, some, factor_of(scale), BASE_TWICE[kind], PLACES[kind], SIGN_BIT[kind],
            begins + begin, identity, step, code, low, high,
        )  # fmt: skip
