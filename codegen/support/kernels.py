"""What the loops of Numba kernels are made of.

Floating-point code may be contracted (a product and a sum rounded once) and is
otherwise exact IEEE arithmetic: NaN and infinity keep their meaning. Only the
partial sums of a reduction may be added in another order, so that they too
run several lanes wide; the order is fixed when the kernel is compiled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.ir as ir
import numba
from numba import njit, types
from numba.core import cgutils
from numba.core.compiler import Compiler
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

_FLAGS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}


def _fingerprint() -> str:
    text = Path(__file__).read_bytes() + numba.__version__.encode()
    return hashlib.sha256(text).hexdigest()[:12]


_FINGERPRINT = _fingerprint()


class _NoAlias(Compiler):  # type: ignore[misc]
    """Compiles a function whose arrays never overlap, so that its loops can be vectorised."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()


def entrywise(function: Callable[..., None]) -> Any:
    """Compile what is done to one chunk: no two of its arrays overlap."""
    return njit(pipeline_class=_NoAlias, **_FLAGS)(function)


def kernel(function: Callable[..., None]) -> Any:
    """Compile a loop over chunks, run by several threads and cached beside its module.

    The name under which it is cached tells this file and Numba's version: a newer
    one never takes up what an older one compiled.
    """
    function.__qualname__ = f"{function.__qualname__}_{_FINGERPRINT}"
    return njit(parallel=True, nogil=True, cache=True, **_FLAGS)(function)


@intrinsic  # type: ignore[misc]
def view(typing: Any, address: Any, count: Any, zero: Any) -> Any:
    """Return the array of `count` numbers like `zero` that begins at `address`."""
    array = types.Array(zero, 1, "C")

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        begin, length, _ = arguments
        item = context.get_data_type(zero)
        size = context.get_constant(types.intp, context.get_abi_sizeof(item))
        result = make_array(array)(context, builder)
        data = builder.inttoptr(begin, item.as_pointer())
        populate_array(
            result, data=data, shape=[length], strides=[size], itemsize=size, meminfo=None
        )
        return result._getvalue()

    return array(types.int64, types.int64, zero), build


def _float(*arguments: Any) -> Any:
    """Return the one float type of all arguments; None where they are not floats."""
    kinds = set(arguments)
    return kinds.pop() if len(kinds) == 1 and kinds <= {types.float32, types.float64} else None


@intrinsic  # type: ignore[misc]
def where(typing: Any, condition: Any, value: Any, otherwise: Any) -> Any:
    """Return `value` where `condition` holds, else `otherwise`; both are known."""
    result = types.boolean if value == otherwise == types.boolean else typing.unify_types(
        value, otherwise
    )  # fmt: skip

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        test, first, second = arguments
        first = context.cast(builder, first, value, result)
        second = context.cast(builder, second, otherwise, result)
        return builder.select(_bit(builder, test), first, second)

    return result(types.boolean, value, otherwise), build


def _bit(builder: Any, test: Any) -> Any:
    return test if test.type == ir.IntType(1) else builder.trunc(test, ir.IntType(1))


def _extreme(symbol: str) -> Callable[..., Any]:
    def typed(typing: Any, left: Any, right: Any) -> Any:
        result = typing.unify_types(left, right)

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            a = context.cast(builder, arguments[0], left, result)
            b = context.cast(builder, arguments[1], right, result)
            keep = builder.or_(
                builder.fcmp_ordered(symbol, a, b), builder.fcmp_unordered("uno", a, a)
            )
            return builder.select(keep, a, b)

        return result(left, right), build

    return typed


def _minimum(typing: Any, left: Any, right: Any) -> Any:
    """Return the smaller; NaN where either is."""
    return _extreme("<")(typing, left, right)


def _maximum(typing: Any, left: Any, right: Any) -> Any:
    """Return the larger; NaN where either is."""
    return _extreme(">")(typing, left, right)


minimum = intrinsic(_minimum)
maximum = intrinsic(_maximum)


@intrinsic  # type: ignore[misc]
def sign(typing: Any, x: Any) -> Any:
    """Return -1, 0 or 1; NaN for NaN."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        zero, one = ir.Constant(value.type, 0.0), ir.Constant(value.type, 1.0)
        minus = ir.Constant(value.type, -1.0)
        below = builder.select(builder.fcmp_ordered("<", value, zero), minus, value)
        return builder.select(builder.fcmp_ordered(">", value, zero), one, below)

    return x(x), build


@intrinsic  # type: ignore[misc]
def square(typing: Any, x: Any) -> Any:
    """Return x*x."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        return builder.fmul(value, value, flags=("contract",))

    return x(x), build


@intrinsic  # type: ignore[misc]
def cube(typing: Any, x: Any) -> Any:
    """Return x*x*x."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        return builder.fmul(builder.fmul(value, value), value, flags=("contract",))

    return x(x), build


@intrinsic  # type: ignore[misc]
def isfinite(typing: Any, x: Any) -> Any:
    """Return whether x is neither infinite nor NaN."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        size = _call(builder, "llvm.fabs", value)
        return builder.fcmp_ordered("<", size, ir.Constant(value.type, float("inf")))

    return types.boolean(x), build


def _call(builder: Any, name: str, *arguments: Any) -> Any:
    kind = arguments[0].type
    suffix = "f32" if kind == ir.FloatType() else "f64"
    signature = ir.FunctionType(kind, [kind] * len(arguments))
    function = cgutils.get_or_insert_function(builder.module, signature, f"{name}.{suffix}")
    return builder.call(function, arguments)


def _elementary(name: str) -> Callable[..., Any]:
    def typed(typing: Any, x: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _call(builder, f"llvm.{name}", *arguments)

        return x(x), build

    typed.__name__ = name
    return typed


def _one_argument(name: str) -> Any:
    typed = _elementary(name)

    def function(typing: Any, x: Any) -> Any:
        return typed(typing, x)

    function.__name__ = name
    return intrinsic(function)


sqrt = _one_argument("sqrt")
exp = _one_argument("exp")
log = _one_argument("log")
cos = _one_argument("cos")
floor = _one_argument("floor")


@intrinsic  # type: ignore[misc]
def mod(typing: Any, left: Any, right: Any) -> Any:
    """Return what remains of `left` after whole multiples of `right`, with its sign."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = arguments
        zero = ir.Constant(a.type, 0.0)
        rest = builder.frem(a, b)
        apart = builder.xor(
            builder.fcmp_ordered("<", rest, zero), builder.fcmp_ordered("<", b, zero)
        )
        moved = builder.and_(apart, builder.fcmp_ordered("!=", rest, zero))
        return builder.select(moved, builder.fadd(rest, b), rest)

    return left(left, right), build


@intrinsic  # type: ignore[misc]
def logical_not(typing: Any, x: Any) -> Any:
    """Return whether x does not hold."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.not_(_bit(builder, arguments[0]))

    return types.boolean(types.boolean), build


@intrinsic  # type: ignore[misc]
def add(typing: Any, total: Any, x: Any) -> Any:
    """Return total + x, where the order in which a loop adds does not matter."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = context.cast(builder, arguments[1], x, types.float64)
        return builder.fadd(arguments[0], value, flags=("reassoc", "contract"))

    return types.float64(types.float64, x), build


def _folded(name: str) -> Callable[..., Any]:
    def typed(typing: Any, total: Any, x: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = context.cast(builder, arguments[1], x, types.float64)
            return _call(builder, f"llvm.{name}", arguments[0], value)

        return types.float64(types.float64, x), build

    return typed


def _least(typing: Any, total: Any, x: Any) -> Any:
    """Return the smaller of a running minimum and x."""
    return _folded("minimum")(typing, total, x)


def _greatest(typing: Any, total: Any, x: Any) -> Any:
    """Return the larger of a running maximum and x."""
    return _folded("maximum")(typing, total, x)


least = intrinsic(_least)
greatest = intrinsic(_greatest)
