"""Reductions of a pass, folded from what each chunk has left."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.entries import STARTS
from optdsl.codegen.library.words import DOUBLE, room, store
from optdsl.codegen.support import arithmetic
from optdsl.model.expressions import Kind
from optdsl.program.program import Accumulate


class Fold:
    """A reduction, folded chunk after chunk."""

    def __init__(self, builder: Any, reduction: Accumulate) -> None:
        self.builder, self.reduction = builder, reduction
        self.total = room(builder, DOUBLE)

    def begin(self, kind: Kind) -> None:
        """Begin anew, if it is over a tensor or over all, as `kind` says."""
        if self.reduction.kind is kind:
            start = STARTS.get(self.reduction.operator, 0.0)
            self.builder.store(ir.Constant(DOUBLE, start), self.total)

    def add(self, partial: Any) -> None:
        """Take in what a chunk gave."""
        builder, total = self.builder, self.builder.load(self.total)
        match self.reduction.operator:
            case "min" | "max" as operator:
                folded = arithmetic.extreme("<" if operator == "min" else ">")
                builder.store(folded(builder, total, partial), self.total)
            case "any":
                held = builder.fcmp_unordered("!=", partial, ir.Constant(DOUBLE, 0.0))
                builder.store(builder.select(held, partial, total), self.total)
            case _:
                builder.store(builder.fadd(total, partial), self.total)

    def end(self, kind: Kind, size: Any, row: Any, slots: dict[str, int]) -> None:
        """Write what so many entries gave to its place in a row of numbers."""
        if self.reduction.kind is not kind:
            return
        builder, total = self.builder, self.builder.load(self.total)
        if self.reduction.operator in ("mean", "rms"):
            total = builder.fdiv(total, builder.sitofp(size, DOUBLE))
        if self.reduction.operator in ("norm", "rms"):
            total = arithmetic.intrinsic_call(builder, "sqrt", total)
        store(builder, total, row, slots[self.reduction.name])
