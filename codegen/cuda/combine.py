"""The kernels that finish reductions on a device, and compute the numbers that follow from them.

One for all tensors, in a single block, and one for each tensor, in a block of its own. Partial
sums are added in an order that is always the same. What is computed here is computed in float64.
"""

from __future__ import annotations

from collections.abc import Mapping

from optdsl.codegen.cuda.folds import added, begun, finished, of_block
from optdsl.codegen.cuda.guards import resting_finish
from optdsl.codegen.cuda.places import found_rows, placed
from optdsl.codegen.cuda.signatures import FINISH, FINISH_LINES, TAKEN
from optdsl.codegen.loops import described
from optdsl.codegen.naming import Identifiers, comment
from optdsl.codegen.printing import Dialect, python
from optdsl.codegen.source import Functions, indent, wrapped
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Clock, Kind, Value
from optdsl.program.program import Accumulate, Assignment, Combine, Stage


def emit_combine(unit: Unit, stage: Combine, functions: Functions) -> str:
    """Add the kernels that finish a pass; return the text of what launches them."""
    texts = []
    for kind, name in ((Kind.ALL, "all"), (Kind.TENSOR, "tensor")):
        finish = Finish(unit, stage, kind)
        if finish.needed:
            texts.append(f"of_{name}={functions.add('finish', finish.lines(name))}")
    return f"finished({', '.join(texts)})"


class Finish:
    """The lines of the kernel that computes the numbers of one kind.

    `counts` say how many values went into reductions, where those are not all entries, and
    `origin` is the stage that `stage` is a part of.
    """

    def __init__(
        self,
        unit: Unit,
        stage: Combine,
        kind: Kind,
        counts: Mapping[str, str] | None = None,
        origin: Stage | None = None,
    ) -> None:
        self.counts = counts or {}
        self.origin = origin or stage
        self.unit = unit
        self.stage = stage
        self.kind = kind
        self.names = Identifiers(unit.indexed, TAKEN)
        self.assigned = [each for each in stage.assignments if each.kind is kind]
        self.folded = [each for each in stage.reductions if each.kind is kind]
        self.local: set[str] = {each.name for each in self.folded}
        self.heads: dict[str, str] = {}
        self.starts: set[str] = set()

    @property
    def needed(self) -> bool:
        """Is there anything of this kind to compute?"""
        return bool(self.assigned or self.folded)

    def lines(self, kind: str) -> list[str]:
        """Return the function of the kernel."""
        sums = [line for each in self.folded for line in self._folded(each)]
        first = [line for each in self.folded for line in self._finished(each)]
        rest = [line for each in self.assigned for line in self._computed(each)]
        kept = [f"{name} = {place}" for name, place in self.heads.items()]
        leave = ["if thread_index() > 0:", *indent(["return"])]
        resting = resting_finish(self.unit, self.origin, self.kind)
        body = [*resting, *self._head(bool(sums)), *sums, *leave, *kept, *first, *rest]
        given = FINISH_LINES if self.counts else FINISH
        return [f'@kernel("{kind}")', *wrapped("def NAME(", given, "):"), *indent(body)]

    def _head(self, folds: bool) -> list[str]:
        if self.kind is Kind.ALL:
            lines = found_rows(self.unit, self.starts, "0")
            bounds = ["first, last = 0, read(int64, firsts, tensors)"]
        else:
            lines = ["owner = block_index()", *found_rows(self.unit, {*self.starts, "own"})]
            bounds = ["first, last = read(int64, firsts, owner), read(int64, firsts, owner + 1)"]
        return [*lines, *(bounds if folds else [])]

    def _folded(self, reduction: Accumulate) -> list[str]:
        """Return the lines that add up what the blocks of a pass have left."""
        column, columns = self.stage.column(reduction), self.stage.width
        columns = len(self.stage.reductions) if columns is None else columns
        row = f"{columns} * place" if columns > 1 else "place"
        partial = f"read(float64, partials, {f'{row} + {column}' if column else row})"
        total = self.names.stream(f"total {reduction.name}")
        return [
            f"{total} = {begun(reduction.operator)}",
            "for place in range(first + thread_index(), last, THREADS):",
            *indent([f"{total} = {added(reduction.operator, total, partial)}"]),
            f"{total} = {of_block(reduction.operator, column, total)}",
        ]

    def _finished(self, reduction: Accumulate) -> list[str]:
        total = self.names.stream(f"total {reduction.name}")
        count = "entries" if self.kind is Kind.ALL else "read(int64, sizes, owner)"
        count = self.counts.get(reduction.name, count)
        name = self.names.value(Value(reduction.name, reduction.kind))
        text = finished(reduction.operator, total, count)
        return [f"# {comment(described(reduction))}", f"{name} = {text}",
                self._kept(Value(reduction.name, reduction.kind), name)]  # fmt: skip

    def _computed(self, assignment: Assignment) -> list[str]:
        dialect = Dialect(
            self._value, self._clock, predicates=self.unit.predicates, prefix="",
        )  # fmt: skip
        text = python(assignment.expression, dialect)
        self.local.add(assignment.name)
        value = Value(assignment.name, assignment.kind)
        name = self.names.value(value)
        described_ = [f"# {comment(assignment.comment)}"] if " = " in assignment.comment else []
        return [*described_, f"{name} = {text}", self._kept(value, name)]

    def _kept(self, value: Value, text: str) -> str:
        return f"write(float64, {self._place(value)}, {text})"

    def _value(self, value: Value) -> str:
        name = self.names.value(value)
        if value.name in self.local and value.offset == 0:
            return name
        word = "read" if value.kind is Kind.STEP else "read_changing"
        boolean = " != 0.0" if value.name in self.unit.predicates else ""
        self.heads[name] = f"{word}(float64, {self._place(value)}){boolean}"
        return name

    def _clock(self, clock: Clock) -> str:
        self.heads["t"] = f"read(float64, {self._place(clock)})"
        return "t"

    def _place(self, number: Value | Clock) -> str:
        """Return where a number lies, and note what the kernel must find for that."""
        row, slot = self.unit.slots.place(number)
        return placed(row, slot, self.starts)
