"""Arithmetic on LLVM values, alike in every kernel: what both compiled targets are made of.

Each function takes an LLVM builder and the values, and returns the value of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import llvmlite.ir as ir

Build = Callable[..., Any]

BIT = ir.IntType(1)


def declared(module: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """Return the function of this name that lies outside `module`, declared once."""
    known = module.globals.get(name)
    if known is None:
        known = ir.Function(module, ir.FunctionType(result, arguments), name)
    return known


def for_cuda(builder: Any) -> bool:
    """Is this code for a CUDA device?"""
    return "nvptx" in builder.module.triple


def intrinsic_call(builder: Any, name: str, *arguments: Any) -> Any:
    """Call the LLVM intrinsic of this name for the type of its arguments.

    Where CUDA's compiler does not know one, what it has instead.
    """
    kind = arguments[0].type
    if for_cuda(builder) and name in _IN_CUDA:
        return _IN_CUDA[name](builder, *arguments)
    suffix = "f32" if kind == ir.FloatType() else "f64"
    function = declared(builder.module, f"llvm.{name}.{suffix}", kind, [kind] * len(arguments))
    return builder.call(function, arguments)


def _absolute(builder: Any, x: Any) -> Any:
    """Return a number without its sign, by its bits."""
    whole = ir.IntType(32 if x.type == ir.FloatType() else 64)
    size = ir.Constant(whole, (1 << (whole.width - 1)) - 1)
    return builder.bitcast(builder.and_(builder.bitcast(x, whole), size), x.type)


def _nearest(builder: Any, x: Any) -> Any:
    """Return the nearest whole number, by CUDA's library of device functions."""
    name = "__nv_rintf" if x.type == ir.FloatType() else "__nv_rint"
    return builder.call(declared(builder.module, name, x.type, [x.type]), [x])


_IN_CUDA: dict[str, Build] = {"fabs": _absolute, "rint": _nearest}


def negative(builder: Any, x: Any) -> Any:
    """Return a number with the other sign."""
    return builder.fsub(ir.Constant(x.type, -0.0), x) if for_cuda(builder) else builder.fneg(x)


def plus(builder: Any, a: Any, b: Any) -> Any:
    """Return a + b."""
    return builder.fadd(a, b)


def llvm(name: str) -> Build:
    """Return what calls the LLVM intrinsic of this name."""

    def build(builder: Any, *arguments: Any) -> Any:
        return intrinsic_call(builder, name, *arguments)

    return build


def bit(builder: Any, test: Any) -> Any:
    """Return a truth value as one bit."""
    return test if test.type == BIT else builder.trunc(test, BIT)


def extreme(symbol: str) -> Build:
    """Return what chooses between two by "<" or ">"; NaN where either is."""

    def build(builder: Any, a: Any, b: Any) -> Any:
        nearer = builder.fcmp_ordered(symbol, a, b)
        return builder.select(builder.or_(nearer, builder.fcmp_unordered("uno", a, a)), a, b)

    return build


def sign(builder: Any, x: Any) -> Any:
    """Return -1, 0 or 1; NaN for NaN."""
    zero, one, minus = (ir.Constant(x.type, value) for value in (0.0, 1.0, -1.0))
    below = builder.select(builder.fcmp_ordered("<", x, zero), minus, x)
    return builder.select(builder.fcmp_ordered(">", x, zero), one, below)


def square(builder: Any, x: Any) -> Any:
    """Return x*x."""
    return builder.fmul(x, x, flags=("contract",))


def cube(builder: Any, x: Any) -> Any:
    """Return x*x*x."""
    return builder.fmul(builder.fmul(x, x), x, flags=("contract",))


def isfinite(builder: Any, x: Any) -> Any:
    """Is x neither infinite nor NaN?"""
    size = intrinsic_call(builder, "fabs", x)
    return builder.fcmp_ordered("<", size, ir.Constant(x.type, inf))


def _remainder(builder: Any, a: Any, b: Any) -> Any:
    """Return what remains of a, with its sign: exact, and on CUDA by its library."""
    if not for_cuda(builder):
        return builder.frem(a, b)
    name = "__nv_fmodf" if a.type == ir.FloatType() else "__nv_fmod"
    return builder.call(declared(builder.module, name, a.type, [a.type, a.type]), [a, b])


def mod(builder: Any, a: Any, b: Any) -> Any:
    """Return what remains of a after whole multiples of b, with the sign of b."""
    zero = ir.Constant(a.type, 0.0)
    rest = _remainder(builder, a, b)
    apart = builder.xor(builder.fcmp_ordered("<", rest, zero), builder.fcmp_ordered("<", b, zero))
    moved = builder.and_(apart, builder.fcmp_ordered("!=", rest, zero))
    return builder.select(moved, builder.fadd(rest, b), rest)


def add(builder: Any, total: Any, x: Any) -> Any:
    """Add to a running sum, in whatever order is fastest."""
    return builder.fadd(total, x, flags=("reassoc", "contract"))


def logical_not(builder: Any, test: Any) -> Any:
    """Is a truth value false?"""
    return builder.not_(bit(builder, test))
