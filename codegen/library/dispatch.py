"""Which instructions a library uses: the best that the processor has, chosen when it is loaded.

Loops over entries are compiled once for each level of instructions. The level stands in a global
that a constructor sets; `PREFIX_use_instructions` sets it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.support import registers
from optdsl.codegen.support.emitting import BYTE, HALF, VOID


@dataclass(frozen=True)
class Level:
    """A level of instructions: its name, and the processor for which LLVM compiles.

    `halves` says that it has instructions between float16 and float, and others that round a
    product and a sum once; `bytes` is the size of the
    vectors that LLVM prefers there, and `tile` that of the vectors that multiply matrices.
    """

    name: str
    cpu: str
    halves: bool = False
    bytes: int = 16
    tile: int = 16

    @property
    def ending(self) -> str:
        """What the names of its functions end with."""
        return f".level_{self.name}"


#: The levels of x86, each with all that those before it have.
X86_LEVELS = (
    Level("baseline", "x86-64"), Level("avx2", "x86-64-v3", True, 32, 32),
    Level("avx512", "x86-64-v4", True, 32, 64),
)  # fmt: skip
OTHER_LEVELS = (Level("baseline", "generic"),)

#: Bits that `cpuid` must report: leaf 1 in ecx, leaf 7 in ebx, leaf 0x80000001 in ecx; and bits
#: of registers that the system must save (xcr0).
_AVX2 = {"basic": (12, 13, 22, 23, 26, 27, 28, 29), "more": (3, 5, 8), "extended": (0, 5),
         "saved": (1, 2)}  # fmt: skip
_AVX512 = {"basic": (), "more": (16, 17, 28, 30, 31), "extended": (), "saved": (5, 6, 7)}
_OSXSAVE = 27

#: What the names of functions that run on any processor end with.
PLAIN = X86_LEVELS[0].ending


def levels(machine: str) -> tuple[Level, ...]:
    """Return the levels of instructions for which a machine's libraries are compiled."""
    return X86_LEVELS if registers.is_x86(machine) else OTHER_LEVELS


def add_choice(module: Any, prefix: str, machine: str) -> Any:
    """Add the global that holds the level, what sets it, and what tells it; return the global."""
    level = ir.GlobalVariable(module, HALF, "instructions")
    level.linkage, level.initializer = "internal", ir.Constant(HALF, 0)
    best = _best_of_x86(module) if registers.is_x86(machine) else _baseline(module)
    _constructor(module, level, best)
    _, builder = _begin(module, f"{prefix}_instructions", HALF, [])
    builder.ret(builder.load(level))
    _use(module, prefix, level, best)
    return level


def dispatched(module: Any, name: str, level: Any, variants: list[Any]) -> Any:
    """Add a function that hands its arguments on to the variant of the chosen level."""
    kind = variants[0].function_type
    made = ir.Function(module, kind, name)
    builder = ir.IRBuilder(made.append_basic_block("entry"))
    first = made.append_basic_block("baseline")
    switch = builder.switch(builder.load(level), first)
    for number, variant in enumerate(variants):
        block = made.append_basic_block("level") if number else first
        if number:
            switch.add_case(ir.Constant(HALF, number), block)
        builder.position_at_end(block)
        builder.call(variant, made.args, tail=True)
        builder.ret_void()
    return made


def _begin(module: Any, name: str, result: Any, arguments: list[Any]) -> tuple[Any, Any]:
    made = ir.Function(module, ir.FunctionType(result, arguments), name)
    return made, ir.IRBuilder(made.append_basic_block("entry"))


def _constructor(module: Any, level: Any, best: Any) -> None:
    """Let the level be chosen when the library is loaded."""
    made, builder = _begin(module, "choose_instructions", VOID, [])
    made.linkage = "internal"
    builder.store(builder.call(best, []), level)
    builder.ret_void()
    pointer = BYTE.as_pointer()
    entry = ir.LiteralStructType([HALF, made.type, pointer])
    table = ir.ArrayType(entry, 1)
    listed = ir.GlobalVariable(module, table, "llvm.global_ctors")
    listed.linkage = "appending"
    item = ir.Constant(entry, [ir.Constant(HALF, 65535), made, ir.Constant(pointer, None)])
    listed.initializer = ir.Constant(table, [item])


def _use(module: Any, prefix: str, level: Any, best: Any) -> None:
    """Add the function that sets the level: 0, or -1 for one that the processor lacks."""
    made, builder = _begin(module, f"{prefix}_use_instructions", HALF, [HALF])
    wanted = made.args[0]
    wanted.name = "level"
    known = builder.and_(
        builder.icmp_signed(">=", wanted, ir.Constant(HALF, 0)),
        builder.icmp_signed("<=", wanted, builder.call(best, [])),
    )
    with builder.if_then(known):
        builder.store(wanted, level)
        builder.ret(ir.Constant(HALF, 0))
    builder.ret(ir.Constant(HALF, -1))


def _baseline(module: Any) -> Any:
    made, builder = _begin(module, "best_instructions", HALF, [])
    made.linkage = "internal"
    builder.ret(ir.Constant(HALF, 0))
    return made


def _best_of_x86(module: Any) -> Any:
    """Add the function that asks the processor for the best level."""
    suited = suited_function(module)
    made, builder = _begin(module, "best_instructions", HALF, [])
    made.linkage = "internal"
    highest = _cpuid(builder, 0, 0)[0]
    basic = _cpuid(builder, 1, 0)[2]
    zero = ir.Constant(HALF, 0)
    more, saved, extended = (builder.alloca(HALF) for _ in range(3))
    for place in (more, saved, extended):
        builder.store(zero, place)
    with builder.if_then(builder.icmp_unsigned(">=", highest, ir.Constant(HALF, 7))):
        builder.store(_cpuid(builder, 7, 0)[1], more)
    with builder.if_then(_holds(builder, basic, (_OSXSAVE,))):
        kind = ir.FunctionType(ir.LiteralStructType([HALF, HALF]), [HALF])
        read = ir.InlineAsm(kind, "xgetbv", "={ax},={dx},{cx}", side_effect=True)
        builder.store(builder.extract_value(builder.call(read, [zero]), 0), saved)
    last = _cpuid(builder, 0x80000000, 0)[0]
    with builder.if_then(builder.icmp_unsigned(">=", last, ir.Constant(HALF, 0x80000001))):
        builder.store(_cpuid(builder, 0x80000001, 0)[2], extended)
    reported = [basic, *(builder.load(place) for place in (more, extended, saved))]
    builder.ret(builder.call(suited, reported))
    return made


def suited_function(module: Any) -> Any:
    """Add the function that tells the level of a processor from what it reports."""
    made, builder = _begin(module, "suited_instructions", HALF, [HALF] * 4)
    made.linkage = "internal"
    reported = dict(zip(("basic", "more", "extended", "saved"), made.args, strict=True))
    tests = []
    for wanted in (_AVX2, _AVX512):
        held = ir.Constant(ir.IntType(1), 1)
        for name, bits in wanted.items():
            if bits:
                held = builder.and_(held, _holds(builder, reported[name], bits))
        tests.append(held)
    both = builder.and_(*tests)
    first = builder.select(tests[0], ir.Constant(HALF, 1), ir.Constant(HALF, 0))
    builder.ret(builder.select(both, ir.Constant(HALF, 2), first))
    return made


def _cpuid(builder: Any, leaf: int, part: int) -> list[Any]:
    """Return what the processor says of itself: eax, ebx, ecx, edx."""
    kind = ir.FunctionType(ir.LiteralStructType([HALF] * 4), [HALF, HALF])
    asked = ir.InlineAsm(kind, "cpuid", "={ax},={bx},={cx},={dx},{ax},{cx}", side_effect=True)
    told = builder.call(asked, [ir.Constant(HALF, leaf), ir.Constant(HALF, part)])
    return [builder.extract_value(told, index) for index in range(4)]


def _holds(builder: Any, reported: Any, bits: tuple[int, ...]) -> Any:
    """Are all of these bits set?"""
    mask = ir.Constant(HALF, sum(1 << bit for bit in bits))
    return builder.icmp_unsigned("==", builder.and_(reported, mask), mask)
