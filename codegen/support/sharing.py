"""How a kernel takes its chunks, in Numba: by an atomic counter, with tiny numbers flushed.

While a kernel runs, numbers below the least normal one count as zero, those it reads and those it
makes. Averages that decay would otherwise reach them after some hundred steps without a
gradient, and processors take many times longer for each.
"""

from __future__ import annotations

import platform
from typing import Any

import llvmlite.ir as ir
from numba import njit
from numba.core import cgutils
from numba.core import types as numba_types
from numba.extending import intrinsic
from numba.np import arrayobj

# Numba is not typed: these names keep that in one place.
types: Any = numba_types
_functions: Any = cgutils
_arrays: Any = arrayobj

_MACHINE = platform.machine().lower()
_X86 = _MACHINE in ("x86_64", "amd64", "i686", "i386")
_ARM = _MACHINE in ("aarch64", "arm64")
#: Bits of the control register: flush results, and on x86 also what is read.
_FLUSH = 0x8040 if _X86 else 1 << 24


def _control(builder: Any, value: Any = None) -> Any:
    """Read the register that controls floating-point arithmetic, or write it."""
    whole, pointer = (
        (ir.IntType(32), ir.IntType(8).as_pointer()) if _X86 else (ir.IntType(64), None)
    )
    if _X86:
        name = "stmxcsr" if value is None else "ldmxcsr"
        function = _declared(builder, f"llvm.x86.sse.{name}", ir.VoidType(), [pointer])
        place = _functions.alloca_once(builder, whole)
        if value is not None:
            builder.store(value, place)
        builder.call(function, [builder.bitcast(place, pointer)])
        return builder.load(place)
    if value is None:
        return builder.call(_declared(builder, "llvm.aarch64.get.fpcr", whole, []), [])
    return builder.call(
        _declared(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), [whole]), [value]
    )


def _declared(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    signature = ir.FunctionType(result, arguments)
    return _functions.get_or_insert_function(builder.module, signature, name)


@intrinsic
def flush_tiny(typing: Any) -> Any:
    """Let numbers below the least normal one count as zero; return what `restore` wants."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not (_X86 or _ARM):
            return ir.Constant(ir.IntType(64), 0)
        before = _control(builder)
        _control(builder, builder.or_(before, ir.Constant(before.type, _FLUSH)))
        return before if _ARM else builder.zext(before, ir.IntType(64))

    return types.int64(), build


@intrinsic
def restore(typing: Any, before: Any) -> Any:
    """Let tiny numbers count as they did before `flush_tiny`."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _X86 or _ARM:
            value = arguments[0]
            _control(builder, value if _ARM else builder.trunc(value, ir.IntType(32)))
        return context.get_dummy_value()

    return types.void(types.int64), build


def _fetch_and_add(typing: Any, array: Any, amount: Any) -> Any:
    """Add to the first number of `array`, whoever else does; return what it was."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _arrays.make_array(array)(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", place, arguments[1], "monotonic")

    return types.int64(array, types.int64), build


_taken: Any = intrinsic(_fetch_and_add)


@njit
def next_chunks(take: Any) -> Any:
    """Take some chunks: return the first, and the one behind the last."""
    some, count = take[1], take[2]
    first = _taken(take, some)
    return first, min(first + some, count)
