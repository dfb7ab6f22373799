"""Rounding by chance within Numba loops, with the random words of `draws.py`.

A number goes to one of the two next numbers of a format, to each with a chance that makes it the
mean. What comes out is float32 and exact in the format: storing it loses nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba.extending import register_jitable

from optdsl.codegen.support import draws, kernels
from optdsl.codegen.support.formats import intrinsic, types

where: Any = kernels.where
floor: Any = kernels.floor
isfinite: Any = kernels.isfinite

_LOW, _UPPER = np.uint64(0xFFFFFFFF), np.uint64(32)
_LOST_BFLOAT16, _LOST_FLOAT16 = np.uint32(16), np.uint32(13)
_ALL_BFLOAT16, _ALL_FLOAT16 = np.uint64(0xFFFF), np.uint64(0x1FFF)
_SIGN, _SIZE = np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
_NEXT, _ROUNDING = np.uint64(9), draws.ROUNDING
_LEAST, _MANY, _FEW = np.float32(2.0**-14), np.float32(2.0**24), np.float32(2.0**-24)
_UNIT = np.float32(2.0**-23)


@intrinsic
def bits_of(typing: Any, number: Any) -> Any:
    """Return the bits of a number as float32 has it."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        narrow = context.cast(builder, arguments[0], number, types.float32)
        return builder.bitcast(narrow, ir.IntType(32))

    return types.uint32(number), build


@intrinsic
def number_of_bits(typing: Any, bits: Any) -> Any:
    """Return the float32 number of 32 bits."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = context.cast(builder, arguments[0], bits, types.uint32)
        return builder.bitcast(whole, ir.FloatType())

    return types.float32(bits), build


def formulas(compiled: Callable[[Any], Any]) -> dict[str, Any]:
    """Return what rounds by chance: `compiled` makes a function one for kernels."""
    mixed, bumped, stirred = (compiled(each) for each in (draws.mixed, draws.bumped, draws.stirred))

    @compiled
    def word_of(
        i: Any, begin: Any, identity: Any, step: Any, code: Any, low: Any, high: Any
    ) -> Any:  # fmt: skip
        """Return the random word of entry `begin + i`, as `draws.entry_words` does."""
        c0, c1, c2 = np.uint64(0), np.uint64(step) & _LOW, np.uint64(identity) & _LOW
        c3 = np.uint64((_ROUNDING + code // 2) << 16)
        k0, k1 = np.uint64(low), np.uint64(high)
        for _ in range(9):
            c0, c1, c2, c3 = mixed(c0, c1, c2, c3, k0, k1)
            k0, k1 = bumped(k0, k1)
        c0, c1, c2, c3 = mixed(c0, c1, c2, c3, k0, k1)
        entry = np.uint64(begin + i)
        first, second = stirred(entry & _LOW, (entry >> _UPPER) ^ c1, c0)
        return second if code % 2 else first

    @compiled
    def by_chance(value: Any, word: Any) -> Any:
        """Return a float32 that is not negative as a whole one, the next below or above."""
        below = floor(value)
        chance = np.float32(np.int64(word >> _NEXT)) * _UNIT
        return where(value - below > chance, below + np.float32(1.0), below)

    @compiled
    def bfloat16_by_chance(
        value: Any, i: Any, begin: Any, identity: Any, step: Any, code: Any, low: Any, high: Any
    ) -> Any:
        """Return a number that bfloat16 has, next to `value`."""
        word = word_of(i, begin, identity, step, code, low, high)
        bits = bits_of(value)
        moved = (bits + np.uint32(word & _ALL_BFLOAT16)) >> _LOST_BFLOAT16 << _LOST_BFLOAT16
        return where(isfinite(value), number_of_bits(moved), np.float32(value))

    @compiled
    def float16_by_chance(
        value: Any, i: Any, begin: Any, identity: Any, step: Any, code: Any, low: Any, high: Any
    ) -> Any:
        """Return a number that float16 has, next to `value`."""
        word = word_of(i, begin, identity, step, code, low, high)
        bits = bits_of(value)
        moved = (bits + np.uint32(word & _ALL_FLOAT16)) >> _LOST_FLOAT16 << _LOST_FLOAT16
        size = number_of_bits(bits & _SIZE)
        whole = bits_of(by_chance(size * _MANY, word) * _FEW) | (bits & _SIGN)
        kept = where(size < _LEAST, number_of_bits(whole), number_of_bits(moved))
        return where(isfinite(value), kept, np.float32(value))

    return {
        "word_of": word_of,
        "by_chance": by_chance,
        "bfloat16_by_chance": bfloat16_by_chance,
        "float16_by_chance": float16_by_chance,
    }


# A call in a loop would keep it from running on vectors.
_COMPILED = formulas(register_jitable(forceinline=True))
word_of, by_chance = _COMPILED["word_of"], _COMPILED["by_chance"]
bfloat16_by_chance = _COMPILED["bfloat16_by_chance"]
float16_by_chance = _COMPILED["float16_by_chance"]
