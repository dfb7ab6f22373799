"""Where each number of a rule lies in the arrays that code and runtime share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from optdsl.codegen.storing import rounding_clocks
from optdsl.model.alternatives import Alternatives, Rule
from optdsl.model.expressions import Clock, Draw, Expression, Kind, Value, walk
from optdsl.model.system import System
from optdsl.program.keeping import expressions
from optdsl.program.program import (
    Accumulate,
    Ask,
    Assignment,
    Combine,
    Matrices,
    Pass,
    Program,
    Scalars,
)

Number = Value | Clock
#: Numbers of this step (`scalars`), of each tensor, and of all tensors (`everything`).
Row = Literal["step", "tensor", "all"]


@dataclass
class Slots:
    """Positions in `hyper`, `step_state`, `scalars`, `tensor` and `everything`."""

    hyper: dict[Value, int] = field(default_factory=dict)
    step_state: dict[str, int] = field(default_factory=dict)
    scalars: dict[Number, int] = field(default_factory=dict)
    tensor: dict[str, int] = field(default_factory=dict)
    everything: dict[str, int] = field(default_factory=dict)
    seed: int | None = None  # where `everything` holds the low and the high word of the seed

    def place(self, number: Number) -> tuple[Row, int]:
        """Return in which row of numbers one lies during a step, and where."""
        if isinstance(number, Clock) or number.kind is Kind.STEP:
            return "step", self.scalars[number]
        if number.kind is Kind.ALL:
            return "all", self.everything[number.name]
        return "tensor", self.tensor[number.name]


def assign_slots(system: System, programs: list[Program]) -> Slots:
    """Return the slots that the programs of one rule share."""
    slots = known_slots(system, programs)
    for program in programs:
        _exported(program, slots)
        _combined(program, slots.everything, slots.tensor)
    if any(_draws(program) for program in programs):
        slots.seed = len(slots.everything)
    return slots


def assign_slots_by_case(rule: Alternatives, programs: list[list[Program]]) -> list[Slots]:
    """Return for each case where its numbers lie; what the cases share lies in one place.

    A tensor is in one case at a time, so cases use the same rows for numbers that are a
    tensor's or a cohort's own. A number for all tensors of one case has a place to itself.
    """
    slots = known_slots(rule, [program for each in programs for program in each])
    count = len(slots.everything)
    own: list[dict[str, int]] = []
    for case in programs:
        numbers: dict[str, int] = {}
        for program in case:
            _exported(program, slots)
            _combined(program, numbers, slots.tensor)
        for name in numbers:
            place = slots.everything.get(name)
            numbers[name] = count if place is None else place
            count += place is None
            if name in rule.shared:
                slots.everything.setdefault(name, numbers[name])
        own.append(numbers)
    if any(_draws(program) for each in programs for program in each):
        slots.seed = count
    return [replace(slots, everything=slots.everything | numbers) for numbers in own]


def known_slots(rule: Rule, programs: list[Program]) -> Slots:
    """Return the slots of what is known before a step: hyperparameters, inputs and states."""
    slots = Slots()
    for hyper in rule.hyperparameters:
        slots.hyper[Value(hyper.name, Kind.STEP)] = len(slots.hyper)
    ahead = read_ahead(programs)
    for hyper in rule.hyperparameters:
        if hyper.name in ahead:
            slots.hyper[Value(hyper.name, Kind.STEP, 1)] = len(slots.hyper)
    for name in (name for each in rule.handed_in for name in (each.name, each.flag)):
        slots.hyper[Value(name, Kind.STEP)] = len(slots.hyper)
    for state in rule.states:
        rows = {Kind.STEP: slots.step_state, Kind.TENSOR: slots.tensor, Kind.ALL: slots.everything}
        if state.kind in rows:
            rows[state.kind][state.name] = len(rows[state.kind])
    for loss in (loss for program in programs for loss in program.system.losses):
        slots.everything.setdefault(loss, len(slots.everything))
    return slots


def _exported(program: Program, slots: Slots) -> None:
    for part in range(program.system.parts):
        for number in exported(program, part):
            slots.scalars.setdefault(number, len(slots.scalars))


def _draws(program: Program) -> bool:
    if rounding_clocks(program.system, list(program.passes)):
        return True
    trees = (tree for stage in program.stages for tree in expressions(stage))
    return any(isinstance(node, Draw) for tree in trees for node in walk(tree))


def _combined(program: Program, everything: dict[str, int], tensor: dict[str, int]) -> None:
    for stage in program.stages:
        if isinstance(stage, Combine):
            computed: tuple[Accumulate | Assignment, ...] = (
                *stage.reductions,
                *stage.assignments,
            )
            for each in computed:
                row = everything if each.kind is Kind.ALL else tensor
                row.setdefault(each.name, len(row))
        elif isinstance(stage, Matrices):
            for each in stage.body:
                if each.kind.is_number:
                    tensor.setdefault(each.name, len(tensor))


def exported(program: Program, part: int) -> list[Number]:
    """Return the numbers of kind STEP that the `Scalars` of this part must leave in `scalars`.

    They are what it computes and others read, and what passes of this part read plainly.
    """
    assigned = {
        each.name: stage.part
        for stage in program.stages
        if isinstance(stage, Scalars)
        for each in stage.assignments
    }
    found: dict[Number, None] = {}
    for stage in program.stages:
        if isinstance(stage, Ask):
            continue
        for number in _step_numbers(expressions(stage)):
            name = number.name if isinstance(number, Value) and number.offset == 0 else ""
            if name in assigned:
                own = assigned[name] == part
                if own and not (isinstance(stage, Scalars) and stage.part == part):
                    found[number] = None
            elif not isinstance(stage, Scalars) and stage.part == part:
                found[number] = None
    passes = [s for s in program.stages if isinstance(s, Pass) and s.part == part]
    found |= dict.fromkeys(rounding_clocks(program.system, passes))
    if program.system.family == "schedule":
        found |= dict.fromkeys(Value(name, Kind.STEP) for name in program.system.outputs)
    return list(found)


def _step_numbers(trees: list[Expression]) -> list[Number]:
    return [
        node
        for tree in trees
        for node in walk(tree)
        if isinstance(node, Value | Clock) and node.kind is Kind.STEP
    ]


def read_ahead(programs: list[Program]) -> set[str]:
    """Return the hyperparameters that are read one step ahead."""
    found = set()
    for program in programs:
        for stage in program.stages:
            for number in _step_numbers(expressions(stage)):
                if isinstance(number, Value) and number.offset == 1:
                    found.add(number.name)
    return found


def uniform_hyperparameters(programs: list[Program]) -> list[str]:
    """Return the hyperparameters that a number for all tensors reads: groups must share them."""
    found: set[str] = set()
    for program in programs:
        defined = {
            each.name: each.expression
            for stage in program.stages
            if isinstance(stage, Scalars)
            for each in stage.assignments
        }
        pending: list[Expression] = [
            each.expression
            for stage in program.stages
            if isinstance(stage, Combine)
            for each in stage.assignments
            if each.kind is Kind.ALL
        ]
        seen: set[str] = set()
        while pending:
            for number in _step_numbers([pending.pop()]):
                if isinstance(number, Value) and number.name not in seen:
                    seen.add(number.name)
                    if number.name in defined:
                        pending.append(defined[number.name])
        found |= seen
    hypers = [each.name for each in programs[0].system.hyperparameters] if programs else []
    return [name for name in hypers if name in found]
