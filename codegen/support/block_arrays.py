"""Arrays of states in blocks: an entry is widened as it is read, and rounded one block later.

The scale of a block is known when all its entries are. So an entry that is written goes into
room in the nearest cache, and in its place within the block before an entry is rounded, whose
block has its scale by then. One loop does all of it, and has other work while it waits for
divisions and roots.
"""

from __future__ import annotations

import operator
from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba.core import cgutils
from numba.extending import make_attribute_wrapper, models, overload, register_model

from optdsl.codegen.support import block_codes, blocks, kernels
from optdsl.codegen.support.chances import bits_of
from optdsl.codegen.support.formats import intrinsic, types
from optdsl.codegen.support.lanes import Lane
from optdsl.codegen.support.pieces import piece
from optdsl.runtime.formats import SCALE

_functions: Any = cgutils
_models: Any = models
view: Any = kernels.view

_BYTE, _FLOAT = np.uint8(0), np.float32(0)
_SIGN = np.uint32(0x80000000)
_SIGN_BIT, _BASE, _PLACE = block_codes.SIGN_BIT, block_codes.BASE, block_codes.PLACE
_BASE_TWICE, _MAGIC = block_codes.BASE_TWICE, block_codes.MAGIC

#: What entries are read from and written to, and what is read of the block before and rounded.
_MEMBERS = [
    ("codes", types.CPointer(types.uint8)), ("numbers", types.CPointer(types.float32)),
    ("scale", types.float32), ("base", types.uint32), ("place", types.float32),
    ("sign", types.uint32),
    ("old_codes", types.CPointer(types.uint8)), ("old_numbers", types.CPointer(types.float32)),
    ("factor", types.float32), ("old_base", types.uint32), ("magic", types.float32),
    ("old_sign", types.uint32),
    ("count", types.intp),
]  # fmt: skip


class BlockArray(types.Type):  # type: ignore[misc]
    """The type of an array of the entries of one block, and of the block before it."""

    def __init__(self) -> None:
        super().__init__(name="BlockArray")


_KIND = BlockArray()


@register_model(BlockArray)
class _BlockModel(_models.StructModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _MEMBERS)


for _name, _ in _MEMBERS:
    make_attribute_wrapper(BlockArray, _name, _name)


@intrinsic
def _made(
    typing: Any, codes: Any, numbers: Any, scale: Any, base: Any, place: Any, sign: Any,
    old_codes: Any, old_numbers: Any, factor: Any, old_base: Any, magic: Any, old_sign: Any,
    count: Any,
) -> Any:  # fmt: skip
    """Return an array of the members, addresses as whole numbers."""
    given = [types.int64 if isinstance(kind, types.CPointer) else kind for _, kind in _MEMBERS]

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = _functions.create_struct_proxy(_KIND)(context, builder)
        for (name, kind), value in zip(_MEMBERS, arguments, strict=True):
            pointed = isinstance(kind, types.CPointer)
            kept = builder.inttoptr(value, context.get_value_type(kind)) if pointed else value
            setattr(array, name, kept)
        return array._getvalue()

    return _KIND(*given), build


@intrinsic
def _address(typing: Any, pointer: Any) -> Any:
    """Return where a pointer points."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(arguments[0], ir.IntType(64))

    return types.int64(pointer), build


def _array(context: Any, builder: Any, value: Any) -> Any:
    return _functions.create_struct_proxy(_KIND)(context, builder, value=value)


@intrinsic
def _read(typing: Any, array: Any, index: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        it = _array(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], signature.args[1], types.intp)
        code = builder.load(builder.gep(it.codes, [place]))
        given = (Lane(builder, each) for each in (code, it.scale, it.base, it.place, it.sign))
        return block_codes.number_formula(*given).value

    return types.float32(array, index), build


@intrinsic
def _write(typing: Any, array: Any, index: Any, value: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        it = _array(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], signature.args[1], types.intp)
        number = context.cast(builder, arguments[2], value, types.float32)
        builder.store(number, builder.gep(it.numbers, [place]))
        old = builder.load(builder.gep(it.old_numbers, [place]))
        given = (old, it.factor, it.old_base, it.magic, it.old_sign)
        code = block_codes.code_formula(*(Lane(builder, each) for each in given)).value
        builder.store(code, builder.gep(it.old_codes, [place]))
        return context.get_dummy_value()

    return types.void(array, index, value), build


@overload(operator.getitem)
def _getitem(array: Any, index: Any) -> Any:
    def read(array: Any, index: Any) -> Any:
        return _read(array, index)

    return read if isinstance(array, BlockArray) else None


@overload(operator.setitem)
def _setitem(array: Any, index: Any, value: Any) -> Any:
    def write(array: Any, index: Any, value: Any) -> Any:
        _write(array, index, value)

    return write if isinstance(array, BlockArray) else None


# ------------------------------------------------------------- from block to block


@piece
def before_blocks(place: Any, block: Any) -> Any:
    """Return an array that stands before the first block; it rounds into `place`, of `rooms`."""
    numbers = blocks.begin_of(place)
    for i in range(block):
        place[i] = _FLOAT
    other, record = numbers + 4 * blocks.ROOM, numbers + 8 * blocks.ROOM
    return _made(
        record + SCALE, numbers, _FLOAT, _BASE[0], _PLACE[0], _SIGN_BIT[0], record + SCALE, other,
        _FLOAT, _BASE_TWICE[0], _MAGIC[0], _SIGN_BIT[0], block,
    )  # fmt: skip


@piece
def read_block(record: Any, count: Any) -> Any:
    """Return an array of `count` entries of the block at `record`, only to be read."""
    scale = view(record, 1, _FLOAT)[0]
    kind = 1 if bits_of(scale) & _SIGN else 0
    return _made(
        record + SCALE, record, abs(scale), _BASE[kind], _PLACE[kind], _SIGN_BIT[kind], record,
        record, _FLOAT, _BASE_TWICE[0], _MAGIC[0], _SIGN_BIT[0], count,
    )  # fmt: skip


@piece
def next_block(array: Any, record: Any, count: Any) -> Any:
    """Return the array of the next block, of `count` entries; the last one gets its scale."""
    codes, numbers = _address(array.codes), _address(array.numbers)
    found = blocks.scale_of(view(numbers, array.count, _FLOAT))
    view(codes - SCALE, 1, _FLOAT)[0] = found
    old = 1 if bits_of(found) & _SIGN else 0
    scale = view(record, 1, _FLOAT)[0]
    kind = 1 if bits_of(scale) & _SIGN else 0
    return _made(
        record + SCALE, _address(array.old_numbers), abs(scale), _BASE[kind], _PLACE[kind],
        _SIGN_BIT[kind], codes, numbers, blocks.factor_of(found), _BASE_TWICE[old], _MAGIC[old],
        _SIGN_BIT[old], count,
    )  # fmt: skip


@piece
def last_block(array: Any, block: Any) -> None:
    """Round what is not yet: the last block, and what was longer of the one before."""
    rest = block - array.count
    if rest > 0:
        codes = view(_address(array.old_codes) + array.count, rest, _BYTE)
        numbers = view(_address(array.old_numbers) + 4 * array.count, rest, _FLOAT)
        blocks.rounded(codes, numbers, array.factor, array.old_base, array.magic, array.old_sign)
    numbers = view(_address(array.numbers), array.count, _FLOAT)
    blocks.close_blocks(numbers, _address(array.codes) - SCALE, block)
