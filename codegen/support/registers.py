"""The register that controls floating-point arithmetic, in LLVM code.

With its bits set, numbers below the least normal one count as zero, those that are read and those
that are made.
"""

from __future__ import annotations

import platform
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.support.arithmetic import declared

_X86 = ("x86_64", "amd64", "i686", "i386")
_ARM = ("aarch64", "arm64")
#: Bits of the register: flush results, and on x86 also what is read.
_FLUSH_X86, _FLUSH_ARM = 0x8040, 1 << 24
_WIDE, _NARROW, _POINTER = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()


def this_machine() -> str:
    """Return the name of this machine's kind of processor, such as "x86_64"."""
    return platform.machine().lower()


def is_x86(machine: str) -> bool:
    """Does the machine speak the instructions of x86?"""
    return machine in _X86


def is_arm(machine: str) -> bool:
    """Does the machine speak the instructions of 64-bit ARM?"""
    return machine in _ARM


def flush_tiny(builder: Any, machine: str) -> Any:
    """Let tiny numbers count as zero; return what `restore` wants, 64 bits."""
    if machine not in _X86 + _ARM:
        return ir.Constant(_WIDE, 0)
    before = _read(builder, machine)
    flush = _FLUSH_X86 if machine in _X86 else _FLUSH_ARM
    _write(builder, machine, builder.or_(before, ir.Constant(before.type, flush)))
    return before if before.type == _WIDE else builder.zext(before, _WIDE)


def restore(builder: Any, machine: str, before: Any) -> None:
    """Let tiny numbers count as they did before `flush_tiny`."""
    if machine in _X86 + _ARM:
        _write(builder, machine, builder.trunc(before, _NARROW) if machine in _X86 else before)


def _read(builder: Any, machine: str) -> Any:
    if machine in _ARM:
        return builder.call(declared(builder.module, "llvm.aarch64.get.fpcr", _WIDE, []), [])
    place = _slot(builder)
    builder.call(_sse(builder, "stmxcsr"), [builder.bitcast(place, _POINTER)])
    return builder.load(place)


def _write(builder: Any, machine: str, value: Any) -> None:
    if machine in _ARM:
        name = "llvm.aarch64.set.fpcr"
        builder.call(declared(builder.module, name, ir.VoidType(), [_WIDE]), [value])
        return
    place = _slot(builder)
    builder.store(value, place)
    builder.call(_sse(builder, "ldmxcsr"), [builder.bitcast(place, _POINTER)])


def _sse(builder: Any, name: str) -> Any:
    return declared(builder.module, f"llvm.x86.sse.{name}", ir.VoidType(), [_POINTER])


def _slot(builder: Any) -> Any:
    """Return room for the register, in the entry block of the function: it is made once."""
    with builder.goto_entry_block():
        return builder.alloca(_NARROW)
