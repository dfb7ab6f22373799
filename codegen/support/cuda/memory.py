"""Loads and stores of CUDA kernels, as LLVM code: single numbers, and several with one access.

The same code serves a device and the emulation of one on the CPU: addresses are whole numbers,
of global memory on the device. Numbers that are stored in 16 bits are computed with in float32.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
from numba.core import types as numba_types
from numba.extending import intrinsic

from optdsl.codegen.support.halves import ROUNDED, WIDENED

# Numba is not typed: this name keeps that in one place.
types: Any = numba_types

_WIDTHS = {"bfloat16": 2, "float16": 2, "float32": 4, "float64": 8, "int64": 8}
_STORED: dict[str, Any] = {
    "bfloat16": ir.IntType(16), "float16": ir.IntType(16), "float32": ir.FloatType(),
    "float64": ir.DoubleType(), "int64": ir.IntType(64),
}  # fmt: skip
_BITS = ir.IntType(32)
_COUNT = ir.IntType(64)

#: The bytes that one access moves at most.
WIDEST = 16


def _on_device(context: Any) -> bool:
    return "cuda" in type(context).__module__


def _pointer(context: Any, builder: Any, address: Any, kind: Any) -> Any:
    space = 1 if _on_device(context) else 0
    return builder.inttoptr(address, kind.as_pointer(addrspace=space))


def _place(builder: Any, address: Any, index: Any, form: str) -> Any:
    return builder.add(address, builder.mul(index, ir.Constant(_COUNT, _WIDTHS[form])))


def _loaded(context: Any, builder: Any, address: Any, kind: Any, align: int, constant: bool) -> Any:
    """Return what lies at an address; `constant` says that nobody writes it meanwhile."""
    loaded = builder.load(_pointer(context, builder, address, kind), align=align)
    if constant and _on_device(context):
        loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded


def _widened(builder: Any, value: Any, form: str, real: Any) -> Any:
    """Return a stored number as one to compute with."""
    if form in WIDENED:
        value = WIDENED[form](builder, value)
    if value.type == real:
        return value
    wider = real == ir.DoubleType()
    return builder.fpext(value, real) if wider else builder.fptrunc(value, real)


def _narrowed(builder: Any, value: Any, form: str) -> Any:
    """Return a number as it is stored: the nearest, the even one of two."""
    if form in ROUNDED:
        return ROUNDED[form](builder, value)
    kind = _STORED[form]
    if value.type == kind:
        return value
    wider = kind == ir.DoubleType()
    return builder.fpext(value, kind) if wider else builder.fptrunc(value, kind)


def _form(kind: Any) -> str:
    """Return the name of a format, given as a string or as a type of number."""
    return str(kind.dtype) if isinstance(kind, types.NumberClass) else str(kind.literal_value)


def _real_of(real: Any) -> tuple[Any, Any, int]:
    """Return the type of a number to compute with: Numba's, LLVM's, and how many fit an access."""
    single = real.dtype == types.float32
    return real.dtype, ir.FloatType() if single else ir.DoubleType(), 4 if single else 2


# ------------------------------------------------------------------ single numbers


def _read(constant: bool) -> Any:
    def typed(typing: Any, form: Any, address: Any, index: Any) -> Any:
        name = _form(form)
        result = types.int64 if name == "int64" else types.float32
        result = types.float64 if name == "float64" else result

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = _place(builder, arguments[1], arguments[2], name)
            kind = _STORED[name]
            value = _loaded(context, builder, place, kind, _WIDTHS[name], constant)
            return value if name == "int64" else _widened(builder, value, name, _of(result))

        return result(form, types.int64, types.int64), build

    return intrinsic(prefer_literal=True)(typed)


def _of(kind: Any) -> Any:
    return ir.DoubleType() if kind == types.float64 else ir.FloatType()


#: `read(form, address, index)`: a number of a table that nobody writes meanwhile.
read = _read(constant=True)
#: `read_changing(form, address, index)`: one that this kernel writes too.
read_changing = _read(constant=False)


@intrinsic(prefer_literal=True)
def write(typing: Any, form: Any, address: Any, index: Any, value: Any) -> Any:
    """Store one number."""
    name = _form(form)
    given = types.int64 if name == "int64" else types.float64

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(builder, arguments[1], arguments[2], name)
        number = _narrowed(builder, arguments[3], name)
        pointer = _pointer(context, builder, place, number.type)
        builder.store(number, pointer, align=_WIDTHS[name])
        return context.get_dummy_value()

    return types.void(form, types.int64, types.int64, given), build


# ------------------------------------------------------------ several at once


@intrinsic(prefer_literal=True)
def is_aligned(typing: Any, real: Any, form: Any, address: Any) -> Any:
    """May an array be loaded and stored with one access for several numbers?"""
    size = min(WIDEST, _WIDTHS[_form(form)] * _real_of(real)[2])

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rest = builder.and_(arguments[2], ir.Constant(_COUNT, size - 1))
        return builder.icmp_unsigned("==", rest, ir.Constant(_COUNT, 0))

    return types.boolean(real, form, types.int64), build


def _load(constant: bool) -> Any:
    def typed(typing: Any, real: Any, form: Any, address: Any, index: Any) -> Any:
        name = _form(form)
        number, kind, lanes = _real_of(real)
        result = types.UniTuple(number, lanes)

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = _place(builder, arguments[2], arguments[3], name)
            vector = ir.VectorType(_STORED[name], lanes)
            align = min(WIDEST, _WIDTHS[name] * lanes)
            loaded = _loaded(context, builder, place, vector, align, constant)
            found = ir.Constant(ir.ArrayType(kind, lanes), ir.Undefined)
            for lane in range(lanes):
                entry = builder.extract_element(loaded, ir.Constant(_BITS, lane))
                found = builder.insert_value(found, _widened(builder, entry, name, kind), lane)
            return found

        return result(real, form, types.int64, types.int64), build

    return intrinsic(prefer_literal=True)(typed)


#: `load(real, form, address, index)`: the numbers from `index` on, with one access.
load = _load(constant=False)
#: `load_constant(...)`: the same of an array that this kernel only reads.
load_constant = _load(constant=True)


@intrinsic(prefer_literal=True)
def store(typing: Any, form: Any, address: Any, index: Any, values: Any) -> Any:
    """Store numbers from `index` on, with one access."""
    name, lanes = _form(form), values.count

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(builder, arguments[1], arguments[2], name)
        vector = ir.Constant(ir.VectorType(_STORED[name], lanes), ir.Undefined)
        for lane in range(lanes):
            entry = _narrowed(builder, builder.extract_value(arguments[3], lane), name)
            vector = builder.insert_element(vector, entry, ir.Constant(_BITS, lane))
        pointer = _pointer(context, builder, place, vector.type)
        builder.store(vector, pointer, align=min(WIDEST, _WIDTHS[name] * lanes))
        return context.get_dummy_value()

    return types.void(form, types.int64, types.int64, values), build


# --------------------------------------------------------- a few, one by one


@intrinsic(prefer_literal=True)
def load_some(typing: Any, real: Any, form: Any, address: Any, index: Any, count: Any) -> Any:
    """Load the first `count` numbers from `index` on, one by one; the rest are 0."""
    name = _form(form)
    number, kind, lanes = _real_of(real)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = ir.Constant(ir.ArrayType(kind, lanes), None)
        for lane in range(lanes):
            here = builder.icmp_signed(">", arguments[4], ir.Constant(_COUNT, lane))
            before = builder.block
            with builder.if_then(here):
                index = builder.add(arguments[3], ir.Constant(_COUNT, lane))
                place = _place(builder, arguments[2], index, name)
                stored = _STORED[name]
                loaded = _loaded(context, builder, place, stored, _WIDTHS[name], False)
                more = builder.insert_value(found, _widened(builder, loaded, name, kind), lane)
                inside = builder.block
            merged = builder.phi(found.type)
            merged.add_incoming(found, before)
            merged.add_incoming(more, inside)
            found = merged
        return found

    result = types.UniTuple(number, lanes)
    return result(real, form, types.int64, types.int64, types.int64), build


@intrinsic(prefer_literal=True)
def store_some(typing: Any, form: Any, address: Any, index: Any, count: Any, values: Any) -> Any:
    """Store the first `count` of some numbers, one by one."""
    name, lanes = _form(form), values.count

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for lane in range(lanes):
            here = builder.icmp_signed(">", arguments[3], ir.Constant(_COUNT, lane))
            with builder.if_then(here):
                index = builder.add(arguments[2], ir.Constant(_COUNT, lane))
                place = _place(builder, arguments[1], index, name)
                entry = _narrowed(builder, builder.extract_value(arguments[4], lane), name)
                pointer = _pointer(context, builder, place, entry.type)
                builder.store(entry, pointer, align=_WIDTHS[name])
        return context.get_dummy_value()

    return types.void(form, types.int64, types.int64, types.int64, values), build


# ------------------------------------------------------------------------ lanes


def _chosen(builder: Any, lane: Any, number: int) -> Any:
    return builder.icmp_signed("==", lane, ir.Constant(lane.type, number))


@intrinsic
def one_by_one(typing: Any, number: Any) -> Any:
    """Return how many lanes there are, so that no compiler knows: it works on one at a time.

    Long formulas take too many registers where several run side by side.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        count = context.cast(builder, arguments[0], number, types.int32)
        if not _on_device(context):
            return count
        kind = ir.FunctionType(_BITS, [_BITS])
        moved = builder.asm(kind, "mov.u32 $0, $1;", "=r,r", [count], side_effect=True)
        moved.attributes.add("convergent")  # no loop around it is unrolled
        return moved

    return types.int32(number), build


@intrinsic
def nothing(typing: Any, real: Any) -> Any:
    """Return as many zeros as one access moves."""
    number, kind, lanes = _real_of(real)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(ir.ArrayType(kind, lanes), None)

    return types.UniTuple(number, lanes)(real), build


@intrinsic(prefer_literal=True)
def repeated(typing: Any, lanes: Any, value: Any) -> Any:
    """Return a number of float64 as often as there are lanes."""
    count = lanes.literal_value
    given = types.float64

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = ir.Constant(ir.ArrayType(ir.DoubleType(), count), ir.Undefined)
        for lane in range(count):
            found = builder.insert_value(found, arguments[1], lane)
        return found

    return types.UniTuple(given, count)(lanes, given), build


@intrinsic
def get(typing: Any, values: Any, lane: Any) -> Any:
    """Return one of some numbers."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = builder.extract_value(arguments[0], 0)
        for number in range(1, values.count):
            other = builder.extract_value(arguments[0], number)
            found = builder.select(_chosen(builder, arguments[1], number), other, found)
        return found

    return values.dtype(values, lane), build


@intrinsic
def put(typing: Any, values: Any, lane: Any, value: Any) -> Any:
    """Return some numbers with one of them replaced."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        result = arguments[0]
        for number in range(values.count):
            old = builder.extract_value(result, number)
            new = builder.select(_chosen(builder, arguments[1], number), arguments[2], old)
            result = builder.insert_value(result, new, number)
        return result

    return values(values, lane, values.dtype), build


@intrinsic(prefer_literal=True)
def rounded(typing: Any, form: Any, value: Any) -> Any:
    """Return a number as it is when it has been stored and loaded again."""
    name = _form(form)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kept = _narrowed(builder, arguments[1], name)
        return _widened(builder, kept, name, arguments[1].type)

    return value(form, value), build
