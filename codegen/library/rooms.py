"""The function that tells how much room a step needs: for partial sums, and for matrices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.filters import each_of_case
from optdsl.codegen.library.interface import Interface, whole_stages
from optdsl.codegen.library.matrices.stages import stage_words
from optdsl.codegen.library.passes.tasks import count_function
from optdsl.codegen.library.storing import Precision
from optdsl.codegen.support.emitting import (
    WORD,
    WORDS,
    load,
    public,
    room,
    word,
)
from optdsl.program.program import Pass


def room_function(
    module: Any, whole: Interface, cases: Iterable[Interface], precision: Precision, ending: str
) -> Any:
    """Add the function that C asks for the bytes of room: of a pass in threads, or of matrices.

    A step uses the room for one after the other. `cases` are the rules of a rule that chooses.
    """
    name = f"{whole.prefix}_room{ending}"
    made, builder = public(module, name, WORD, {"tensors": WORDS, "count": WORD})
    tensors, count = made.args
    words = room(builder, WORD)
    builder.store(_pass_words(builder, module, whole, tensors, count), words)
    for interface in cases:
        stages = dict.fromkeys(stage for program in interface.programs
                               for stage in whole_stages(program))  # fmt: skip
        if not stages:
            continue
        with each_of_case(builder, interface, tensors, count) as tensor:
            offsets = map(interface.tensor.offset, ("rows", "columns"))
            shape = [load(builder, tensor, offset) for offset in offsets]
            for stage in stages:
                need = stage_words(builder, stage, precision, shape)
                builder.store(_larger(builder, builder.load(words), need), words)
    builder.ret(builder.mul(builder.load(words), word(8)))
    return made


def _pass_words(builder: Any, module: Any, whole: Interface, tensors: Any, count: Any) -> Any:
    """Return what a pass needs whose pieces threads share: their numbers, and their sums."""
    nowhere = ir.Constant(WORDS, None)
    chunks = builder.call(count_function(module, whole), [tensors, count, nowhere])
    pieces = _larger(builder, chunks, count)
    sums = max((_sums(stage) for program in whole.programs for stage in program.passes), default=0)
    return builder.add(builder.mul(pieces, word(sums)), builder.add(count, word(1)))


def _sums(stage: Pass) -> int:
    return sum(each.kind.is_number for each in stage.reductions)


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_signed(">", a, b), a, b)
