"""Products of matrices in LLVM code: packed, in tiles of vectors, in tasks that threads may share.

Each factor is copied once into panels of as many rows, or columns, as a tile has, so that a tile
reads memory in a row. Every entry of the result sums its products in the order of the inner
index, whichever tile it lies in: so `X @ X.T` is symmetric to the bit, and threads change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.dispatch import Level
from optdsl.codegen.library.passes.tasks import FOR_EACH, TASK
from optdsl.codegen.library.storing import Converter
from optdsl.codegen.support.arithmetic import declared
from optdsl.codegen.support.emitting import (
    BYTE,
    DOUBLE,
    FLOAT,
    HALF,
    VOID,
    WORD,
    WORDS,
    array_at,
    counted,
    load,
    once,
    place,
    room,
    smaller,
    store,
    word,
)
from optdsl.storage import Storage

#: Rows of a tile; entries of the inner index after which a tile is written back; rows and
#: columns of what a task works on, panels that one packs, and entries of a row at a time.
TILE, INNER, DOWN, ACROSS, PANELS, STRIP = 6, 256, 96, 128, 16, 64
#: The widest tile of any level, by the type of its numbers.
WIDEST = {FLOAT: 32, DOUBLE: 16}
_ANY = BYTE.as_pointer()
#: What the names of functions begin with that work on tiles, in the widest vectors of a level.
TILES = "tile"


@dataclass(frozen=True)
class View:
    """A matrix in memory: its shape, and how many numbers lie between rows and columns.

    A step of 0 repeats what lies there, as values a row are repeated in each column.
    """

    array: Any
    storage: Storage
    shape: tuple[Any, Any]
    steps: tuple[Any, Any]

    @property
    def turned(self) -> View:
        """The transpose."""
        return View(self.array, self.storage, self.shape[::-1], self.steps[::-1])

    def at(self, builder: Any, row: Any, column: Any) -> Any:
        """Return the address of an entry."""
        down, across = self.steps
        return place(builder, self.array, builder.add(_by(builder, row, down),
                                                      _by(builder, column, across)))  # fmt: skip

    def read(self, builder: Any, row: Any, column: Any, kind: Any) -> Any:
        """Return an entry as a number of type `kind`."""
        stored = builder.load(self.at(builder, row, column))
        return Converter(builder).widened(stored, self.storage, kind)


def _by(builder: Any, index: Any, step: Any) -> Any:
    if isinstance(step, int):
        return index if step else word(0)
    return builder.mul(index, step)


def in_panels(builder: Any, count: Any, width: int) -> Any:
    """Return a count rounded up to whole panels."""
    panels = builder.sdiv(builder.add(count, word(width - 1)), word(width))
    return builder.mul(panels, word(width))


def packed_words(builder: Any, shape: tuple[Any, Any, Any], kind: Any) -> Any:
    """Return the room that the factors of a product of this shape (m, k, n) take, at any level."""
    down, inner, across = shape
    lines = builder.add(in_panels(builder, down, TILE), in_panels(builder, across, WIDEST[kind]))
    numbers = builder.mul(lines, inner)
    return numbers if kind == DOUBLE else half_words(builder, numbers)


def half_words(builder: Any, numbers: Any) -> Any:
    """Return the words that so many floats take."""
    return builder.sdiv(builder.add(numbers, word(1)), word(2))


@dataclass(frozen=True)
class Crew:
    """Who runs tasks: `for_each` of the caller with its `pool`, or nobody else where it is NULL."""

    for_each: Any
    pool: Any

    def run(self, builder: Any, task: Any, count: Any, data: list[Any]) -> None:
        """Run `task(data, k)` for each k below `count`; the data are words and addresses."""
        row = room(builder, WORD, len(data))
        for offset, value in enumerate(data):
            is_address = isinstance(value.type, ir.PointerType)
            store(builder, builder.ptrtoint(value, WORD) if is_address else value, row, offset)
        runner = _runner(builder.module)
        builder.call(runner, [self.for_each, self.pool, count, task, row])


def _runner(module: Any) -> Any:
    """Return the function that runs tasks: in this thread, if there is one or nobody to help."""
    task = ir.FunctionType(VOID, list(TASK.values())).as_pointer()
    arguments = {"for_each": FOR_EACH, "pool": _ANY, "count": WORD, "task": task, "data": WORDS}
    made, builder = once(module, "run_tasks", VOID, arguments)
    if builder is None:
        return made
    made.attributes.add("noinline")  # or each product would hold its tasks
    for_each, pool, count, run, data = made.args
    nobody = builder.icmp_unsigned("==", for_each, ir.Constant(FOR_EACH, None))
    alone = builder.or_(nobody, builder.icmp_signed("<=", count, word(1)))
    with builder.if_else(alone) as (here, there):
        with here, counted(builder, word(0), count) as number:
            builder.call(run, [data, number])
        with there:
            builder.call(for_each, [pool, count, run, data])
    builder.ret_void()
    return made


class Products:
    """Writes the functions that multiply matrices of one type of numbers, for one level."""

    def __init__(self, module: Any, kind: Any, level: Level) -> None:
        self.module, self.kind, self.level = module, kind, level
        self.lanes = level.tile // (8 if kind == DOUBLE else 4)
        self.width = 2 * self.lanes
        self.name = "f64" if kind == DOUBLE else "f32"

    def multiply(
        self, builder: Any, crew: Crew, result: Any, left: View, right: View, scratch: Any
    ) -> None:
        """Write `left @ right` into an array; `scratch` has room for both, packed."""
        (down, inner), (_, across) = left.shape, right.shape
        first = builder.bitcast(scratch, self.kind.as_pointer())
        second = place(builder, first, builder.mul(in_panels(builder, down, TILE), inner))
        self._pack(builder, crew, left, TILE, first)
        self._pack(builder, crew, right.turned, self.width, second)
        tiles = builder.mul(_parts(builder, down, DOWN), _parts(builder, across, ACROSS))
        crew.run(builder, self._tiles(), tiles, [first, second, result, down, inner, across])

    # ------------------------------------------------------------------ packing

    def _pack(self, builder: Any, crew: Crew, view: View, width: int, packed: Any) -> None:
        """Copy the rows of a view into panels."""
        count, inner = view.shape
        panels = _parts(builder, count, width)
        steps = [word(step) if isinstance(step, int) else step for step in view.steps]
        data = [view.array, *steps, count, inner, packed]
        task = self._packing(view.storage, view.array.type.pointee, width)
        crew.run(builder, task, _parts(builder, panels, PANELS), data)

    def _packing(self, storage: Storage, stored: Any, width: int) -> Any:
        """Return the task that packs some panels of so many rows."""
        name = f"pack_{storage.format}_{self.name}_{width}{self.level.ending}"
        made, builder = once(self.module, name, VOID, TASK)
        if builder is None:
            return made
        data, number = made.args
        address, down, across, count, inner, target = (load(builder, data, k) for k in range(6))
        view = View(array_at(builder, address, stored), storage, (count, inner), (down, across))
        packed = array_at(builder, target, self.kind)
        first = builder.mul(number, word(PANELS * width))
        last = smaller(builder, builder.add(first, word(PANELS * width)), count)
        in_rows = builder.icmp_signed("==", across, word(1))
        with counted(builder, first, last, width) as line:
            panel = place(builder, packed, builder.mul(line, inner))
            there = smaller(builder, builder.sub(count, line), word(width))
            with builder.if_else(in_rows) as (by_lanes, by_indices):
                with by_lanes, counted(builder, word(0), inner, STRIP) as begin:
                    end = smaller(builder, builder.add(begin, word(STRIP)), inner)
                    within = View(view.array, storage, view.shape, (down, 1))
                    with (
                        counted(builder, word(0), there) as lane,
                        counted(builder, begin, end) as index,
                    ):
                        self._copy(builder, within, panel, width, line, lane, index)
                with (
                    by_indices,
                    counted(builder, word(0), inner) as index,
                    counted(builder, word(0), there) as lane,
                ):
                    self._copy(builder, view, panel, width, line, lane, index)
            with (
                counted(builder, word(0), inner) as index,
                counted(builder, there, word(width)) as lane,
            ):
                at = builder.add(builder.mul(index, word(width)), lane)
                store(builder, ir.Constant(self.kind, 0.0), panel, at)
        builder.ret_void()
        return made

    def _copy(
        self, builder: Any, view: View, panel: Any, width: int, line: Any, lane: Any, index: Any
    ) -> None:
        number = view.read(builder, builder.add(line, lane), index, self.kind)
        store(builder, number, panel, builder.add(builder.mul(index, word(width)), lane))

    # -------------------------------------------------------------------- tiles

    def _tiles(self) -> Any:
        """Return the task that computes one part of a result, tile by tile."""
        name = f"tiles_{self.name}{self.level.ending}"
        made, builder = once(self.module, name, VOID, TASK)
        if builder is None:
            return made
        data, number = made.args
        found = [load(builder, data, offset) for offset in range(6)]
        first, second, result = (array_at(builder, each, self.kind) for each in found[:3])
        down, inner, across = found[3:]
        parts = _parts(builder, across, ACROSS)
        top = builder.mul(builder.sdiv(number, parts), word(DOWN))
        left = builder.mul(builder.srem(number, parts), word(ACROSS))
        bottom = smaller(builder, builder.add(top, word(DOWN)), down)
        right = smaller(builder, builder.add(left, word(ACROSS)), across)
        empty = builder.icmp_signed("<", inner, word(1))  # of nothing, all sums are 0
        with counted(builder, word(0), builder.select(empty, word(1), inner), INNER) as begin:
            some = smaller(builder, builder.sub(inner, begin), word(INNER))
            fresh = builder.icmp_signed("==", begin, word(0))
            with (
                counted(builder, left, right, self.width) as column,
                counted(builder, top, bottom, TILE) as row,
            ):
                rows = place(builder, first, _panel(builder, row, inner, begin, TILE))
                columns = place(builder, second, _panel(builder, column, inner, begin, self.width))
                at = place(builder, result, builder.add(builder.mul(row, across), column))
                rest = [builder.sub(down, row), builder.sub(across, column)]
                builder.call(self._tile(), [rows, columns, at, across, some, *rest, fresh])
        builder.ret_void()
        return made

    def _tile(self) -> Any:
        """Return the function of one tile, of which so much lies within the result.

        It adds `count` products an entry to the result, or writes them there if that is `fresh`.
        """
        name = f"tile_{self.name}{self.level.ending}"
        array = self.kind.as_pointer()
        arguments = {"rows": array, "columns": array, "result": array, "step": WORD, "count": WORD,
                     "down": WORD, "across": WORD, "fresh": ir.IntType(1)}  # fmt: skip
        made, builder = once(self.module, name, VOID, arguments)
        if builder is None:
            return made
        given = dict(zip(arguments, made.args, strict=True))
        totals = self._sums(builder, given)
        whole = builder.and_(
            builder.icmp_signed(">=", given["down"], word(TILE)),
            builder.icmp_signed(">=", given["across"], word(self.width)),
        )
        with builder.if_else(whole) as (all_of_it, part):
            with all_of_it:
                self._whole(builder, given, totals)
            with part:
                self._edge(builder, given, totals)
        builder.ret_void()
        return made

    def _sums(self, builder: Any, given: dict[str, Any]) -> list[list[Any]]:
        """Write the loop over the inner index; return the sums, two vectors a row."""
        vector = ir.VectorType(self.kind, self.lanes)
        before, head, body, after = (
            builder.block, *(builder.append_basic_block(each) for each in ("head", "body", "after"))
        )  # fmt: skip
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(WORD)
        totals = [[builder.phi(vector) for _ in range(2)] for _ in range(TILE)]
        builder.cbranch(builder.icmp_signed("<", index, given["count"]), body, after)
        builder.position_at_end(body)
        row = place(builder, given["rows"], builder.mul(index, word(TILE)))
        line = place(builder, given["columns"], builder.mul(index, word(self.width)))
        columns = [self._loaded(builder, line, half) for half in range(2)]
        fused = declared(
            self.module, f"llvm.fmuladd.v{self.lanes}{self.name}", vector, [vector] * 3
        )
        sums = []
        for number, pair in enumerate(totals):
            factor = self._spread(builder, load(builder, row, number))
            sums.append([builder.call(fused, [factor, column, total])
                         for column, total in zip(columns, pair, strict=True)])  # fmt: skip
        following = builder.add(index, word(1))
        index.add_incoming(word(0), before)
        index.add_incoming(following, body)
        for pair, more in zip(totals, sums, strict=True):
            for total, found in zip(pair, more, strict=True):
                total.add_incoming(ir.Constant(vector, [0.0] * self.lanes), before)
                total.add_incoming(found, body)
        builder.branch(head)
        builder.position_at_end(after)
        return totals

    def _whole(self, builder: Any, given: dict[str, Any], totals: list[list[Any]]) -> None:
        for number, pair in enumerate(totals):
            line = place(builder, given["result"], builder.mul(given["step"], word(number)))
            for half, total in enumerate(pair):
                known = self._loaded(builder, line, half)
                nothing = ir.Constant(known.type, [0.0] * self.lanes)
                known = builder.select(given["fresh"], nothing, known)
                builder.store(builder.fadd(known, total), self._vector_at(builder, line, half),
                              align=self._align)  # fmt: skip

    def _edge(self, builder: Any, given: dict[str, Any], totals: list[list[Any]]) -> None:
        """Write what of a tile lies within the result."""
        tile = room(builder, self.kind, TILE * self.width)
        for number, pair in enumerate(totals):
            line = place(builder, tile, number * self.width)
            for half, total in enumerate(pair):
                builder.store(total, self._vector_at(builder, line, half), align=self._align)
        down = smaller(builder, given["down"], word(TILE))
        across = smaller(builder, given["across"], word(self.width))
        with (
            counted(builder, word(0), down) as row,
            counted(builder, word(0), across) as column,
        ):
            at = builder.add(builder.mul(row, given["step"]), column)
            known = load(builder, given["result"], at)
            known = builder.select(given["fresh"], ir.Constant(self.kind, 0.0), known)
            total = load(builder, tile, builder.add(builder.mul(row, word(self.width)), column))
            store(builder, builder.fadd(known, total), given["result"], at)

    @property
    def _align(self) -> int:
        return 8 if self.kind == DOUBLE else 4

    def _vector_at(self, builder: Any, line: Any, half: int) -> Any:
        vector = ir.VectorType(self.kind, self.lanes).as_pointer()
        return builder.bitcast(place(builder, line, half * self.lanes), vector)

    def _loaded(self, builder: Any, line: Any, half: int) -> Any:
        return builder.load(self._vector_at(builder, line, half), align=self._align)

    def _spread(self, builder: Any, number: Any) -> Any:
        vector = ir.VectorType(self.kind, self.lanes)
        one = builder.insert_element(
            ir.Constant(vector, ir.Undefined), number, ir.Constant(HALF, 0)
        )
        mask = ir.Constant(ir.VectorType(HALF, self.lanes), [0] * self.lanes)
        return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)


def _parts(builder: Any, count: Any, size: int) -> Any:
    return builder.sdiv(builder.add(count, word(size - 1)), word(size))


def _panel(builder: Any, line: Any, inner: Any, begin: Any, width: int) -> Any:
    """Return where in a packed factor the panel of a line begins, from an inner index on."""
    return builder.add(builder.mul(line, inner), builder.mul(begin, word(width)))
