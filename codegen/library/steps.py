"""The functions that C calls, in LLVM code: a start, a step, and looks at what a step left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.forms import FORMS
from optdsl.codegen.library.blocks import Blocks, room_for
from optdsl.codegen.library.calls import Call
from optdsl.codegen.library.dispatch import PLAIN
from optdsl.codegen.library.filters import each_tensor
from optdsl.codegen.library.interface import Interface, feed_key
from optdsl.codegen.library.lone import one_by_one
from optdsl.codegen.library.numbers import as_number, combine_function, scalars_function
from optdsl.codegen.library.passes.tasks import FOR_EACH, PassFunctions
from optdsl.codegen.library.settings import OK, Settings
from optdsl.codegen.library.storing import TYPES, Converter, Precision
from optdsl.codegen.library.values import Writer
from optdsl.codegen.library.vectors import vectors_function
from optdsl.codegen.support.emitting import (
    BYTE,
    DOUBLE,
    FLOAT,
    HALF,
    NUMBERS,
    VOID,
    WORD,
    WORDS,
    array_at,
    counted,
    is_true,
    load,
    numbers_at,
    place,
    public,
    smaller,
    store,
    word,
)
from optdsl.model.expressions import Expression, Fact, Kind, Matrix, Value
from optdsl.model.system import State
from optdsl.program.program import Ask, Combine, Guard, Matrices, Pass, Program, Scalars, Stage
from optdsl.storage import Storage

RESTED = ir.Constant(HALF, 1)
_ANY = BYTE.as_pointer()
#: What C hands over to be asked for a gradient.
ASKED = ir.FunctionType(VOID, [_ANY, WORDS, WORD, HALF]).as_pointer()
#: What C hands over so that its threads share a step.
THREADS = {"room": _ANY, "for_each": FOR_EACH, "pool": _ANY}


@dataclass(frozen=True)
class Loops:
    """What runs each pass, and each stage of whole matrices."""

    passes: dict[Pass, PassFunctions] = field(default_factory=dict)
    matrices: dict[Matrices, Any] = field(default_factory=dict)


class Steps:
    """Writes the functions of C for one format; `loops` has what runs passes and matrices."""

    def __init__(
        self, module: Any, interface: Interface, settings: Settings, precision: Precision,
        ending: str, loops: Loops,
    ) -> None:  # fmt: skip
        self.module, self.interface, self.settings = module, interface, settings
        self.unit, self.precision, self.ending = interface.unit, precision, ending
        self.passes, self.matrices = loops.passes, loops.matrices
        self.scalars: dict[tuple[str, int], Any] = {}
        self.combined: dict[Combine, str] = {}

    # ------------------------------------------------------------------- step

    def step(self) -> Any:
        """Add the function that takes a step."""
        interface = self.interface
        if interface.unit.system.family == "schedule":
            outputs = interface.unit.system.outputs
            return self._schedule({f"value_{name}": NUMBERS for name in outputs})
        return self._step("step", self._asking | self._room)

    def step_in_threads(self) -> Any:
        """Add the function that takes a step with the threads of its caller."""
        return self._step("step_in_threads", self._asking | THREADS)

    @property
    def _asking(self) -> dict[str, Any]:
        return {} if self.interface.is_given else {"gradient": ASKED, "context": _ANY}

    @property
    def _room(self) -> dict[str, Any]:
        return {"room": _ANY} if self.interface.has_matrices else {}

    def _step(self, name: str, more: dict[str, Any]) -> Any:
        made, builder = self._public(name, {"tensors": WORDS, "count": WORD, **more})
        given = {argument.name: argument for argument in made.args}
        call = Call(self.settings, builder, given)
        self._stages(self.interface.step, call)
        call.commit(range(self.unit.system.parts))
        builder.ret(OK)
        return made

    def look(self, name: str, program: Program, shared: bool = False) -> Any:
        """Add a function that writes what it looks for into an array, and moves nothing.

        Where it is `shared`, by the threads of its caller.
        """
        more, ending = (THREADS, "_in_threads") if shared else (self._room, "")
        made, builder = self._public(name + ending, {"tensors": WORDS, "count": WORD, **more})
        given = {argument.name: argument for argument in made.args}
        self._stages(program, Call(self.settings, builder, given))
        builder.ret(OK)
        return made

    def _schedule(self, outputs: dict[str, Any]) -> Any:
        """Add the function that gives the next value of a schedule."""
        made, builder = self._public("next", outputs)
        given = {argument.name: argument for argument in made.args}
        call = Call(self.settings, builder, given)
        self._stages(self.interface.step, call)
        for name in self.unit.system.outputs:
            slot = self.unit.slots.scalars[Value(name, Kind.STEP)]
            builder.store(load(builder, call.scalars, slot), given[f"value_{name}"])
        call.commit(range(self.unit.system.parts))
        builder.ret(OK)
        return made

    def _public(self, name: str, more: dict[str, Any]) -> tuple[Any, Any]:
        """Begin a function that C sees."""
        arguments = {"hyper": NUMBERS, "run": WORDS, **more}
        whole = f"{self.interface.prefix}_{name}{self.ending}"
        made, builder = public(self.module, whole, HALF, arguments)
        if "tensors" not in more or not self.interface.steps_alone:
            return made, builder
        return one_by_one(self.interface, made, builder)

    def _stages(self, program: Program, call: Call) -> None:
        for stage in program.by_part():
            self.stage(program, stage, call)

    def stage(self, program: Program, stage: Stage, call: Call) -> None:
        """Write what one stage of a step does; that of `Scalars` is all of its part."""
        match stage:
            case Scalars(part):
                self._scalars(program, part, call)
            case Pass():
                call.run_pass(self.passes[stage])
            case Combine() if stage.assignments:
                call.run(self.combine(program, stage))
            case Matrices() if stage in self.matrices:
                call.run_matrices(self.matrices[stage])
            case Matrices():
                call.run(self._vectors(program, stage))
            case Ask():
                call.ask([gradient for gradient, _ in self.interface.asked].index(stage.gradient))
            case Guard():
                self._guard(stage, call)

    def _scalars(self, program: Program, part: int, call: Call) -> None:
        key = (program.mode, part)
        name = f"scalars_{program.mode}_{part}{self.interface.tag}"
        if key not in self.scalars:
            known = self.module.globals.get(name)
            made = known or scalars_function(self.module, self.interface, program, part)
            self.scalars[key] = made
        if self.scalars[key] is not None:
            call.scalars_of(self.scalars[key], part)

    def combine(self, program: Program, stage: Combine) -> Any:
        """Return the function of what follows from a pass."""
        name = f"combine_{program.mode}_{len(self.combined)}{self.interface.tag}"
        name = self.combined.setdefault(stage, name)
        known = self.module.globals.get(name)
        return known or combine_function(self.module, self.interface, stage, name)

    def _vectors(self, program: Program, stage: Matrices) -> Any:
        number = program.stages.index(stage)
        name = f"vectors_{program.mode}_{number}{self.interface.tag}{self.ending}"
        known = self.module.globals.get(name)
        return known or vectors_function(self.module, self.interface, stage, self.precision, name)

    def rests(self, guard: Guard, call: Call) -> Any:
        """Return whether the condition of a guard holds."""
        builder, (row, slot) = call.builder, self.unit.slots.place(guard.condition)
        rows = {"step": call.scalars, "all": call.everything}
        if row == "tensor":  # there is one tensor alone
            first = self.interface.first(self.interface.tensor, "tensor")
            rows["tensor"] = numbers_at(builder, call.given["tensors"], first)
        number = load(builder, rows[row], slot)
        return is_true(builder, number)

    def _guard(self, guard: Guard, call: Call) -> None:
        with call.builder.if_then(self.rests(guard, call)):
            call.commit(range(guard.part + 1))
            call.builder.ret(RESTED)

    # ------------------------------------------------------------------ start

    def start(self) -> Any:
        """Add the function that makes a run and its tensors ready for their first step."""
        schedule = self.unit.system.family == "schedule"
        arrays = {} if schedule else {"tensors": WORDS, "count": WORD}
        made, builder = self._public("init", arrays)
        hyper, run = made.args[:2]
        for offset in range(self.interface.run.words):
            store(builder, word(0), run, offset)
        for feed in self.unit.feeds:
            for state in feed.states:
                self._start(builder, hyper, run, feed_key(feed, state.name), state)
        given = {argument.name: argument for argument in made.args}
        now = self._prepared(builder, run, *made.args[2:])
        call = Call(self.settings, builder, given, now)
        self._check(call)
        for state in self.unit.system.states:
            self.start_number(call, state)
        for loss in self.unit.system.losses:
            unknown = ir.Constant(DOUBLE, float("nan"))
            store(builder, unknown, self._number(builder, run, f"all {loss}"), 0)
        if not schedule:
            self._start_tensors(builder, call, *made.args[2:])
        builder.ret(OK)
        return made

    def _prepared(self, builder: Any, run: Any, *tensors: Any) -> Any:
        """Return what tells which rules are taken now; nothing where one always is."""
        return None

    def start_number(self, call: Call, state: State) -> None:
        """Write the start of a state that is one number for all tensors."""
        if state.kind in (Kind.STEP, Kind.ALL):
            row = "step" if state.kind is Kind.STEP else "all"
            key = f"{row} {state.name}"
            self._start(call.builder, call.hyper, call.given["run"], key, state)

    def _check(self, call: Call) -> None:
        """Refuse tensors that cannot be stepped: of one rule all can."""

    def _number(self, builder: Any, run: Any, key: str) -> Any:
        return numbers_at(builder, run, self.interface.run.offset(key))

    def _start(self, builder: Any, hyper: Any, run: Any, key: str, state: State) -> None:
        value = self._expression(builder, hyper, state.start)
        store(builder, value, self._number(builder, run, key), 0)

    def _expression(
        self, builder: Any, hyper: Any, start: Expression | None, theta: Any = None,
        place_in_array: tuple[Any, Any] = (None, None),
    ) -> Any:  # fmt: skip
        """Return a start, in float64.

        `theta` is what an entry of the parameters is, the place is its index and the numbers a row.
        """
        if start is None:
            return ir.Constant(DOUBLE, 0.0)
        slots = self.unit.slots.hyper

        def value(read: Value) -> Any:
            if read.name == "theta":
                return theta
            return load(builder, hyper, slots[Value(read.name, Kind.STEP)])

        def identity(_: Matrix) -> Any:
            entry, across = place_in_array
            off = builder.sub(builder.sdiv(entry, across), builder.srem(entry, across))
            same = builder.icmp_signed("==", off, word(0))
            return as_number(builder, same)

        writer = Writer(
            builder, DOUBLE, value, lambda clock: None, self.unit.predicates, matrix=identity
        )
        return as_number(builder, writer.number(start))

    def _start_tensors(self, builder: Any, call: Call, tensors: Any, count: Any) -> None:
        record = self.interface.tensor
        with each_tensor(builder, self.interface, tensors, count) as (number, tensor):
            self.start_tensor(call, tensor, self.unit.system.states)
            if "identity" in record.fields:
                store(builder, number, tensor, record.offset("identity"))

    def start_tensor(self, call: Call, tensor: Any, states: Iterable[State]) -> None:
        """Write the starts of some states of a tensor."""
        builder, record = call.builder, self.interface.tensor
        for state in states:
            if state.kind is Kind.TENSOR and state.name not in self.interface.facts:
                known = self._known(builder, tensor, state.start)
                if known is None:
                    known = self._expression(builder, call.hyper, state.start)
                key = f"tensor {state.name}"
                store(builder, known, numbers_at(builder, tensor, record.offset(key)), 0)
            if state.kind in FORMS:
                with self._having(builder, tensor, state):
                    self._start_entries(builder, call.hyper, tensor, state)

    @contextmanager
    def _having(self, builder: Any, tensor: Any, state: State) -> Iterator[None]:
        """Do what stands within for a tensor that has a state: all have those of one rule."""
        yield

    def _known(self, builder: Any, tensor: Any, start: Expression | None) -> Any:
        """Return a fact that the record of a tensor tells, or None for another start."""
        if not isinstance(start, Fact):
            return None
        whole = load(builder, tensor, self.interface.tensor.offset(start.name))
        return builder.sitofp(whole, DOUBLE)

    def _start_entries(self, builder: Any, hyper: Any, tensor: Any, state: State) -> None:
        """Write the start of a state of which a tensor has an array."""
        record = self.interface.tensor
        count, across = self._lengths(builder, tensor, state.kind)
        theta = self._array(builder, tensor, "theta") if "stream theta" in record.fields else None

        def begun(entry: Any) -> Any:
            wide = None
            if theta is not None and state.kind is Kind.ENTRY:
                stored = load(builder, theta, entry)
                wide = Converter(builder).widened(stored, self._storage("theta"), DOUBLE)
            return self._expression(builder, hyper, state.start, wide, (entry, across))

        array, storage = self._array(builder, tensor, state.name), self._storage(state.name)
        if storage.block is not None:
            self._start_blocks(builder, array, storage.block, count, begun)
            return
        with counted(builder, word(0), count) as index:
            rounded = Converter(builder).rounded(begun(index), storage, array.type.pointee)
            store(builder, rounded, array, index)

    def _lengths(self, builder: Any, tensor: Any, kind: Kind) -> tuple[Any, Any]:
        """Return how many numbers an array of a kind has, in all and a row."""
        record = self.interface.tensor
        if kind is Kind.ENTRY:
            return load(builder, tensor, record.offset("size")), None
        down, across = (word(1) if axis == "1" else load(builder, tensor, record.offset(axis))
                        for axis in kind.axes)  # fmt: skip
        return builder.mul(down, across), across

    def _start_blocks(self, builder: Any, records: Any, block: int, count: Any, begun: Any) -> None:
        blocks = Blocks(self.module, block, PLAIN)
        numbers = room_for(builder, block)
        nothing = ir.Constant(WORDS, None)
        with counted(builder, word(0), count, block) as first:
            some = smaller(builder, builder.sub(count, first), word(block))
            with counted(builder, word(0), some) as index:
                number = begun(builder.add(first, index))
                store(builder, Converter(builder).cast(number, FLOAT), numbers, index)
            with counted(builder, some, word(block)) as index:
                store(builder, ir.Constant(FLOAT, 0.0), numbers, index)
            at = place(builder, records, blocks.offset(builder, first))
            builder.call(blocks.close(), [at, word(block), numbers, nothing, word(0)])

    def _array(self, builder: Any, tensor: Any, name: str) -> Any:
        address = load(builder, tensor, self.interface.tensor.offset(f"stream {name}"))
        return array_at(builder, address, TYPES[self._storage(name).format])

    def _storage(self, name: str) -> Storage:
        return self.interface.storage(name, self.precision)
