"""What a row or a column has one of: the kernels that finish sums and compute what follows.

One kernel goes through the rows and columns of all tensors: where sums are finished, a warp works
on a row, else a thread does; always one on a column. It also adds up what numbers a tensor are
made of, which a second kernel finishes, as after any pass. What depends on such a number waits for
it, so the first kernel is then followed by another, which computes what it needs anew and stores.
All is computed in float64, as on the host.
"""

from __future__ import annotations

from collections.abc import Iterable

from optdsl.codegen.cuda.combine import Finish
from optdsl.codegen.cuda.folds import added, begun, finished, left_by_block, of_warp
from optdsl.codegen.cuda.guards import resting_pass
from optdsl.codegen.cuda.places import found_rows, placed
from optdsl.codegen.cuda.refusals import refuse_matrices
from optdsl.codegen.cuda.signatures import TAKEN, TILES, maker
from optdsl.codegen.cuda.tiles import EXTENT
from optdsl.codegen.loops import described
from optdsl.codegen.matrices import matrices_streams
from optdsl.codegen.naming import Identifiers, comment
from optdsl.codegen.printing import Dialect, condition, python
from optdsl.codegen.source import Functions, indent
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Clock, Kind, Reduce, Value, values
from optdsl.program.lines import rounds
from optdsl.program.program import Accumulate, Assignment, Combine, Load, Matrices, Store

_COUNTS = {Kind.ROW: "shapes, 3 * owner", Kind.COLUMN: "shapes, 3 * owner + 1"}


def emit_matrices(
    unit: Unit, stage: Matrices, functions: Functions
) -> tuple[str, str, tuple[str, ...]]:
    """Add the kernels of a stage of values a row and a column.

    Return the text of what launches them, of how tensors are cut, and the streams.

    Raises:
        DiagnosticError: for a stage that works with whole matrices.
    """
    refuse_matrices(unit, stage)
    texts, most = [], 0
    turns = rounds(stage)
    for place, reduced in enumerate(turns):
        last = place == len(turns) - 1
        lines = _Lines(unit, stage, reduced, stage.stores if last else ())
        texts.append(f"launched({functions.add('lines', lines.lines())})")
        most = max(most, len(reduced))
        if reduced:
            texts.append(f"finished(of_tensor={functions.add('finish', lines.finish())})")
    run = f"in_turn({', '.join(texts)}{f', reductions={most}' if most else ''})"
    return run, _cut(stage), tuple(matrices_streams(unit, stage))


def _cut(stage: Matrices) -> str:
    """Return the text of how the rows and columns of tensors are shared by blocks."""
    rows = _rows_a_block(stage)
    given = [] if rows is None else [f"rows={rows}"]
    given += ["columns=THREADS"] if Kind.COLUMN in {each.kind for each in _vectors(stage)} else []
    return f"Lines({', '.join(given)})"


def _rows_a_block(stage: Matrices) -> str | None:
    """Return how many rows a block works on: one a warp where there are sums to finish."""
    if any(each.kind is Kind.ROW for each in stage.folds):
        return "WARPS"
    return "THREADS" if Kind.ROW in {each.kind for each in _vectors(stage)} else None


def _vectors(stage: Matrices) -> list[Value]:
    """Return what a stage has a value a row or a column of."""
    found = [Value(each.name, each.kind) for each in stage.folds]
    found += [Value(each.name, each.kind) for each in stage.body]
    found += [load.value for load in stage.loads]
    return [each for each in found if each.kind.is_matrix]


class _Lines:
    """The lines of one kernel: it computes what it reduces and what it stores, and no more."""

    def __init__(
        self, unit: Unit, stage: Matrices, reduced: list[Assignment], stores: Iterable[Store]
    ) -> None:
        self.unit = unit
        self.stage = stage
        self.reduced = reduced
        self.stores = tuple(stores)
        self.names = Identifiers(unit.indexed | set(unit.buffers), TAKEN)
        self.arrays = {each: self.names.stream(each) for each in matrices_streams(unit, stage)}
        self.forms = {a: self.names.stream(f"{s} form") for s, a in self.arrays.items()}
        self.local = {load.value for load in stage.loads}
        self.local |= set(_vectors(stage))
        self.used: set[str] = set()
        self.heads: dict[str, str] = {}
        self.starts: set[str] = set()
        self.needed = self._needed()
        self.dialect = Dialect(self._value, self._clock, predicates=unit.predicates, prefix="")

    def _needed(self) -> set[Value]:
        """Return the values that this kernel must know."""
        made = {Value(each.name, each.kind): each.expression for each in self.stage.body}
        pending = [store.value for store in self.stores]
        pending += [value for each in self.reduced for value in values(each.expression)]
        found: set[Value] = set()
        while pending:
            value = pending.pop()
            if value not in found:
                found.add(value)
                pending += values(made[value]) if value in made and value.kind.is_matrix else []
        return found

    # ---------------------------------------------------------------- kernels

    def lines(self) -> list[str]:
        """Return the function that makes the kernel for streams of given formats."""
        rows, columns = self._of_rows(), self._of_columns()
        rest = resting_pass(self.unit, self.stage)
        body = [*rest, *self._head(), *self._started()]
        body += _chosen(rows, columns, _rows_a_block(self.stage))
        totals = [(_reduce(each).operator, self._total(each)) for each in self.reduced]
        body += left_by_block(totals)
        return maker('"lines"', ["real", "lanes", *self.forms.values()], TILES, body)

    def finish(self) -> list[str]:
        """Return the function of the kernel that finishes the numbers begun here."""
        sums, counts = [], {}
        for each in self.reduced:
            value = _reduce(each)
            sums.append(Accumulate(each.name, value.operator, value.argument, Kind.TENSOR,
                                   value.other, each.comment))  # fmt: skip
            counts[each.name] = f"read(int64, {_COUNTS[value.over]})"
        combine = Combine(self.stage.part, tuple(sums), ())
        return Finish(self.unit, combine, Kind.TENSOR, counts, self.stage).lines("tensor")

    def _array(self, stream: str) -> str:
        """Return what the kernel calls an array, and note that it makes use of it."""
        self.used.add(stream)
        return self.arrays[stream]

    def _head(self) -> list[str]:
        """Return the lines that find what all other lines of the kernel have made use of."""
        lines = ["owner = read(int64, owners, block_index())", *EXTENT]
        for column, (name, array) in enumerate(self.arrays.items()):
            if name in self.used:
                place = f"{len(self.arrays)} * owner{f' + {column}' if column else ''}"
                lines.append(f"{array} = read(int64, addresses, {place})")
        lines += found_rows(self.unit, self.starts)
        lines += [f"{name} = {place}" for name, place in self.heads.items()]
        return [*lines, "chunk = read(int64, chunks, block_index())"]

    # ------------------------------------------------------- rows and columns

    def _of_rows(self) -> list[str]:
        """Return the lines that work on one row."""
        sums = [line for each in self._folded(Kind.ROW) for line in self._row_total(each)]
        work = self._work(Kind.ROW)
        if not (sums or work):
            return []
        if _rows_a_block(self.stage) == "THREADS":
            return ["line = chunk * THREADS + thread_index()", "if line < height:", *indent(work)]
        return [
            "line = chunk * WARPS + warp_index()",
            *(["strips = (width - 1) // (WARP * lanes) + 1"] if sums else []),
            "if line < height:",
            *indent([*sums, "if thread_of_warp() == 0:", *indent(work)]),
        ]

    def _of_columns(self) -> list[str]:
        """Return the lines that work on one column."""
        sums = [line for each in self._folded(Kind.COLUMN) for line in self._column_total(each)]
        work = self._work(Kind.COLUMN)
        if not (sums or work):
            return []
        return ["if line < width:", *indent([*sums, *work])]

    def _folded(self, kind: Kind) -> list[Accumulate]:
        """Return the sums of this kind that are wanted."""
        folds = [each for each in self.stage.folds if each.kind is kind]
        return [each for each in folds if Value(each.name, kind) in self.needed]

    def _row_total(self, fold: Accumulate) -> list[str]:
        total = self._total(fold)
        loop = "for strip in range(thread_of_warp(), strips, WARP):"
        folded = f"{total} = {of_warp(fold.operator, total)}"
        return [*self._added_up(fold, loop, "line * strips + strip"), folded]

    def _column_total(self, fold: Accumulate) -> list[str]:
        loop = "for block in range((height - 1) // tall + 1):"
        return self._added_up(fold, loop, "block * width + line")

    def _added_up(self, fold: Accumulate, loop: str, place: str) -> list[str]:
        """Return the lines that add up the partial sums at these places."""
        total, array = self._total(fold), self._array(fold.partial)
        grown = added(fold.operator, total, f"read(float64, {array}, {place})")
        return [
            f"# {comment(described(fold))}",
            f"{total} = {begun(fold.operator)}",
            loop,
            *indent([f"{total} = {grown}"]),
        ]

    def _work(self, kind: Kind) -> list[str]:
        """Return the lines that compute and store what there is for one row, or one column."""
        lines = [self._read(each) for each in self.stage.loads
                 if each.value.kind is kind and each.value in self.needed]  # fmt: skip
        lines += [self._finished(each) for each in self._folded(kind)]
        for each in self.stage.body:
            if each.kind is kind and Value(each.name, kind) in self.needed:
                lines.append(f"# {comment(described(each))}")
                name = self.names.value(Value(each.name, kind))
                lines.append(f"{name} = {python(each.expression, self.dialect)}")
        lines += [self._stored(each) for each in self.stores if each.value.kind is kind]
        return [*lines, *(line for each in self.reduced if _reduce(each).over is kind
                          for line in self._reduced(each))]  # fmt: skip

    def _read(self, load: Load) -> str:
        array = self._array(load.stream)
        changes = any(store.stream == load.stream for store in self.stores)
        word = "read_changing" if changes else "read"
        text = f"float64({word}({self.forms[array]}, {array}, line))"
        if load.value.name in self.unit.predicates:
            text = f"{text} != 0.0"
        return f"{self.names.value(load.value)} = {text}"

    def _finished(self, fold: Accumulate) -> str:
        count = "width" if fold.kind is Kind.ROW else "height"
        name = self.names.value(Value(fold.name, fold.kind))
        return f"{name} = {finished(fold.operator, self._total(fold), count)}"

    def _stored(self, store: Store) -> str:
        array, text = self._array(store.stream), self.names.value(store.value)
        if store.value.name in self.unit.predicates:
            text = f"where({text}, 1.0, 0.0)"
        return f"write({self.forms[array]}, {array}, line, {text})"

    # ------------------------------------------------- numbers of what is left

    def _started(self) -> list[str]:
        return [f"{self._total(each)} = {begun(_reduce(each).operator)}" for each in self.reduced]

    def _reduced(self, assignment: Assignment) -> list[str]:
        value, total = _reduce(assignment), self._total(assignment)
        text = python(value.argument, self.dialect)
        if value.operator == "any":
            text = f"where({condition(value.argument, self.dialect)}, 1.0, 0.0)"
        elif value.operator in ("norm", "rms"):
            text = f"square({text})"
        elif value.other is not None:
            text = f"{_bracketed(text)} * {_bracketed(python(value.other, self.dialect))}"
        return [
            f"# {comment(described(assignment))}",
            f"{total} = {added(value.operator, total, text)}",
        ]

    def _total(self, item: Accumulate | Assignment) -> str:
        return self.names.stream(f"total {item.name}")

    # --------------------------------------------------------------- reading

    def _value(self, value: Value) -> str:
        name = self.names.value(value)
        if value in self.local:
            return name
        boolean = " != 0.0" if value.name in self.unit.predicates else ""
        self.heads[name] = f"read(float64, {self._place(value)}){boolean}"
        return name

    def _clock(self, clock: Clock) -> str:
        self.heads["t"] = f"read(float64, {self._place(clock)})"
        return "t"

    def _place(self, number: Value | Clock) -> str:
        """Return where a number lies, and note what the kernel must find for that."""
        row, slot = self.unit.slots.place(number)
        return placed(row, slot, self.starts)


def _chosen(rows: list[str], columns: list[str], count: str | None) -> list[str]:
    """Return the lines that let a block work on rows, or else on columns.

    `count` says how many rows a block works on, None where blocks work on columns alone.
    """
    if count is None:
        return ["line = chunk * THREADS + thread_index()", *columns]
    if not columns:
        return rows
    test = ["if chunk < of_rows:", *indent(rows), "else:"] if rows else ["if chunk >= of_rows:"]
    place = "line = (chunk - of_rows) * THREADS + thread_index()"
    return [f"of_rows = (height - 1) // {count} + 1", *test, *indent([place, *columns])]


def _reduce(assignment: Assignment) -> Reduce:
    """Return the reduction that gives a number of a stage of rows and columns."""
    assert isinstance(assignment.expression, Reduce)
    return assignment.expression


def _bracketed(text: str) -> str:
    return text if text.isidentifier() else f"({text})"
