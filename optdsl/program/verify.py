"""Is a program sound? Checked after every step that makes or changes one."""

from __future__ import annotations

from collections.abc import Iterable

from optdsl.model.expressions import (
    Clock,
    Expression,
    Kind,
    Matrix,
    Reduce,
    Value,
    values,
    walk,
)
from optdsl.model.system import System
from optdsl.program.program import (
    Accumulate,
    Ask,
    Combine,
    Guard,
    Load,
    Matrices,
    Pass,
    Program,
    Scalars,
    Store,
)
from optdsl.program.streams import changed_states, sweeps


class InvalidProgramError(Exception):
    """A program that must not run: a mistake of the compiler, never of a spec."""


def verify(program: Program) -> None:
    """Check that every value is defined before it is read and every state moves on once.

    Raises:
        InvalidProgramError: with what is wrong and where.
    """
    _Verifier(program).run()


def verify_system(system: System) -> None:
    """Check that the equations of `system` stand in an order in which each can be computed.

    Raises:
        InvalidProgramError: with what is wrong and where.
    """
    known = {each.name for each in system.hyperparameters} | {*system.inputs, *system.flags}
    states = {each.name for each in system.states} | {"theta"}
    points = {each.name: each.point for each in system.gradients}
    losses = system.losses
    defined: set[str] = set()
    part = 0

    def require(holds: bool, message: str) -> None:
        if not holds:
            raise InvalidProgramError(f"{system.name}: {message}")

    def read(reader: str, expression: Expression) -> None:
        for value in values(expression):
            if value.name in losses and value.offset == 0:
                value = Value(losses[value.name], Kind.ENTRY)
            if value.offset < 0:
                require(value.name in states, f"`{reader}` reads the past of `{value.name}`")
            elif value.name in points and value.name not in defined:
                defined.add(value.name)
                point = points[value.name]
                if point is not None:
                    read(value.name, point)
            else:
                require(value.name in known | defined, f"`{reader}` reads `{value.name}` too early")

    for equation in system.equations:
        require(equation.part >= part, f"`{equation.name}` belongs to an earlier part")
        part = equation.part
        require(equation.name not in defined, f"`{equation.name}` is defined twice")
        read(equation.name, equation.value)
        defined.add(equation.name)
    for skip in system.skips:
        read("skip", skip.condition)


class _Verifier:
    def __init__(self, program: Program) -> None:
        self.program = program
        system = program.system
        self.numbers = {Value(each.name, Kind.STEP) for each in system.hyperparameters}
        self.numbers |= {Value(each.name, Kind.STEP, 1) for each in system.hyperparameters}
        self.numbers |= {Value(name, Kind.STEP) for name in (*system.inputs, *system.flags)}
        self.numbers |= {
            Value(each.name, each.kind, -1) for each in system.states if each.kind.is_number
        }
        self.streams: dict[str, Value | None] = dict.fromkeys(program.buffers)
        for state in system.states:
            if not state.kind.is_number:
                self.streams[state.name] = Value(state.name, state.kind, -1)
        if system.family != "schedule":
            self.streams["theta"] = Value("theta", Kind.ENTRY, -1)
        for gradient in system.gradients:
            given = program.mode != "function" or gradient.point is None
            self.streams[gradient.name] = Value(gradient.name, Kind.ENTRY) if given else None
            if given and gradient.loss is not None:
                self.numbers.add(Value(gradient.loss, Kind.ALL))
        self.stored: set[str] = set()
        self.assigned: set[str] = set()
        self.pending: tuple[Accumulate, ...] = ()
        self.unfolded: set[Accumulate] = set()
        self.part = 0
        self.guarded = -1
        self.passes = 0
        self.where = "the program"

    def run(self) -> None:
        for position, stage in enumerate(self.program.stages):
            self.where = f"stage {position + 1} ({type(stage).__name__})"
            match stage:
                case Scalars():
                    self._scalars(stage)
                case Pass():
                    self._pass(stage)
                case Combine():
                    self._combine(stage)
                case Matrices():
                    self._matrices(stage)
                case Ask():
                    self._ask(stage)
                case Guard():
                    self._guard(stage)
        self.where = "the end"
        self._require(not self.pending and not self.unfolded, "a reduction is never combined")
        if self.program.moves:
            self._every_state_moved_on()

    def _require(self, holds: bool, message: str) -> None:
        if not holds:
            name, mode = self.program.system.name, self.program.mode
            raise InvalidProgramError(f"{name}, mode {mode}, {self.where}: {message}")

    def _enter(self, part: int) -> None:
        self._require(part >= self.part, f"part {part} comes after part {self.part}")
        self._require(
            part == 0 or self.guarded >= part - 1 or not self.program.moves,
            f"part {part} runs without the guard of part {part - 1}",
        )
        self.part = part

    # ------------------------------------------------------------------ stages

    def _scalars(self, stage: Scalars) -> None:
        self._enter(stage.part)
        for assignment in stage.assignments:
            self._require(assignment.kind is Kind.STEP, f"`{assignment.name}` is not of kind STEP")
            self._reads(assignment.expression, set(), clocks=(stage.part,))
            self._define(assignment.name, Kind.STEP)

    def _combine(self, stage: Combine) -> None:
        self._enter(stage.part)
        self._require(
            stage.reductions == self.pending,
            "it does not combine exactly the reductions of the pass before it",
        )
        self.pending = ()
        for reduction in stage.reductions:
            self._define(reduction.name, reduction.kind)
        for assignment in stage.assignments:
            number = assignment.kind in (Kind.ALL, Kind.TENSOR)
            self._require(number, f"`{assignment.name}` is of kind {assignment.kind.name}")
            self._reads(assignment.expression, set())
            self._define(assignment.name, assignment.kind)

    def _matrices(self, stage: Matrices) -> None:
        self._enter(stage.part)
        local: set[Value] = set()
        for fold in stage.folds:
            self._require(fold in self.unfolded, f"`{fold.name}` is not reduced before it is used")
            self.unfolded.discard(fold)
            local.add(Value(fold.name, fold.kind))
        local |= self._loaded(stage.loads)
        for assignment in stage.body:
            self._reads(assignment.expression, local, reductions=True)
            new = Value(assignment.name, assignment.kind)
            if new.kind.is_number:
                self._require(new.kind is Kind.TENSOR, f"`{new.name}` is of kind {new.kind.name}")
                self._define(new.name, new.kind)
            else:
                self._require(new not in local, f"`{new.name}` is computed twice")
                local.add(new)
        self._stores(stage.stores, local)

    def _ask(self, stage: Ask) -> None:
        name = stage.gradient
        known = {gradient.name: gradient for gradient in self.program.system.gradients}
        self._require(name in known, f"`{name}` is not a gradient")
        self._require(self.program.mode == "function", f"`{name}` is handed in, not asked for")
        self._require(self.streams[name] is None, f"`{name}` is asked for twice")
        point = self.streams.get(stage.point)
        self._require(point is not None, f"the point `{stage.point}` is not written yet")
        if stage.point == "theta":
            self._require("theta" not in self.stored, "theta has moved on before the gradient")
        self.streams[name] = Value(name, Kind.ENTRY)
        loss = known[name].loss
        if loss is not None:
            self.numbers.add(Value(loss, Kind.ALL))

    def _guard(self, stage: Guard) -> None:
        self._enter(stage.part)
        self._require(self.guarded < stage.part, f"part {stage.part} is guarded twice")
        self._require(not self.pending, "a reduction is not combined before the guard")
        kind = stage.condition.kind
        self._require(kind.is_number, f"its condition is of kind {kind.name}")
        self._reads(stage.condition, set())
        self.guarded = stage.part

    def _pass(self, stage: Pass) -> None:
        self._enter(stage.part)
        self.passes += 1
        self._require(stage.number == self.passes, f"pass {stage.number} is number {self.passes}")
        waiting = self.pending or self.unfolded
        self._require(not waiting, "the reductions of the pass before are not combined")
        local = self._loaded((*stage.loads, *stage.vectors))
        for assignment in stage.body:
            self._reads(assignment.expression, local, clocks=(stage.part,))
            new = Value(assignment.name, Kind.ENTRY)
            self._require(new not in local, f"`{assignment.name}` is computed twice")
            local.add(new)
        for reduction in stage.reductions:
            for argument in reduction.arguments:
                self._reads(argument, local, clocks=(stage.part,))
        self._stores(stage.stores, local)
        self.pending = tuple(each for each in stage.reductions if each.kind.is_number)
        self.unfolded = {each for each in stage.reductions if not each.kind.is_number}

    def _loaded(self, loads: tuple[Load, ...]) -> set[Value]:
        local: set[Value] = set()
        for load in loads:
            self._require(load.stream in self.streams, f"`{load.stream}` is no stream")
            held = self.streams[load.stream]
            self._require(held == load.value, f"`{load.stream}` holds {held}, not {load.value}")
            self._require(load.value not in local, f"`{load.stream}` is loaded twice")
            local.add(load.value)
        return local

    def _stores(self, stores: tuple[Store, ...], local: set[Value]) -> None:
        gradients = {gradient.name for gradient in self.program.system.gradients}
        states = {each.name for each in self.program.system.states} | {"theta"}
        for store in stores:
            stream, value = store.stream, store.value
            self._require(stream in self.streams, f"`{stream}` is no stream")
            self._require(stream not in gradients, f"the gradient `{stream}` is written")
            self._require(stream not in self.stored, f"`{stream}` is stored twice")
            self._require(value in local, f"{value} is stored but not known in this pass")
            own = value == Value(stream, value.kind)
            self._require(stream not in states or own, f"`{stream}` is given another value")
            self.stored.add(stream)
            self.streams[stream] = value

    # ------------------------------------------------------------------- reads

    def _reads(
        self,
        expression: Expression,
        local: Iterable[Value],
        clocks: tuple[int, ...] = (),
        reductions: bool = False,
    ) -> None:
        for node in walk(expression):
            match node:
                case Value(_, kind) if not kind.is_number:
                    self._require(node in local, f"{_show(node)} is read but not loaded here")
                case Value():
                    self._require(node in self.numbers, f"{_show(node)} is read before it is known")
                case Clock(part):
                    self._require(part in clocks, f"t of part {part} is not known here")
                case Matrix(operator):
                    self._require(reductions, f"a {operator} of matrices stands in a loop")
                case Reduce(operator):
                    self._require(
                        reductions and not sweeps(node),
                        f"a reduction ({operator}) stands inside an expression",
                    )

    def _define(self, name: str, kind: Kind) -> None:
        self._require(name not in self.assigned, f"`{name}` is computed twice")
        self.assigned.add(name)
        self.numbers.add(Value(name, kind))
        state = any(each.name == name for each in self.program.system.states)
        if state and kind is not Kind.STEP:
            self.numbers.discard(Value(name, kind, -1))

    def _every_state_moved_on(self) -> None:
        for kind in (Kind.STEP, Kind.ALL, Kind.TENSOR):
            for state in changed_states(self.program.system, kind):
                self._require(state.name in self.assigned, f"`{state.name}` does not move on")
        for kind in Kind:
            for state in () if kind.is_number else changed_states(self.program.system, kind):
                self._require(state.name in self.stored, f"`{state.name}` is not stored")
        for output in self.program.system.outputs:
            known = output in self.stored | self.assigned or f"given_{output}" in self.stored
            self._require(known, f"`{output}` is not given")


def _show(value: Value) -> str:
    return value.name if value.offset == 0 else f"{value.name}[t{value.offset:+d}]"
