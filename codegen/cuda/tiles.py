"""The kernel of a pass that tells rows and columns apart.

A warp works on a tile: as wide as its threads reach, and some rows high. Sums a row are folded
over the warp, row by row, one for each strip of tiles; sums a column stay with their threads until
the tile ends. What is left lies in float64, in places that nothing else writes.
"""

from __future__ import annotations

from optdsl.codegen.cuda.folds import begun, of_warp
from optdsl.codegen.cuda.guards import resting_pass
from optdsl.codegen.cuda.passes import PassKernel
from optdsl.codegen.cuda.signatures import TILES, maker
from optdsl.codegen.source import indent
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Kind, Value
from optdsl.program.program import Accumulate, Pass

#: Rows of a tile where no sum a column is wanted: a value a column is read once for all of them,
#: and few enough that a tensor of moderate size keeps a card busy.
LOW = 4

#: How to find the tile of this warp.
_TILE = (
    "# the tile of this warp: a strip of columns, a block of rows",
    "strips = (width - 1) // (WARP * lanes) + 1",
    "tile = read(int64, chunks, block_index()) * WARPS + warp_index()",
    "strip, block = tile % strips, tile // strips",
    "first = block * tall",
    "column = (strip * WARP + thread_of_warp()) * lanes",
    "count = int32(min(width - column, lanes))",
)
EXTENT = (
    "height = read(int64, shapes, 3 * owner)",
    "width = read(int64, shapes, 3 * owner + 1)",
    "tall = read(int64, shapes, 3 * owner + 2)",
)


def height_of(stage: Pass) -> int:
    """Return how many rows the tiles of a pass have, 0 where that depends on the tensor."""
    return 0 if any(each.kind is Kind.COLUMN for each in stage.reductions) else LOW


class TilesKernel(PassKernel):
    """The lines of the kernel of one pass over tiles."""

    fits = ("(count == lanes)", "(begin % lanes == 0)")

    def __init__(self, unit: Unit, stage: Pass) -> None:
        super().__init__(unit, stage)
        self.by_kind: dict[Kind, list[Accumulate]] = {}
        for each in stage.reductions:
            self.by_kind.setdefault(each.kind, []).append(each)

    def lines(self) -> list[str]:
        """Return the function that makes the kernel for streams of given formats."""
        work = self._over_tile()  # which notes what the head must find
        rest = resting_pass(self.unit, self.stage)
        body = [*rest, *self._head(), *_TILE, *work, *self._left(self._numbers)]
        kept = len(self.by_kind.get(Kind.COLUMN, []))
        kind = f'"tiles", kept={kept}' if kept else '"tiles"'
        return maker(kind, self.formats, TILES, body)

    @property
    def _numbers(self) -> list[Accumulate]:
        return [each for each in self.stage.reductions if each.kind.is_number]

    def _extent(self) -> list[str]:
        others = [array for array in self.columns.values() if array not in self.arrays.values()]
        return [*EXTENT, *self._found(others, "read")]

    def _over_tile(self) -> list[str]:
        """Return the lines that go through the rows of a tile."""
        rows, columns = self.by_kind.get(Kind.ROW, []), self.by_kind.get(Kind.COLUMN, [])
        line = [
            "begin = line * width + column",
            *self._row_vectors(),
            *self._started(rows),
            "if count > 0:",
            *indent(self._entries()),
            *self._row_sums(rows),
        ]
        return [
            *self._started(self._numbers),
            *(f"{self._total(each)} = repeated(lanes, {begun(each.operator)})" for each in columns),
            *self._column_vectors(),
            "for line in range(first, min(first + tall, height)):",
            *indent(line),
            *self._column_sums(columns),
        ]

    # ---------------------------------------------------------------- sums

    def _updated(self, reduction: Accumulate) -> str:
        if reduction.kind is not Kind.COLUMN:
            return super()._updated(reduction)
        totals = self._total(reduction)
        return f"{totals} = put({totals}, lane, {self._added(reduction, f'get({totals}, lane)')})"

    def _total(self, reduction: Accumulate) -> str:
        word = "totals" if reduction.kind is Kind.COLUMN else "total"
        return self.loop.names.stream(f"{word} {reduction.name}")

    def _row_sums(self, rows: list[Accumulate]) -> list[str]:
        """Return the lines that leave the sums of a row of the tile behind."""
        folds, stores = [], []
        for each in rows:
            total, partial = self._total(each), self.loop.partials[each.name]
            folds.append(f"{total} = {of_warp(each.operator, total)}")
            stores.append(f"write(float64, {partial}, line * strips + strip, {total})")
        return [*folds, "if thread_of_warp() == 0:", *indent(stores)] if rows else []

    def _column_sums(self, columns: list[Accumulate]) -> list[str]:
        """Return the lines that leave the sums of the columns of a tile behind."""
        stores = []
        for each in columns:
            partial = self.loop.partials[each.name]
            total = f"get({self._total(each)}, lane)"
            stores.append(f"write(float64, {partial}, block * width + column + lane, {total})")
        kept = ["if (first < height) & (lane < count):", *indent(stores)]
        return ["for lane in range(lanes):", *indent(kept)] if columns else []

    # ------------------------------------------------------------- vectors

    def _row_vectors(self) -> list[str]:
        """Return the lines that read values a row."""
        lines = []
        for value, array in self.loop.vectors.items():
            if value.kind is Kind.ROW:
                text = f"read({self.forms[array]}, {array}, line)"
                lines.append(f"{self.loop.names.value(value)} = {self._as_read(value, text)}")
        return lines

    def _column_vectors(self) -> list[str]:
        """Return the lines that read the values of the columns of a tile."""
        return [
            f"{self._vector(array)} = load_some(real, {self.forms[array]}, {array}, column, count)"
            for value, array in self.loop.vectors.items()
            if value.kind is Kind.COLUMN
        ]

    def _vector(self, array: str) -> str:
        return self.loop.names.stream(f"{array} vector")

    def _loaded(self) -> list[str]:
        lines = super()._loaded()
        for value, array in self.loop.vectors.items():
            if value.kind is Kind.COLUMN:
                text = self._as_read(value, f"get({self._vector(array)}, lane)")
                lines.append(f"{self.loop.names.value(value)} = {text}")
        return lines

    def _as_read(self, value: Value, text: str) -> str:
        number = text if text.startswith("get(") else f"real({text})"
        return f"{number} != real(0.0)" if value.name in self.unit.predicates else number
