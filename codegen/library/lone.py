"""Rules of which some tensors of a step may rest, in LLVM code: every tensor counts its own steps.

So each has a run of its own, and a call takes one tensor after the other.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.filters import tensor_at
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.support.emitting import HALF, WORD, counted, function, place, room, store, word


def one_by_one(interface: Interface, outer: Any, builder: Any) -> tuple[Any, Any]:
    """Let a function of C go through its tensors; return one for a single tensor, to be written.

    It returns what the first tensor refuses, 1 where all of them rest, else 0.
    """
    names = [argument.name for argument in outer.args]
    kinds = outer.function_type.args
    inner, inside = function(
        outer.module, f"{outer.name}_alone", HALF, dict(zip(names, kinds, strict=True))
    )
    given = dict(zip(names, outer.args, strict=True))
    record, moved = interface.tensor, room(builder, WORD)
    builder.store(builder.zext(builder.icmp_signed("<", given["count"], word(1)), WORD), moved)
    with counted(builder, word(0), given["count"]) as number:
        tensor = tensor_at(builder, interface, given["tensors"], number)
        run = place(builder, given["run"], builder.mul(number, word(interface.run.words)))
        own = given | {"run": run, "tensors": tensor, "count": word(1)}
        verdict = builder.call(inner, [own[name] for name in names])
        with builder.if_then(builder.icmp_signed("<", verdict, ir.Constant(HALF, 0))):
            builder.ret(verdict)
        with builder.if_then(builder.icmp_signed("==", verdict, ir.Constant(HALF, 0))):
            builder.store(word(1), moved)
        if "identity" in record.fields and outer.name.startswith(f"{interface.prefix}_init"):
            store(builder, number, tensor, record.offset("identity"))
    rested = builder.icmp_signed("==", builder.load(moved), word(0))
    builder.ret(builder.zext(rested, HALF))
    return inner, inside
