"""The CUDA target: flat kernels for Numba, one launch a pass over all tensors.

A thread works on as many entries as one access of 16 bytes moves; everything is loaded before
anything is stored. What a kernel is given are addresses of tables: see `support/cuda/words.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from optdsl.codegen import cuda_combine, cuda_scalars
from optdsl.codegen.blocks import Functions, indent
from optdsl.codegen.cuda_refusals import refuse_blocks, refuse_matrices, refuse_rows
from optdsl.codegen.loops import Loop, described
from optdsl.codegen.naming import comment
from optdsl.codegen.storing import Target, Words
from optdsl.codegen.support.cuda.words import __all__ as WORDS
from optdsl.codegen.unit import Unit
from optdsl.model.storing import REST
from optdsl.program.program import Accumulate, Combine, Matrices, Pass, Program
from optdsl.runtime.shapes import Form
from optdsl.storage import Storage

NAME = "numba-cuda"
BIND = "bind_blocks"
RUNTIME = "optdsl.cuda"
DTYPES = ()
IMPORTS = {
    "optdsl.codegen.support.cuda.launching": ("bind_blocks", "finished", "launched", "timed"),
    "optdsl.codegen.support.cuda.words": tuple(WORDS),
}

#: What a kernel of a pass is given: addresses, every one a whole number.
PARAMETERS = (
    "owners", "chunks", "sizes", "addresses", "rows", "cohort", "numbers", "exactly", "tensor",
    "everything", "partials",
)  # fmt: skip
_LOCAL = (
    "lane",
    "lanes",
    "count",
    "own",
    "number",
    "owner",
    "size",
    "step",
    "turn",
    "update",
    "whole",
)
TAKEN = (*PARAMETERS, *cuda_combine.PARAMETERS, *_LOCAL, *WORDS)

#: Functions that take many instructions.
_LONG = re.compile(r"\b(cos|exp|log|power|standard_normal|standard_uniform|\w+_by_chance)\(")
#: Arrays that a pass with reductions or long formulas may have before registers run short.
_ROOMY = 4
_LONG_LOOP = ["for number in range(one_by_one(lanes)):", "    lane = one_by_one(number)"]
_FOLDS = {"min": "minimum", "max": "maximum"}
_STARTS = {"min": "inf", "max": "-inf"}
_BLOCKS = {"min": "least_of_block", "max": "greatest_of_block", "any": "greatest_of_block"}


def emit_pass(unit: Unit, stage: Pass, functions: Functions) -> str:
    """Add the kernel of one pass; return the text of what launches it.

    Raises:
        DiagnosticError: for a pass that tells rows and columns apart.
    """
    refuse_rows(unit, stage)
    refuse_blocks(unit)
    return f"launched({functions.add('kernel', _Kernel(unit, stage).lines())})"


def bind_pass(unit: Unit, stage: Pass) -> str | None:
    """Return the text of what makes the table of a pass, where that is not BIND."""
    return None


def emit_matrices(unit: Unit, stage: Matrices, functions: Functions) -> tuple[str, dict[str, Form]]:
    """Refuse a stage of matrices.

    Raises:
        DiagnosticError: always.
    """
    refuse_matrices(unit, stage)
    raise AssertionError(stage)


def emit_scalars(unit: Unit, program: Program, part: int, host: str, functions: Functions) -> str:
    """Add the kernel that computes the numbers of a step; return the text of it and the host's."""
    return cuda_scalars.emit_scalars(unit, program, part, host, functions, TAKEN)


def emit_combine(unit: Unit, stage: Combine, functions: Functions) -> str:
    """Add the kernels that finish reductions; return the text of what launches them."""
    return cuda_combine.emit_combine(unit, stage, functions, TAKEN)


class _Kernel:
    """The lines of the kernel of one pass."""

    def __init__(self, unit: Unit, stage: Pass) -> None:
        self.unit = unit
        self.stage = stage
        self.heads: set[str] = set()
        self.loop = Loop(unit, stage, _real, "", "real(0.0), lane", self._slot, TAKEN)
        names, self.arrays = self.loop.names, self.loop.arrays
        self.vectors = {a: names.stream(f"{s} vector") for s, a in self.arrays.items()}
        self.forms = {a: names.stream(f"{s} form") for s, a in self.arrays.items()}
        self.loaded = self._streams([load.stream for load in stage.loads])
        self.written = self._streams([store.stream for store in stage.stores])
        self.target = Target(
            self._load, self._store, lambda counter: f"lane, {counter}", self._lost
        )

    def _streams(self, names: list[str]) -> list[str]:
        """Return arrays; what theta loses in rounding goes where theta goes."""
        if self.loop.kept.compensated and "theta" in names:
            names = [*names, REST]
        return [self.arrays[name] for name in names]

    def _load(self, array: str, storage: Storage | None) -> str:
        return f"get({self.vectors[array]}, lane)"

    def _store(self, array: str, storage: Storage | None, value: str, words: Words | None) -> str:
        if words is not None and storage is not None:
            value = f"{storage.format}_by_chance({value}, {words()})"
        vector = self.vectors[array]
        return f"{vector} = put({vector}, lane, {value})"

    def _lost(self, value: str, array: str) -> str:
        lost = f"{value} - rounded({self.forms[array]}, {value})"
        return f"where(isfinite({lost}), {lost}, real(0.0))"

    def lines(self) -> list[str]:
        """Return the function that makes the kernel for streams of given formats."""
        if self.stage.reductions:
            kind, body = "reduction", self._in_turns()
        else:
            kind, body = "pass", self._at_once()
        inner = [f"def update({', '.join(PARAMETERS)}):", *indent([*self._head(), *body])]
        made = ", ".join(["real", "lanes", *self.forms.values()])
        return [f'@kernel("{kind}")', f"def NAME({made}):", *indent([*inner, "return update"])]

    def _slot(self, array: str, slot: int) -> str:
        """Return the text of a number that all entries of a tensor share."""
        start = {"numbers": "step", "exactly": "step", "tensor": "own"}.get(array)
        if start is not None:
            self.heads.add(start)
        place = str(slot) if start is None else f"{start} + {slot}" if slot else start
        return f"read({'real' if array == 'numbers' else 'float64'}, {array}, {place})"

    @property
    def crowded(self) -> bool:
        """Are there too few registers to keep every address while entries are computed?"""
        long = any(_LONG.search(text) for _, text in self.loop.body)
        return len(self.arrays) > _ROOMY and (long or bool(self.stage.reductions))

    def _found(self, arrays: Iterable[str], read: str) -> list[str]:
        """Return the lines that look up where arrays are."""
        places = {array: column for column, array in enumerate(self.arrays.values())}
        first = f"{len(places)} * owner"
        return [
            f"{a} = {read}(int64, addresses, {f'{first} + {places[a]}' if places[a] else first})"
            for a in arrays
        ]

    def _head(self) -> list[str]:
        """Return the lines that find the tensor, its arrays, and its numbers."""
        lines = ["owner = read(int64, owners, block_index())", "size = read(int64, sizes, owner)"]
        if not self.crowded:
            lines += self._found(self.arrays.values(), "read")
        if self.heads or self.loop.draws:
            lines.append("row = read(int64, rows, owner)")
        if self.loop.draws:
            lines.append("identity = row")
        if "step" in self.heads:
            lines.append(f"step = {len(self.unit.slots.scalars)} * read(int64, cohort, row)")
        if "own" in self.heads:
            lines.append(f"own = {len(self.unit.slots.tensor)} * row")
        return [*lines, *self.loop.head]

    def _at_once(self) -> list[str]:
        """Return the lines of a pass in which each thread works once."""
        chunk = "read(int64, chunks, block_index())"
        return [
            f"begin = ({chunk} * THREADS + thread_index()) * lanes",
            "count = int32(min(size - begin, lanes))",
            "if count <= 0:",
            *indent(["return"]),
            *self._entries(),
        ]

    def _in_turns(self) -> list[str]:
        """Return the lines of a pass with reductions, in which each thread works several times."""
        totals = [self._total(each) for each in self.stage.reductions]
        starts = [f"{total} = {_STARTS.get(each.operator, '0.0')}"
                  for each, total in zip(self.stage.reductions, totals, strict=True)]  # fmt: skip
        first = "(read(int64, chunks, block_index()) * TURNS + turn) * THREADS"
        ends, stores = [], []
        for place, (each, total) in enumerate(zip(self.stage.reductions, totals, strict=True)):
            fold = _BLOCKS.get(each.operator, "sum_of_block")
            ends.append(f"{total} = {fold}({place}, {total})")
            columns = len(totals)
            row = f"{columns} * block_index()" if columns > 1 else "block_index()"
            column = f"{row} + {place}" if place else row
            stores.append(f"write(float64, partials, {column}, {total})")
        return [
            *starts,
            "for turn in range(TURNS):",
            *indent(
                [
                    f"begin = ({first} + thread_index()) * lanes",
                    "count = int32(min(size - begin, lanes))",
                    "if count > 0:",
                    *indent(self._entries()),
                ]
            ),
            *ends,
            "if thread_index() == 0:",
            *indent(stores),
        ]

    def _entries(self) -> list[str]:
        """Return the lines that load, compute and store the entries of one access."""
        loop, forms, vectors = self.loop, self.forms, self.vectors
        aligned = [f"is_aligned(real, {forms[a]}, {a})" for a in self.arrays.values()]
        whole = [f"whole = {' & '.join(['(count == lanes)', *aligned])}"]
        loads, some, stores, few = [], [], [], []
        for a in self.loaded:
            load = "load" if a in self.written else "load_constant"
            loads.append(f"{vectors[a]} = {load}(real, {forms[a]}, {a}, begin)")
            some.append(f"{vectors[a]} = load_some(real, {forms[a]}, {a}, begin, count)")
        made = [f"{vectors[a]} = nothing(real)" for a in self.written if a not in self.loaded]
        for a in self.written:
            stores.append(f"store({forms[a]}, {a}, begin, {vectors[a]})")
            few.append(f"store_some({forms[a]}, {a}, begin, count, {vectors[a]})")
        body = [
            *loop.loaded(self.target),
            *loop.computed(),
            *self._accumulated(),
            *loop.stored(self.target),
        ]
        long = self.crowded or any(_LONG.search(line) for line in body)
        return [
            *(self._found(self.arrays.values(), "read_changing") if self.crowded else []),
            *whole,
            *_either(loads, some),
            *made,
            *(_LONG_LOOP if long else ["for lane in range(lanes):"]),
            *indent(body),
            *(self._found(self.written, "read_changing") if self.crowded else []),
            *_either(stores, few),
        ]

    def _total(self, reduction: Accumulate) -> str:
        return self.loop.names.stream(f"total {reduction.name}")

    def _accumulated(self) -> list[str]:
        """Return the lines that add one entry to what is reduced, where there is one."""
        lines = []
        for each in self.stage.reductions:
            lines.append(f"# {comment(described(each))}")
            lines.append(f"{self._total(each)} = {self._added(each)}")
        return ["if lane < count:", *indent(lines)] if lines else []

    def _added(self, reduction: Accumulate) -> str:
        total, loop = self._total(reduction), self.loop
        if reduction.operator == "any":
            return f"where({loop.condition(reduction.argument)}, 1.0, {total})"
        text = loop.write(reduction.argument)
        match reduction.operator:
            case "norm" | "rms":
                return f"{total} + square(float64({text}))"
            case "dot":
                assert reduction.other is not None
                return f"{total} + float64({text}) * float64({loop.write(reduction.other)})"
            case "min" | "max":
                return f"{_FOLDS[reduction.operator]}({total}, float64({text}))"
        return f"{total} + float64({text})"


def _real(text: str) -> str:
    """Return the text of a number in the type of the entries."""
    return text if text.startswith(("read(real,", "get(")) else f"real({text})"


def _either(whole: list[str], some: list[str]) -> list[str]:
    """Return the lines that move whole vectors, or else a few numbers."""
    return ["if whole:", *indent(whole), "else:", *indent(some)] if whole else []
