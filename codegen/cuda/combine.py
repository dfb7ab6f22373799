"""The kernels that finish reductions on a device, and compute the numbers that follow from them.

One for all tensors, in a single block, and one for each tensor, in a block of its own. Partial
sums are added in an order that is always the same. What is computed here is computed in float64.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from optdsl.codegen.cuda.folds import added, begun, finished, of_block
from optdsl.codegen.cuda.guards import resting_finish
from optdsl.codegen.cuda.places import found_rows
from optdsl.codegen.loops import described
from optdsl.codegen.naming import Identifiers, comment
from optdsl.codegen.printing import Dialect, python
from optdsl.codegen.source import Functions, indent
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Clock, Kind, Value
from optdsl.program.program import Accumulate, Assignment, Combine, Stage

#: What a kernel that finishes reductions is given; the third and fourth are plain numbers.
PARAMETERS = (
    "firsts", "sizes", "tensors", "entries", "rows", "cohort", "exactly", "tensor", "everything",
    "partials",
)  # fmt: skip


def emit_combine(unit: Unit, stage: Combine, functions: Functions, taken: Iterable[str]) -> str:
    """Add the kernels that finish a pass; return the text of what launches them."""
    texts = []
    for kind, name in ((Kind.ALL, "all"), (Kind.TENSOR, "tensor")):
        finish = Finish(unit, stage, kind, taken)
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
        taken: Iterable[str],
        counts: Mapping[str, str] | None = None,
        origin: Stage | None = None,
    ) -> None:
        self.counts = counts or {}
        self.origin = origin or stage
        self.unit = unit
        self.stage = stage
        self.kind = kind
        self.names = Identifiers(unit.indexed, taken)
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
        given = ("shapes" if self.counts and name == "sizes" else name for name in PARAMETERS)
        header = f"def NAME({', '.join(given)}):"
        return [f'@kernel("{kind}")', header, *indent(body)]

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
                self._kept(reduction.name, name)]  # fmt: skip

    def _computed(self, assignment: Assignment) -> list[str]:
        dialect = Dialect(
            self._value, self._clock, predicates=self.unit.predicates, prefix="",
        )  # fmt: skip
        text = python(assignment.expression, dialect)
        self.local.add(assignment.name)
        name = self.names.value(Value(assignment.name, assignment.kind))
        described_ = [f"# {comment(assignment.comment)}"] if " = " in assignment.comment else []
        return [*described_, f"{name} = {text}", self._kept(assignment.name, name)]

    def _kept(self, name: str, text: str) -> str:
        slots = self.unit.slots
        if self.kind is Kind.ALL:
            place, array = str(slots.everything[name]), "everything"
        else:
            place, array = f"own + {slots.tensor[name]}", "tensor"
        return f"write(float64, {array}, {place}, {text})"

    def _value(self, value: Value) -> str:
        name = self.names.value(value)
        if value.name in self.local and value.offset == 0:
            return name
        slots = self.unit.slots
        if value.kind is Kind.STEP:
            return self._head_of(name, f"exactly, {self._start('step')}{slots.scalars[value]}",
                                 value.name)  # fmt: skip
        if value.kind is Kind.ALL:
            return self._head_of(name, f"everything, {slots.everything[value.name]}", value.name)
        return self._head_of(name, f"tensor, own + {slots.tensor[value.name]}", value.name)

    def _clock(self, clock: Clock) -> str:
        place = f"exactly, {self._start('step')}{self.unit.slots.scalars[clock]}"
        return self._head_of("t", place, "")

    def _start(self, start: str) -> str:
        self.starts.add(start)
        return f"{start} + "

    def _head_of(self, name: str, place: str, predicate: str) -> str:
        boolean = " != 0.0" if predicate in self.unit.predicates else ""
        changing = "" if place.startswith("exactly") else "_changing"
        self.heads[name] = f"read{changing}(float64, {place}){boolean}"
        return name
