"""Reductions of a pass, folded from what each chunk has left."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.interface import Choice
from optdsl.codegen.support import arithmetic
from optdsl.codegen.support.emitting import (
    DOUBLE,
    is_true,
    load,
    room,
    store,
)
from optdsl.model.expressions import Kind
from optdsl.program.program import Accumulate, neutral


class Fold:
    """A reduction, folded chunk after chunk."""

    def __init__(self, builder: Any, reduction: Accumulate, choice: Choice | None = None) -> None:
        self.builder, self.reduction = builder, reduction
        self.total = room(builder, DOUBLE)
        self.choice = None if choice is None or reduction.name not in choice.carry else choice

    def begin(self, kind: Kind, row: Any) -> None:
        """Begin anew, if it is over a tensor or over all, as `kind` says.

        One that goes on from another case begins with what that has left in a row of numbers.
        """
        if self.reduction.kind is not kind:
            return
        start = ir.Constant(DOUBLE, neutral(self.reduction.operator))
        if self.choice is not None and self.reduction.name not in self.choice.fresh:
            start = load(self.builder, row, self.choice.carry[self.reduction.name])
        self.builder.store(start, self.total)

    def add(self, partial: Any) -> None:
        """Take in what a chunk gave."""
        builder, total = self.builder, self.builder.load(self.total)
        match self.reduction.operator:
            case "min" | "max" as operator:
                folded = arithmetic.extreme("<" if operator == "min" else ">")
                builder.store(folded(builder, total, partial), self.total)
            case "any":
                held = is_true(builder, partial)
                builder.store(builder.select(held, partial, total), self.total)
            case _:
                builder.store(builder.fadd(total, partial), self.total)

    def end(self, kind: Kind, size: Any, row: Any, slots: dict[str, int]) -> None:
        """Write what so many entries gave to its place in a row of numbers."""
        if self.reduction.kind is not kind:
            return
        total = self.builder.load(self.total)
        if self.choice is not None:
            store(self.builder, total, row, self.choice.carry[self.reduction.name])
            return
        found = finished(self.builder, self.reduction.operator, total, size)
        store(self.builder, found, row, slots[self.reduction.name])


def finished(builder: Any, operator: str, total: Any, count: Any) -> Any:
    """Return what a reduction of so many numbers gives, of their total."""
    if operator in ("mean", "rms"):
        total = builder.fdiv(total, builder.sitofp(count, DOUBLE))
    if operator in ("norm", "rms"):
        total = arithmetic.intrinsic_call(builder, "sqrt", total)
    return total


def taken(builder: Any, operator: str, total: Any, one: Any, other: Any) -> Any:
    """Return a total that has taken in one more number, whose other factor is itself or another."""
    match operator:
        case "norm" | "rms" | "dot":
            return arithmetic.add(builder, total, builder.fmul(one, other, flags=("contract",)))
        case "min" | "max":
            return arithmetic.extreme("<" if operator == "min" else ">")(builder, total, one)
        case "any":
            held = is_true(builder, one)
            return builder.select(held, ir.Constant(DOUBLE, 1.0), total)
    return arithmetic.add(builder, total, one)
