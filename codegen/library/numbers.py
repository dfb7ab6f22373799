"""Numbers outside loops over entries, in LLVM code: once a step, for a tensor, for all tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.library.filters import each_of_case
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.library.values import Writer
from optdsl.codegen.predicates import predicate_names
from optdsl.codegen.slots import exported
from optdsl.codegen.support.arithmetic import BIT
from optdsl.codegen.support.emitting import (
    DOUBLE,
    NUMBERS,
    VOID,
    WORD,
    WORDS,
    function,
    is_true,
    load,
    numbers_at,
    place,
    store,
)
from optdsl.model.expressions import Clock, Kind, Value, values
from optdsl.model.overriding import Feed
from optdsl.model.system import Hyperparameter
from optdsl.program.program import Assignment, Combine, Program, Scalars

#: What a function of a formula takes; one of a schedule also takes its states.
FORMULA = {"t": DOUBLE, "hyper": NUMBERS}


def as_number(builder: Any, value: Any) -> Any:
    """Return a value as a number, be it true or false."""
    return builder.uitofp(value, DOUBLE) if value.type == BIT else value


class Numbers:
    """Writes numbers in float64; `place_of` tells where one that was not computed is read."""

    def __init__(
        self, builder: Any, predicates: frozenset[str], place_of: Callable[[Value], Any]
    ) -> None:
        self.builder, self.predicates, self.place_of = builder, predicates, place_of
        self.known: dict[Value, Any] = {}
        self.clocks: Callable[[Clock], Any] = self._clock
        self.t: Any = None
        self.writer = Writer(builder, DOUBLE, self._value, lambda c: self.clocks(c), predicates)

    def compute(self, assigned: Assignment) -> Any:
        """Compute a value, to be read by its name from now on; return it."""
        value = self.writer.write(assigned.expression)
        self.known[Value(assigned.name, assigned.kind)] = value
        return value

    def _value(self, value: Value) -> Any:
        if value not in self.known:
            read = self.builder.load(self.place_of(value))
            if value.name in self.predicates:
                read = is_true(self.builder, read)
            self.known[value] = read
        return self.known[value]

    def _clock(self, clock: Clock) -> Any:
        offset = ir.Constant(DOUBLE, float(clock.offset))
        return self.builder.fadd(self.t, offset) if clock.offset else self.t


def scalars_function(module: Any, interface: Interface, program: Program, part: int) -> Any:
    """Add the function of the numbers of one step, or return None if there are none."""
    unit = interface.unit
    assignments = [each for stage in program.stages
                   if isinstance(stage, Scalars) and stage.part == part
                   for each in stage.assignments]  # fmt: skip
    exports = exported(program, part)
    if not assignments and not exports:
        return None
    arguments = {**FORMULA, "step_state": NUMBERS, "scalars": NUMBERS}
    made, builder = function(
        module, f"scalars_{program.mode}_{part}{interface.tag}", VOID, arguments
    )
    t, hyper, step_state, scalars = made.args
    slots = unit.slots

    def place_of(value: Value) -> Any:
        if value in slots.hyper:
            return place(builder, hyper, slots.hyper[value])
        if value.offset == -1:
            return place(builder, step_state, slots.step_state[value.name])
        return place(builder, scalars, slots.scalars[value])

    numbers = Numbers(builder, unit.predicates, place_of)
    numbers.t = t
    for each in assignments:
        numbers.compute(each)
    written = [(slots.scalars[each], numbers.writer.write(each)) for each in exports]
    moved = {name: slot for name, slot in slots.step_state.items()
             if program.moves and Value(name, Kind.STEP) in numbers.known}  # fmt: skip
    states = [(slot, numbers.known[Value(name, Kind.STEP)]) for name, slot in moved.items()]
    for slot, value in written:
        store(builder, as_number(builder, value), scalars, slot)
    for slot, value in states:
        store(builder, as_number(builder, value), step_state, slot)
    builder.ret_void()
    return made


# -------------------------------------------------------------------- combine

COMBINED = {"tensors": WORDS, "count": WORD, "scalars": NUMBERS, "everything": NUMBERS}


def combine_function(module: Any, interface: Interface, stage: Combine, name: str) -> Any:
    """Add the function of what follows from reductions, which the pass has left in place.

    First come the numbers for all tensors, then those of each.
    """
    made, builder = function(module, name, VOID, COMBINED)
    tensors, count, scalars, everything = made.args
    unit, record = interface.unit, interface.tensor
    slots = unit.slots
    rows = {"step": scalars, "all": everything}

    def place_of(value: Value) -> Any:
        row, slot = slots.place(value)
        return place(builder, rows[row], slot)

    numbers = Numbers(builder, unit.predicates, place_of)
    numbers.clocks = lambda clock: load(builder, scalars, slots.scalars[clock])
    common = [each for each in stage.assignments if each.kind is Kind.ALL]
    own = [each for each in stage.assignments if each.kind is not Kind.ALL]
    computed = [(each, numbers.compute(each)) for each in common]
    local = {each.name for each in stage.assignments}
    for value in (value for each in own for value in values(each.expression)):
        if value.kind is not Kind.TENSOR and not (value.name in local and value.offset == 0):
            numbers.writer.write(value)  # before what it may be is overwritten
    for each, value in computed:
        store(builder, as_number(builder, value), everything, slots.everything[each.name])
    shared = {value: known for value, known in numbers.known.items()
              if value.kind is not Kind.TENSOR}  # fmt: skip
    if own:
        with each_of_case(builder, interface, tensors, count) as tensor:
            numbers.known = dict(shared)
            rows["tensor"] = numbers_at(builder, tensor, interface.first(record, "tensor"))
            for each, value in [(each, numbers.compute(each)) for each in own]:
                place_in_row = slots.tensor[each.name]
                store(builder, as_number(builder, value), rows["tensor"], place_in_row)
    builder.ret_void()
    return made


# -------------------------------------------------------- formulas, schedules


def formula_function(module: Any, interface: Interface, hyper: Hyperparameter) -> Any:
    """Add the function of a default that is a formula."""
    assert hyper.default is not None
    made, builder = function(module, f"default_{hyper.name}", DOUBLE, FORMULA)
    t, row = made.args
    slots = interface.unit.slots.hyper
    numbers = Numbers(
        builder,
        interface.unit.predicates,
        lambda value: place(builder, row, slots[Value(value.name, Kind.STEP)]),
    )
    numbers.t = t
    builder.ret(numbers.writer.number(hyper.default))
    return made


def schedule_function(module: Any, interface: Interface, feed: Feed) -> Any:
    """Add the function of a schedule in the spec: it gives a value and moves its states on."""
    name = f"schedule_{feed.hyperparameter.name}"
    made, builder = function(module, name, DOUBLE, {**FORMULA, "states": NUMBERS})
    t, row, states = made.args
    slots = interface.unit.slots.hyper
    places = {state.name: slot for slot, state in enumerate(feed.states)}

    def place_of(value: Value) -> Any:
        if value.offset == -1:
            return place(builder, states, places[value.name])
        return place(builder, row, slots[value])

    system = replace(interface.unit.system, equations=feed.equations, states=feed.states)
    numbers = Numbers(builder, frozenset(predicate_names(system, [])), place_of)
    numbers.t = t
    for each in feed.equations:
        numbers.compute(Assignment(each.name, each.value))
    for state, slot in places.items():
        moved = as_number(builder, numbers.known[Value(state, Kind.STEP)])
        store(builder, moved, states, slot)
    builder.ret(as_number(builder, numbers.known[Value(feed.hyperparameter.name, Kind.STEP)]))
    return made
