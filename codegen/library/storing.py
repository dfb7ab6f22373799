"""How the arrays of a library hold their numbers: in the format of a step, or in fewer bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.draws import philox, rounding_word
from optdsl.codegen.support.arithmetic import intrinsic_call, isfinite
from optdsl.codegen.support.draws import ROUNDING
from optdsl.codegen.support.emitting import BYTE, DOUBLE, FLOAT, HALF, SHORT, word
from optdsl.codegen.support.halves import (
    ROUNDED,
    WIDENED,
    rounded_by_processor,
    widened_by_processor,
)
from optdsl.storage import Storage


@dataclass(frozen=True)
class Precision:
    """A format in which a library steps, told by the ending of its functions.

    Parameters, gradients and whatever else a caller sees are stored as `seen` says; `real` is the
    type of what is computed of them.
    """

    ending: str
    seen: Storage
    real: Any

    @property
    def working(self) -> Storage:
        """How an array is stored of which nothing is said, and which only the rule sees."""
        return Storage("float64" if self.real == DOUBLE else "float32")


#: For parameters of float and double, and of bfloat16.
WIDE = (Precision("f32", Storage("float32"), FLOAT), Precision("f64", Storage("float64"), DOUBLE))
NARROW = Precision("bf16", Storage("bfloat16"), FLOAT)

#: What C and LLVM call the numbers of a format.
C_TYPES = {"float32": "float", "float64": "double", "bfloat16": "uint16_t",
           "float16": "uint16_t", "int8": "uint8_t"}  # fmt: skip
TYPES = {"float32": FLOAT, "float64": DOUBLE, "bfloat16": SHORT, "float16": SHORT, "int8": BYTE}


def update_type(storage: Storage) -> Any:
    """Return the type of an array as a loop over entries sees it: blocks have been widened."""
    return FLOAT if storage.block is not None else TYPES[storage.format]


@dataclass(frozen=True)
class Converter:
    """Widens and rounds numbers where `builder` stands; `halves` says that the processor can."""

    builder: Any
    halves: bool = False

    def widened(self, stored: Any, storage: Storage, kind: Any) -> Any:
        """Return what an array holds as a number of type `kind`."""
        if stored.type == SHORT:
            by_processor = self.halves and storage.format == "float16"
            widen = widened_by_processor if by_processor else WIDENED[storage.format]
            stored = widen(self.builder, stored)
        return self.cast(stored, kind)

    def rounded(self, number: Any, storage: Storage, kind: Any) -> Any:
        """Return a number as an array of this type holds it, rounded to the nearest."""
        if kind == SHORT:
            by_processor = self.halves and storage.format == "float16"
            return (rounded_by_processor if by_processor else ROUNDED[storage.format])(
                self.builder, number
            )
        return self.cast(number, kind)

    def cast(self, number: Any, kind: Any) -> Any:
        """Return a number as float or double."""
        if number.type == kind:
            return number
        change = self.builder.fpext if kind == DOUBLE else self.builder.fptrunc
        return change(number, kind)


# ------------------------------------------------------------ rounding by chance


def rounding_key(builder: Any, at: dict[str, Any], code: int) -> list[Any]:
    """Return the two words that tell the noise of one stream, step and tensor from any other.

    `at` holds `step`, `identity` and the seed's `low` and `high`, all words.
    """
    low = [builder.and_(at[name], word(0xFFFFFFFF)) for name in ("step", "identity")]
    counter = [word(0), *low, word((ROUNDING + code // 2) << 16)]
    return philox(builder, counter, [at["low"], at["high"]])[:2]


def noise(builder: Any, key: list[Any], entry: Any, code: int) -> Any:
    """Return the random bits of an entry."""
    return builder.trunc(rounding_word(builder, key, entry, code % 2), HALF)


def by_chance(builder: Any, number: Any, random: Any, storage: Storage) -> Any:
    """Return a float that a format of 16 bits has, next to a number: above or below by chance."""
    narrow = Converter(builder).cast(number, FLOAT)
    bits = builder.bitcast(narrow, HALF)
    lost = 16 if storage.format == "bfloat16" else 13
    some = builder.and_(random, ir.Constant(HALF, (1 << lost) - 1))
    place = ir.Constant(HALF, lost)
    moved = builder.shl(builder.lshr(builder.add(bits, some), place), place)
    found = builder.bitcast(moved, FLOAT)
    if storage.format == "float16":
        found = _tiny_by_chance(builder, bits, random, found)
    return builder.select(isfinite(builder, number), found, narrow)


def _tiny_by_chance(builder: Any, bits: Any, random: Any, otherwise: Any) -> Any:
    """Return a number below the least normal float16, in whole places of 2^-24, or `otherwise`."""

    def number(value: float) -> Any:
        return ir.Constant(FLOAT, value)

    size = builder.bitcast(builder.and_(bits, ir.Constant(HALF, 0x7FFFFFFF)), FLOAT)
    places = builder.fmul(size, number(2.0**24))
    below = intrinsic_call(builder, "floor", places)
    chance = builder.uitofp(builder.lshr(random, ir.Constant(HALF, 9)), FLOAT)
    up = builder.fcmp_ordered(
        ">", builder.fsub(places, below), builder.fmul(chance, number(2.0**-23))
    )
    whole = builder.select(up, builder.fadd(below, number(1.0)), below)
    small = builder.bitcast(builder.fmul(whole, number(2.0**-24)), HALF)
    signed = builder.or_(small, builder.and_(bits, ir.Constant(HALF, 0x80000000)))
    is_tiny = builder.fcmp_ordered("<", size, number(2.0**-14))
    return builder.select(is_tiny, builder.bitcast(signed, FLOAT), otherwise)
