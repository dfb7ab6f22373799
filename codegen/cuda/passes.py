"""The kernel of a pass over entries: everything is loaded before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from optdsl.codegen.cuda.folds import added, begun, left_by_block
from optdsl.codegen.cuda.guards import resting_pass
from optdsl.codegen.cuda.places import found_rows
from optdsl.codegen.cuda.signatures import PASS, TAKEN, maker
from optdsl.codegen.loops import Loop, all_streams, described
from optdsl.codegen.naming import comment
from optdsl.codegen.source import WIDTH, indent
from optdsl.codegen.storing import Access, Words
from optdsl.codegen.unit import Unit
from optdsl.model.storing import REST
from optdsl.program.program import Accumulate, Pass
from optdsl.storage import Storage

#: Functions that take many instructions.
_LONG = re.compile(r"\b(cos|exp|log|power|standard_normal|standard_uniform|\w+_by_chance)\(")
#: Arrays that a pass with reductions or long formulas may have before registers run short.
_ROOMY = 4
#: How deep the lines of one access stand at most.
_MARGIN = 16
#: Which piece of a tensor the block works on.
_CHUNK = "read(int64, chunks, block_index())"
_LONG_LOOP = ["for number in range(one_by_one(lanes)):", "    lane = one_by_one(number)"]


class PassKernel:
    """The lines of the kernel of one pass.

    `fits` are the conditions, beside alignment, under which a thread moves whole vectors.
    """

    fits: tuple[str, ...] = ("(count == lanes)",)

    def __init__(self, unit: Unit, stage: Pass) -> None:
        self.unit = unit
        self.stage = stage
        self.heads: set[str] = set()
        self.loop = Loop(unit, stage, real_text, "", "real(0.0), lane", self._slot, TAKEN)
        names, self.arrays = self.loop.names, self.loop.arrays
        self.vectors = {a: names.stream(f"{s} vector") for s, a in self.arrays.items()}
        self.columns = {s: names.stream(s) for s in all_streams(unit, stage)}
        self.forms = {a: names.stream(f"{s} form") for s, a in self.columns.items()}
        self.loaded = self._streams([load.stream for load in stage.loads])
        self.written = self._streams([store.stream for store in stage.stores])
        self.access = Access(
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
        body = [*resting_pass(self.unit, self.stage), *self._head(), *body]
        return maker(f'"{kind}"', self.formats, PASS, body)

    @property
    def formats(self) -> list[str]:
        """What the function that makes the kernel is given."""
        return ["real", "lanes", *self.forms.values()]

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
        places = {array: column for column, array in enumerate(self.columns.values())}
        first = f"{len(places)} * owner"
        return [
            f"{a} = {read}(int64, addresses, {f'{first} + {places[a]}' if places[a] else first})"
            for a in arrays
        ]

    def _head(self) -> list[str]:
        """Return the lines that find the tensor, its arrays, and its numbers."""
        lines = ["owner = read(int64, owners, block_index())", *self._extent()]
        if not self.crowded:
            lines += self._found(self.arrays.values(), "read")
        wanted = {*self.heads, "identity"} if self.loop.draws else self.heads
        return [*lines, *found_rows(self.unit, wanted), *self.loop.head]

    def _extent(self) -> list[str]:
        """Return the lines that find how much of a tensor there is."""
        return ["size = read(int64, sizes, owner)"]

    def _at_once(self) -> list[str]:
        """Return the lines of a pass in which each thread works once."""
        return [
            f"begin = ({_CHUNK} * THREADS + thread_index()) * lanes",
            "count = int32(min(size - begin, lanes))",
            "if count <= 0:",
            *indent(["return"]),
            *self._entries(),
        ]

    def _in_turns(self) -> list[str]:
        """Return the lines of a pass with reductions, in which each thread works several times."""
        return [
            *self._started(self.stage.reductions),
            "for turn in range(TURNS):",
            *indent(
                [
                    "begin = (",
                    *indent([f"({_CHUNK} * TURNS + turn) * THREADS + thread_index()"]),
                    ") * lanes",
                    "count = int32(min(size - begin, lanes))",
                    "if count > 0:",
                    *indent(self._entries()),
                ]
            ),
            *self._left(self.stage.reductions),
        ]

    def _started(self, reductions: Sequence[Accumulate]) -> list[str]:
        """Return the lines that begin totals."""
        return [f"{self._total(each)} = {begun(each.operator)}" for each in reductions]

    def _left(self, reductions: Sequence[Accumulate]) -> list[str]:
        """Return the lines that leave the totals of a block behind."""
        return left_by_block([(each.operator, self._total(each)) for each in reductions])

    def _entries(self) -> list[str]:
        """Return the lines that load, compute and store the entries of one access."""
        loop, forms, vectors = self.loop, self.forms, self.vectors
        aligned = [f"is_aligned(real, {forms[a]}, {a})" for a in self.arrays.values()]
        whole = _all_of("whole", [*self.fits, *aligned])
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
            *self._loaded(),
            *loop.computed(),
            *self._accumulated(),
            *loop.stored(self.access),
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

    def _loaded(self) -> list[str]:
        """Return the lines that read each stream for one entry."""
        return self.loop.loaded(self.access)

    def _total(self, reduction: Accumulate) -> str:
        return self.loop.names.stream(f"total {reduction.name}")

    def _updated(self, reduction: Accumulate) -> str:
        """Return the line that adds one entry to a total."""
        total = self._total(reduction)
        return f"{total} = {self._added(reduction, total)}"

    def _accumulated(self) -> list[str]:
        """Return the lines that add one entry to what is reduced, where there is one."""
        lines = []
        for each in self.stage.reductions:
            lines.append(f"# {comment(described(each))}")
            lines.append(self._updated(each))
        return ["if lane < count:", *indent(lines)] if lines else []

    def _added(self, reduction: Accumulate, total: str) -> str:
        loop = self.loop
        if reduction.operator == "any":
            return f"where({loop.condition(reduction.argument)}, 1.0, {total})"
        text = f"float64({loop.write(reduction.argument)})"
        if reduction.operator in ("norm", "rms"):
            text = f"square({text})"
        elif reduction.other is not None:
            text = f"{text} * float64({loop.write(reduction.other)})"
        return added(reduction.operator, total, text)


def real_text(text: str) -> str:
    """Return the text of a number in the type of the entries."""
    return text if text.startswith(("read(real,", "get(")) else f"real({text})"


def _all_of(name: str, tests: list[str]) -> list[str]:
    """Return the lines that let a name say whether all tests hold."""
    line = f"{name} = {' & '.join(tests)}"
    if len(line) + _MARGIN <= WIDTH:
        return [line]
    first, *rest = tests
    return [f"{name} = (", *indent([first, *(f"& {test}" for test in rest)]), ")"]


def _either(whole: list[str], some: list[str]) -> list[str]:
    """Return the lines that move whole vectors, or else a few numbers."""
    return ["if whole:", *indent(whole), "else:", *indent(some)] if whole else []
