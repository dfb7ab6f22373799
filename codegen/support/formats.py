"""Arrays of bfloat16 and float16 in Numba kernels: reading widens, writing rounds to the nearest.

An entry is read as float32 and written as the nearest number of the format, ties to even, in
whole-number operations on its bits, so that loops over entries run on vectors; for float16, in
one instruction where the processor has it. A float64 number is rounded once. A format is told by
the type of a zero; see `zeros.py`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import extending as numba_extending
from numba.core import cgutils
from numba.core import types as numba_types
from numba.extending import models, overload, overload_attribute, register_model

# Numba is not typed: these names keep that in one place.
types: Any = numba_types
_functions: Any = cgutils
_models: Any = models

_HALF, _WHOLE, _FLOAT, _DOUBLE = ir.IntType(16), ir.IntType(32), ir.FloatType(), ir.DoubleType()


def intrinsic(build: Callable[..., Any]) -> Any:
    """Make a function that compiled code calls of what types it and builds its instructions."""
    return numba_extending.intrinsic(build)


class NarrowArray(types.Type):  # type: ignore[misc]
    """The type of an array of 16-bit numbers, `kind` of them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(name=f"NarrowArray({kind})")


@register_model(NarrowArray)
class _NarrowModel(_models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        members = [("data", types.CPointer(types.uint16)), ("count", types.intp)]
        super().__init__(manager, kind, members)


_KINDS = {types.uint16: NarrowArray("bfloat16"), types.int16: NarrowArray("float16")}
_REAL = np.dtype(np.float32)


def narrow_array(zero: Any) -> Any:
    """Return the type of an array of numbers like `zero`, None where Numba has one."""
    return _KINDS.get(zero)


def narrow_view(context: Any, builder: Any, kind: Any, address: Any, count: Any) -> Any:
    """Return the array of `count` numbers at `address`."""
    array = _functions.create_struct_proxy(kind)(context, builder)
    array.data = builder.inttoptr(address, _HALF.as_pointer())
    array.count = count
    return array._getvalue()


# ------------------------------------------------------------------ reading, writing


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    proxy = _functions.create_struct_proxy(kind)(context, builder, value=array)
    return builder.gep(proxy.data, [index])


def _converts_halves(context: Any) -> bool:
    """Has the processor instructions between float16 and float32?

    Where it has none, LLVM would call functions that are not there.
    """
    features: str = getattr(context.codegen(), "_tm_features", "")
    return "+f16c" in features.split(",")


@intrinsic
def _read(typing: Any, array: Any, index: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        index = context.cast(builder, arguments[1], signature.args[1], types.intp)
        half = builder.load(_place(context, builder, array, arguments[0], index))
        if array.kind == "float16" and _converts_halves(context):
            return builder.fpext(builder.bitcast(half, ir.HalfType()), _FLOAT)
        return WIDENED[array.kind](builder, half)

    return types.float32(array, index), build


@intrinsic
def _write(typing: Any, array: Any, index: Any, value: Any) -> Any:
    kept = value if value in (types.float32, types.float64) else types.float32

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        index = context.cast(builder, arguments[1], signature.args[1], types.intp)
        number = context.cast(builder, arguments[2], value, kept)
        if array.kind == "float16" and _converts_halves(context):
            narrow = builder.bitcast(_bits(builder, number), _FLOAT)
            half = builder.bitcast(builder.fptrunc(narrow, ir.HalfType()), _HALF)
        else:
            half = ROUNDED[array.kind](builder, number)
        builder.store(half, _place(context, builder, array, arguments[0], index))
        return context.get_dummy_value()

    return types.void(array, index, value), build


@overload(operator.getitem)
def _getitem(array: Any, index: Any) -> Any:
    def read(array: Any, index: Any) -> Any:
        return _read(array, index)

    return read if isinstance(array, NarrowArray) else None


@overload(operator.setitem)
def _setitem(array: Any, index: Any, value: Any) -> Any:
    def write(array: Any, index: Any, value: Any) -> Any:
        _write(array, index, value)

    return write if isinstance(array, NarrowArray) else None


@intrinsic
def _count(typing: Any, array: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        proxy = _functions.create_struct_proxy(array)(context, builder, value=arguments[0])
        return proxy.count

    return types.intp(array), build


@overload_attribute(NarrowArray, "size")
def _size(array: Any) -> Any:
    def size(array: Any) -> Any:
        return _count(array)

    return size


@overload_attribute(NarrowArray, "dtype")
def _dtype(array: Any) -> Any:
    """The type in which kernels compute with such numbers."""

    def dtype(array: Any) -> Any:
        return _REAL

    return dtype


# ------------------------------------------------------------------------- bits


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


def _bits(builder: Any, number: Any) -> Any:
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
    bits = _bits(builder, number)
    quiet = builder.or_(builder.lshr(bits, _const(16)), _const(0x40))
    is_nan = builder.fcmp_unordered("uno", number, number)
    return builder.trunc(builder.select(is_nan, quiet, _to_even(builder, bits, 16)), _HALF)


def _float16_rounded(builder: Any, number: Any) -> Any:
    bits = _bits(builder, number)
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


WIDENED = {"bfloat16": _bfloat16_widened, "float16": _float16_widened}
ROUNDED = {"bfloat16": _bfloat16_rounded, "float16": _float16_rounded}
