"""Arrays of bfloat16 and float16 in Numba kernels: reading widens, writing rounds to the nearest.

An entry is read as float32 and written as the nearest number of the format, as `halves.py` does
it; for float16, in one instruction where the processor has it. A format is told by the type of a
zero; see `zeros.py`.
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

from optdsl.codegen.support.halves import (
    ROUNDED,
    WIDENED,
    rounded_by_processor,
    widened_by_processor,
)

# Numba is not typed: these names keep that in one place.
types: Any = numba_types
_functions: Any = cgutils
_models: Any = models

_HALF = ir.IntType(16)


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


def has_feature(context: Any, name: str) -> bool:
    """Has the processor these instructions?

    Where it has none, LLVM would call functions, which may not be there.
    """
    features: str = getattr(context.codegen(), "_tm_features", "")
    return f"+{name}" in features.split(",")


@intrinsic
def _read(typing: Any, array: Any, index: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        index = context.cast(builder, arguments[1], signature.args[1], types.intp)
        half = builder.load(_place(context, builder, array, arguments[0], index))
        if array.kind == "float16" and has_feature(context, "f16c"):
            return widened_by_processor(builder, half)
        return WIDENED[array.kind](builder, half)

    return types.float32(array, index), build


@intrinsic
def _write(typing: Any, array: Any, index: Any, value: Any) -> Any:
    kept = value if value in (types.float32, types.float64) else types.float32

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        index = context.cast(builder, arguments[1], signature.args[1], types.intp)
        number = context.cast(builder, arguments[2], value, kept)
        if array.kind == "float16" and has_feature(context, "f16c"):
            half = rounded_by_processor(builder, number)
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
