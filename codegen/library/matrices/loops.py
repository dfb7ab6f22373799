"""Loops over the entries of matrices, in LLVM code.

Each is a function of its own, and loops that do the same to other matrices are one: five rounds of
an iteration are compiled once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import llvmlite.ir as ir

from optdsl.codegen.library.draws import standard
from optdsl.codegen.library.folds import finished, taken
from optdsl.codegen.library.matrices.products import View
from optdsl.codegen.library.storing import Converter
from optdsl.codegen.library.values import Writer
from optdsl.codegen.support.arithmetic import BIT
from optdsl.codegen.support.emitting import (
    DOUBLE,
    FLOAT,
    SHORT,
    VOID,
    counted,
    function,
    is_true,
    word,
)
from optdsl.model.expressions import (
    Clock,
    Draw,
    Expression,
    Matrix,
    Reduce,
    Value,
    transform,
)
from optdsl.program.program import neutral

#: What an expression reads: a matrix, a number, or what tells random numbers from others.
Found: TypeAlias = "View | Random | Any"


@dataclass(frozen=True)
class Random:
    """Random numbers: the draw, and words that tell them from others besides the entry."""

    draw: Draw
    words: dict[str, Any]


class MatrixLoops:
    """Writes loops where `builder` stands; `find` gives what an expression reads."""

    def __init__(
        self, builder: Any, ending: str, predicates: frozenset[str],
        find: Callable[[Expression], Found],
    ) -> None:  # fmt: skip
        self.builder, self.ending = builder, ending
        self.predicates, self.find = predicates, find

    def fill(self, target: View, expression: Expression, real: Any) -> None:
        """Compute a matrix entry by entry, in the format `real`."""
        leaves = _Leaves(self)
        plain = leaves.unnamed(expression)

        def write(inside: _Inside) -> None:
            with inside.each(target.steps) as at:
                number = inside.writer(leaves, at, real, 1).number(plain)
                inside.put(0, at, number)

        self._call(f"fill {plain} {real}", [target, *leaves.views], target.shape, leaves, write)

    def copy(self, target: View, source: View) -> None:
        """Copy a matrix, and round it where it is kept in fewer bits."""

        def write(inside: _Inside) -> None:
            with inside.each(target.steps) as at:
                inside.put(0, at, inside.views[1].read(inside.builder, *at, DOUBLE))

        self._call("copy", [target, source], target.shape, _Leaves(self), write)

    def reduce(self, total: View, shape: tuple[Any, Any], reduction: Reduce, real: Any) -> None:
        """Reduce entries of a matrix of this shape to what has an entry in `total`."""
        leaves, operator = _Leaves(self), reduction.operator
        plain = leaves.unnamed(reduction.argument)
        other = None if reduction.other is None else leaves.unnamed(reduction.other)
        start = ir.Constant(DOUBLE, neutral(operator))
        count = self._counted(total, shape)

        def write(inside: _Inside) -> None:
            with inside.each(total.steps) as at:
                inside.put(0, at, start)
            with inside.each((1, 1)) as at:
                writer = inside.writer(leaves, at, real, 1)
                one = inside.wide(writer.number(plain))
                more = one if other is None else inside.wide(writer.number(other))
                before = inside.views[0].read(inside.builder, *at, DOUBLE)
                inside.put(0, at, taken(inside.builder, operator, before, one, more))

        name = f"reduce {operator} {plain} {other} {real}"
        self._call(name, [total, *leaves.views], shape, leaves, write)
        self.finish(total, total, operator, count)

    def finish(self, target: View, total: View, operator: str, count: Any) -> None:
        """Make of totals of so many numbers what the reduction gives."""
        views = [target] if target is total else [target, total]
        if len(views) == 1 and operator not in ("mean", "rms", "norm"):
            return

        def write(inside: _Inside) -> None:
            with inside.each(target.steps) as at:
                found = inside.views[-1].read(inside.builder, *at, DOUBLE)
                counted_there = inside.values[0]
                inside.put(0, at, finished(inside.builder, operator, found, counted_there))

        leaves = _Leaves(self)
        leaves.values.append(count)
        self._call(f"finish {operator}", views, target.shape, leaves, write)

    def _counted(self, total: View, shape: tuple[Any, Any]) -> Any:
        """Return how many entries of a matrix make one total."""
        over = [size for size, step in zip(shape, total.steps, strict=True) if step == 0]
        count = word(1)
        for each in over:
            count = self.builder.mul(count, each)
        return count

    def _call(
        self, what: str, views: list[View], shape: tuple[Any, Any], leaves: _Leaves,
        write: Callable[[_Inside], None],
    ) -> None:  # fmt: skip
        """Call the function of a loop, which is written where there is none like it."""
        builder = self.builder
        given = [*shape, *(item for view in views for item in _items(view)), *leaves.values]
        forms = [f"{each.storage.format} {each.array.type} {_steps(each)}" for each in views]
        text = " ".join([what, *forms, *(str(each.type) for each in leaves.values), *leaves.notes])
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        name = f"{what.split()[0]}_{digest}{self.ending}"
        made = builder.module.globals.get(name)
        if made is None:
            kinds = {f"a{number}": each.type for number, each in enumerate(given)}
            made, begun = function(builder.module, name, VOID, kinds)
            made.attributes.add("noinline")
            write(_Inside(begun, list(made.args), views))
            begun.ret_void()
        builder.call(made, given)


class _Leaves:
    """What an expression reads, with numbers in place of names."""

    def __init__(self, loops: MatrixLoops) -> None:
        self.loops = loops
        self.places: dict[Expression, Value] = {}
        self.views: list[View] = []
        self.values: list[Any] = []
        self.notes: list[str] = []
        self.found: dict[str, tuple[str, int]] = {}

    def unnamed(self, expression: Expression) -> Expression:
        """Return an expression whose leaves are known by their numbers."""
        return transform(expression, self._leaf)

    def _leaf(self, node: Expression) -> Expression | None:
        match node:
            case Value() | Clock() | Draw() | Matrix("transpose"):
                if node not in self.places:
                    self._take(node)
                return self.places[node]
            case Matrix():
                return node
        return None

    def _take(self, node: Expression) -> None:
        found = self.loops.find(node)
        name = f"#{len(self.places)}"
        self.places[node] = Value(name, node.kind)
        match found:
            case View():
                truth = isinstance(node, Value) and node.name in self.loops.predicates
                self.found[name] = ("truth" if truth else "view", len(self.views))
                self.views.append(found)
            case Random(draw, words):
                self.found[name] = (f"{draw.distribution} {draw.number}", len(self.values))
                self.values += words.values()
            case _:
                self.found[name] = ("number", len(self.values))
                self.values.append(found)
        self.notes.append(str(self.found[name]))


class _Inside:
    """A loop that is being written: what the function is given, in its own names."""

    def __init__(self, builder: Any, given: list[Any], views: list[View]) -> None:
        self.builder = builder
        self.shape = given.pop(0), given.pop(0)
        self.views: list[View] = []
        for view in views:
            array, steps = given.pop(0), [*view.steps]
            for axis, step in enumerate(steps):
                if not isinstance(step, int):
                    steps[axis] = given.pop(0)
            self.views.append(View(array, view.storage, self.shape, (steps[0], steps[1])))
        self.values = given

    @contextmanager
    def each(self, steps: tuple[Any, Any]) -> Iterator[tuple[Any, Any]]:
        """Write a loop over rows and columns; an axis on which steps are 0 is taken once."""
        ends = [word(1) if step == 0 else size
                for step, size in zip(steps, self.shape, strict=True)]  # fmt: skip
        with (
            counted(self.builder, word(0), ends[0]) as row,
            counted(self.builder, word(0), ends[1]) as column,
        ):
            yield row, column

    def put(self, view: int, at: tuple[Any, Any], number: Any) -> None:
        """Store an entry."""
        target, converter = self.views[view], Converter(self.builder)
        kind = target.array.type.pointee
        number = converter.cast(number, FLOAT) if kind == SHORT else number
        stored = converter.rounded(number, target.storage, kind)
        self.builder.store(stored, target.at(self.builder, *at))

    def wide(self, number: Any) -> Any:
        """Return a number in float64."""
        return Converter(self.builder).cast(number, DOUBLE)

    def writer(self, leaves: _Leaves, at: tuple[Any, Any], real: Any, first: int) -> Writer:
        """Return what writes an expression for an entry; its matrices begin at number `first`."""
        known: dict[str, Any] = {}

        def value(leaf: Value) -> Any:
            if leaf.name not in known:
                known[leaf.name] = self._read(leaves.found[leaf.name], at, real, first)
            return known[leaf.name]

        def identity(_: Matrix) -> Any:
            same = self.builder.icmp_signed("==", *at)
            one, nothing = (ir.Constant(real, number) for number in (1.0, 0.0))
            return self.builder.select(same, one, nothing)

        return Writer(
            self.builder, real, value, lambda clock: None, entries=True, matrix=identity, plain=True
        )

    def _read(self, found: tuple[str, int], at: tuple[Any, Any], real: Any, first: int) -> Any:
        what, number = found
        if what in ("view", "truth"):
            read = self.views[first + number].read(self.builder, *at, real)
            if what == "truth":
                return is_true(self.builder, read)
            return read
        if what == "number":
            read = self.values[number]
            return read if read.type == BIT else Converter(self.builder).cast(read, real)
        distribution, draw = what.split()
        names = ("step", "low", "high", "identity")
        words = dict(zip(names, self.values[number:], strict=False))
        entry = self.builder.add(self.builder.mul(at[0], self.shape[1]), at[1])
        return standard(self.builder, real, distribution, int(draw), {**words, "entry": entry})


def _items(view: View) -> list[Any]:
    return [view.array, *(step for step in view.steps if not isinstance(step, int))]


def _steps(view: View) -> list[Any]:
    return [step if isinstance(step, int) else "by rows" for step in view.steps]
