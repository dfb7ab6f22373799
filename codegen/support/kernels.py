"""What the loops of Numba kernels are made of.

Floating-point code may be contracted (a product and a sum rounded once) and is
otherwise exact IEEE arithmetic: NaN and infinity keep their meaning. Only the
partial sums of a reduction may be added in another order, so that they too
run several lanes wide; the order is fixed when the kernel is compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import types as numba_types
from numba.extending import intrinsic
from numba.np import arrayobj
from numpy import float64, inf, pi

from optdsl.codegen.support import arithmetic
from optdsl.codegen.support.arithmetic import Build, llvm
from optdsl.codegen.support.elementary import cos_of, exp_of, log_of, power_of, sine_of
from optdsl.codegen.support.formats import has_feature, narrow_array, narrow_view
from optdsl.codegen.support.pieces import PiecesWithoutAliases, piece
from optdsl.codegen.support.quotients import quotient_of

__all__ = [
    "FLAGS", "add", "cos", "cube", "divide", "entrywise", "exp", "fill", "float64", "floor",
    "greatest", "inf", "isfinite", "least", "log", "logical_not", "maximum", "minimum", "mod",
    "pi", "power", "row_of", "sign", "sine", "size_of", "sqrt", "square", "view", "where",
]  # fmt: skip

#: How kernels are compiled.
FLAGS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}

# Numba is not typed: these names keep that in one place.
types: Any = numba_types
_arrays: Any = arrayobj


def entrywise(function: Callable[..., None]) -> Any:
    """Compile what is done to the entries of one chunk: no two of its arrays overlap."""
    return piece(function, PiecesWithoutAliases, **FLAGS)


@piece
def fill(array: Any, value: float) -> None:
    """Let every number of `array` be `value`.

    Numba takes `array[:] = value` for dead code where nothing else reads that view of memory.
    """
    for i in range(array.size):
        array[i] = value


@intrinsic
def view(typing: Any, address: Any, count: Any, zero: Any) -> Any:
    """Return the array of `count` numbers like `zero` that begins at `address`."""
    array = narrow_array(zero) or types.Array(zero, 1, "C")

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        begin, length, _ = arguments
        if narrow_array(zero) is not None:
            return narrow_view(context, builder, array, begin, length)
        item = context.get_data_type(zero)
        size = context.get_constant(types.intp, context.get_abi_sizeof(item))
        result = _arrays.make_array(array)(context, builder)
        data = builder.inttoptr(begin, item.as_pointer())
        _arrays.populate_array(
            result, data=data, shape=[length], strides=[size], itemsize=size, meminfo=None
        )
        return result._getvalue()

    return array(types.int64, types.int64, zero), build


@intrinsic
def row_of(typing: Any, array: Any, index: Any) -> Any:
    """Return a row of a contiguous array, as one that nobody counts references to."""
    row = types.Array(array.dtype, 1, "C")

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = _arrays.make_array(array)(context, builder, arguments[0])
        columns = builder.extract_value(whole.shape, 1)
        size = context.get_constant(types.intp, context.get_abi_sizeof(whole.data.type.pointee))
        result = _arrays.make_array(row)(context, builder)
        data = builder.gep(whole.data, [builder.mul(arguments[1], columns)])
        _arrays.populate_array(
            result, data=data, shape=[columns], strides=[size], itemsize=size, meminfo=None
        )
        return result._getvalue()

    return row(array, types.int64), build


@intrinsic
def size_of(typing: Any, zero: Any) -> Any:
    """Return how many bytes a number like `zero` takes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        size = context.get_abi_sizeof(context.get_data_type(zero))
        return context.get_constant(types.int64, size)

    return types.int64(zero), build


def _of_one(build: Build, result: Any = None) -> Any:
    """Make a function of one number of `build(builder, value)`."""

    def typed(typing: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return build(builder, *arguments)

        return (x if result is None else result)(x), generate

    return intrinsic(typed)


def _of_two(build: Build) -> Any:
    """Make a function of two numbers of `build(builder, left, right)`."""

    def typed(typing: Any, left: Any, right: Any) -> Any:
        kind = typing.unify_types(left, right)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            first = context.cast(builder, arguments[0], left, kind)
            second = context.cast(builder, arguments[1], right, kind)
            return build(builder, first, second)

        return kind(left, right), generate

    return intrinsic(typed)


def _folding(build: Build) -> Any:
    """Make a function of a float64 total and one more number."""

    def typed(typing: Any, total: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = context.cast(builder, arguments[1], x, types.float64)
            return build(builder, arguments[0], value)

        return types.float64(types.float64, x), generate

    return intrinsic(typed)


@intrinsic
def where(typing: Any, condition: Any, value: Any, otherwise: Any) -> Any:
    """Return `value` where `condition` holds, else `otherwise`; both are known."""
    kind = typing.unify_types(value, otherwise)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first = context.cast(builder, arguments[1], value, kind)
        second = context.cast(builder, arguments[2], otherwise, kind)
        return builder.select(arithmetic.bit(builder, arguments[0]), first, second)

    return kind(types.boolean, value, otherwise), build


@intrinsic
def divide(typing: Any, x: Any, divisor: Any) -> Any:
    """Return x/divisor, of a divisor that many entries share."""
    kind = typing.unify_types(x, divisor)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first = context.cast(builder, arguments[0], x, kind)
        second = context.cast(builder, arguments[1], divisor, kind)
        if has_feature(context, "fma"):
            return quotient_of(builder, first, second)
        return builder.fdiv(first, second)

    return kind(x, divisor), build


#: The sum of two, as a function.
plus = _of_two(arithmetic.plus)
#: The smaller or the larger of two; NaN where either is.
minimum, maximum = _of_two(arithmetic.extreme("<")), _of_two(arithmetic.extreme(">"))
#: The sine, of what is within [-pi/2, pi/2].
sine = _of_one(sine_of)
exp, log, cos = (_of_one(each) for each in (exp_of, log_of, cos_of))
#: The first to the power of the second.
power = _of_two(power_of)
#: -1, 0 or 1; NaN for NaN.
sign = _of_one(arithmetic.sign)
#: What remains of the first after whole multiples of the second, with the sign of the second.
mod = _of_two(arithmetic.mod)
square, cube = _of_one(arithmetic.square), _of_one(arithmetic.cube)
sqrt, floor = (_of_one(llvm(each)) for each in ("sqrt", "floor"))
isfinite, logical_not = (
    _of_one(each, types.boolean) for each in (arithmetic.isfinite, arithmetic.logical_not)
)
#: A running sum, in whatever order is fastest; a running minimum and maximum, with NaN kept.
add, least, greatest = (
    _folding(each) for each in (arithmetic.add, llvm("minimum"), llvm("maximum"))
)
