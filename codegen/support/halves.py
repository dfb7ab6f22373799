"""Numbers of 16 bits in LLVM code: bfloat16 and float16, widened and rounded.

A number is rounded to the nearest, ties to even, in whole-number operations on its bits, so that
loops over entries run on vectors. A float64 number is rounded once.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

_HALF, _WHOLE, _FLOAT, _DOUBLE = ir.IntType(16), ir.IntType(32), ir.FloatType(), ir.DoubleType()


def widened_by_processor(builder: Any, half: Any) -> Any:
    """Return a float16 number as float32, in an instruction that not every processor has."""
    return builder.fpext(builder.bitcast(half, ir.HalfType()), _FLOAT)


def rounded_by_processor(builder: Any, number: Any) -> Any:
    """Return a number rounded to float16, in an instruction that not every processor has."""
    narrow = builder.bitcast(float_bits(builder, number), _FLOAT)
    return builder.bitcast(builder.fptrunc(narrow, ir.HalfType()), _HALF)


def _const(value: int, kind: Any = _WHOLE) -> Any:
    return ir.Constant(kind, value)


def _above(builder: Any, bits: Any, least: int) -> Any:
    return builder.icmp_unsigned(">=", bits, _const(least))


def _bfloat16_widened(builder: Any, half: Any) -> Any:
    bits = builder.shl(builder.zext(half, _WHOLE), _const(16))
    return builder.bitcast(bits, _FLOAT)


def _float16_widened(builder: Any, half: Any) -> Any:
    whole = builder.zext(half, _WHOLE)
    sign = builder.shl(builder.and_(whole, _const(0x8000)), _const(16))
    size = builder.and_(whole, _const(0x7FFF))
    moved = builder.shl(size, _const(13))
    normal = builder.add(moved, _const(112 << 23))
    special = builder.add(moved, _const(224 << 23))  # NaN and infinity have the largest exponent
    # Below the least normal number: 1 + m/1024 of the exponent -14, less what is too much.
    least = _const(113 << 23)
    raised = builder.bitcast(builder.add(moved, least), _FLOAT)
    tiny = builder.bitcast(builder.fsub(raised, builder.bitcast(least, _FLOAT)), _WHOLE)
    bits = builder.select(_above(builder, size, 0x7C00), special, normal)
    bits = builder.select(_above(builder, size, 0x0400), bits, tiny)
    return builder.bitcast(builder.or_(bits, sign), _FLOAT)


def float_bits(builder: Any, number: Any) -> Any:
    """Return the bits of a number in float32; where that is not exact, the last one is set.

    So a second rounding gives what one would have given.
    """
    if number.type == _FLOAT:
        return builder.bitcast(number, _WHOLE)
    near = builder.fptrunc(number, _FLOAT)
    back, bits = builder.fpext(near, _DOUBLE), builder.bitcast(near, _WHOLE)
    sizes = [
        builder.and_(builder.bitcast(each, ir.IntType(64)), _const(2**63 - 1, ir.IntType(64)))
        for each in (back, number)
    ]
    beyond = builder.icmp_unsigned(">", *sizes)
    inexact = builder.fcmp_ordered("!=", back, number)
    lower = builder.sub(bits, builder.zext(builder.and_(beyond, inexact), _WHOLE))
    return builder.or_(lower, builder.zext(inexact, _WHOLE))


def _to_even(builder: Any, bits: Any, lost: int) -> Any:
    """Return bits without the last `lost` ones, rounded to the nearest, ties to even."""
    last = builder.and_(builder.lshr(bits, _const(lost)), _const(1))
    half = _const((1 << (lost - 1)) - 1)
    return builder.lshr(builder.add(builder.add(bits, half), last), _const(lost))


def _bfloat16_rounded(builder: Any, number: Any) -> Any:
    bits = float_bits(builder, number)
    quiet = builder.or_(builder.lshr(bits, _const(16)), _const(0x40))
    is_nan = builder.fcmp_unordered("uno", number, number)
    return builder.trunc(builder.select(is_nan, quiet, _to_even(builder, bits, 16)), _HALF)


def _float16_rounded(builder: Any, number: Any) -> Any:
    bits = float_bits(builder, number)
    sign = builder.and_(builder.lshr(bits, _const(16)), _const(0x8000))
    size = builder.and_(bits, _const(0x7FFFFFFF))
    normal = _to_even(builder, builder.sub(size, _const(112 << 23)), 13)
    # The last place of a half is that of the smallest number: adding one rounds to it.
    half = _const(126 << 23)
    raised = builder.fadd(builder.bitcast(size, _FLOAT), builder.bitcast(half, _FLOAT))
    tiny = builder.sub(builder.bitcast(raised, _WHOLE), half)
    found = builder.select(_above(builder, size, 113 << 23), normal, tiny)
    found = builder.select(_above(builder, size, 0x477FF000), _const(0x7C00), found)
    is_nan = _above(builder, size, 0x7F800001)
    payload = builder.and_(builder.lshr(size, _const(13)), _const(0x3FF))
    empty = builder.icmp_unsigned("==", payload, _const(0))
    kept = builder.or_(payload, builder.select(empty, _const(0x200), _const(0)))
    found = builder.select(is_nan, builder.or_(kept, _const(0x7C00)), found)
    return builder.trunc(builder.or_(found, sign), _HALF)


#: What makes float32 of 16 bits, by format.
WIDENED = {"bfloat16": _bfloat16_widened, "float16": _float16_widened}
#: What makes 16 bits of a float32 or float64 number, by format.
ROUNDED = {"bfloat16": _bfloat16_rounded, "float16": _float16_rounded}
