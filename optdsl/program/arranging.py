"""From planned passes to the stages of a program, in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from optdsl.model.expressions import Kind, Reduce, Value, values
from optdsl.model.system import Equation, System
from optdsl.program.between import Group, groups_between
from optdsl.program.hoisting import Named
from optdsl.program.keeping import keep_old
from optdsl.program.levels import Levels, find_levels
from optdsl.program.passes import Loop, Planned, in_order, plan_passes
from optdsl.program.program import (
    Accumulate,
    Ask,
    Assignment,
    Combine,
    Guard,
    Load,
    Matrices,
    Mode,
    Pass,
    Program,
    Scalars,
    Stage,
    Store,
    shaped_name,
)
from optdsl.program.streams import (
    THETA_BEFORE,
    changed_states,
    made_of_matrices,
    output_buffer,
    part_count,
    written_streams,
)


def arrange(author: System, named: Named, mode: Mode) -> Program:
    """Return the program of a system with named numbers; `author` is what it came from."""
    levels = find_levels(named.system, written_streams(named.system))
    plan = plan_passes(named.system, levels)
    stages: list[Stage] = []
    for part in range(part_count(named.system)):
        stages += _Part(named, levels, plan, mode, part).stages()
    stages = keep_old(named.system, exported(named.system, stages))
    shaped = tuple(_shaped(named.system, stages).items())
    buffers = dict.fromkeys((*_buffers(named.system, plan.spilled), *_made(stages), *dict(shaped)))
    buffers = dict.fromkeys(name for name in buffers if name not in _states(named.system))
    return Program(author, mode, tuple(stages), tuple(buffers), shaped)


def _states(system: System) -> set[str]:
    return {state.name for state in system.states}


def _buffers(system: System, spilled: frozenset[str]) -> list[str]:
    points = [each.point.name for each in system.gradients if isinstance(each.point, Value)]
    buffers = [name for name in points if name != "theta"] + sorted(spilled)
    output = output_buffer(system)
    return buffers if output is None else [*buffers, output]


def _made(stages: list[Stage]) -> list[str]:
    stores = [store for each in stages if isinstance(each, Matrices) for store in each.stores]
    return [store.stream for store in stores if store.value.kind is Kind.ENTRY]


def _shaped(system: System, stages: list[Stage]) -> dict[str, Kind]:
    """Return the buffers that have another kind than ENTRY."""
    shaped: dict[str, Kind] = {}
    for stage in stages:
        if isinstance(stage, Pass):
            folded = [each for each in stage.reductions if not each.kind.is_number]
            shaped |= {each.partial: each.kind for each in folded}
        elif isinstance(stage, Matrices):
            shaped |= {s.stream: s.value.kind for s in stage.stores if s.value.kind is not
                       Kind.ENTRY and s.stream not in _states(system)}  # fmt: skip
    return shaped


class _Part:
    """The stages of one part of a rule."""

    def __init__(self, named: Named, levels: Levels, plan: Planned, mode: Mode, part: int) -> None:
        self.named = named
        self.levels = levels
        self.plan = plan
        self.mode = mode
        self.part = part
        self.entries = set(written_streams(named.system))
        self.equations = [each for each in named.system.equations if each.part == part]

    def stages(self) -> list[Stage]:
        base, end = self.levels.base[self.part], self.levels.end[self.part]
        stages: list[Stage] = [*self._scalars(), *self._between(base)]
        for number in range(base, end):
            stages.append(self._pass(number))
            stages += self._between(number + 1)
        return stages + self._guards()

    def _scalars(self) -> list[Stage]:
        step = [each for each in self.equations if self._kind(each) is Kind.STEP]
        assignments = tuple(self._assignment(each) for each in step)
        return [Scalars(self.part, assignments)] if assignments else []

    def _between(self, number: int) -> list[Stage]:
        """Return what is done between pass `number - 1` and the one that follows.

        A loss must be there before it is read, so its gradient is asked for first; so is one
        that the first pass reads, whose arrays all stages before it share.
        """
        numbers, *later = groups_between(self.named.system, self.levels, self.part, number)
        begun = self._reductions(number - 1)
        reductions = tuple(each for each in begun if each.kind.is_number)
        folds = {each.name: each for each in begun if not each.kind.is_number}
        assignments = tuple(map(self._assignment, numbers.equations))
        stages: list[Stage] = []
        if reductions or assignments:
            stages.append(Combine(self.part, reductions, assignments))
        asks = self._asks(number)
        losses = self.named.system.losses.values()
        early = number == self.levels.base[self.part] or any(
            isinstance(ask, Ask) and ask.gradient in losses for ask in asks
        )
        stages = [*asks, *stages] if early else [*stages, *asks]
        loops = iter(self.plan.between[self.part, number])
        for group in later:
            if group.matrices:
                stages.append(self._matrices(group, number, next(loops), folds))
            else:
                moved = tuple(map(self._assignment, group.equations))
                stages.append(Combine(self.part, (), moved))
        return stages

    def _matrices(
        self, group: Group, number: int, loop: Loop, folds: dict[str, Accumulate]
    ) -> Matrices:
        """Return one stage of matrices; what it stores is known when all stages are."""
        named = group.names - set(folds)
        computed = replace(loop, computed=loop.computed | named)
        equations = in_order(self.named.system, computed)
        arrays = [
            read
            for each in equations
            for read in values(each.value)
            if not read.kind.is_number and read.kind is not Kind.ENTRY
            and (read.offset or read.name not in group.names)
        ]  # fmt: skip
        loads = dict.fromkeys([*loop.loads, *map(self._array, arrays)])
        folded = tuple(folds[each.name] for each in group.equations if each.name in folds)
        body = tuple(map(self._assignment, equations))
        return Matrices(number + 1, self.part, folded, self._sorted(loads), body, ())

    def _array(self, value: Value) -> Load:
        return Load(stream_of(self.named.system, value), value)

    def _sorted(self, loads: Iterable[Load]) -> tuple[Load, ...]:
        return tuple(sorted(loads, key=lambda load: self._order(load.stream)))

    def _asks(self, number: int) -> list[Stage]:
        if self.mode != "function":
            return []
        asks: list[Stage] = []
        for gradient in self.named.system.gradients:
            asked = self.levels.asked.get(gradient.name)
            if gradient.part != self.part or asked != number or gradient.point is None:
                continue
            at_theta = gradient.point == THETA_BEFORE
            assert isinstance(gradient.point, Value)
            asks.append(Ask(gradient.name, "theta" if at_theta else gradient.point.name))
        return asks

    def _guards(self) -> list[Stage]:
        return [
            Guard(self.part, skip.condition)
            for skip in self.named.system.skips
            if skip.part == self.part and isinstance(skip.condition, Value)
        ]

    def _pass(self, number: int) -> Pass:
        loop = self.plan.loops[number]
        equations = in_order(self.named.system, loop)
        reductions = self._reductions(number)
        reads = [read for each in equations for read in values(each.value)]
        reads += [read for each in reductions for tree in each.arguments for read in values(tree)]
        vectors = [each for each in reads if each.kind in (Kind.ROW, Kind.COLUMN)]
        return Pass(
            number=number + 1,
            part=self.part,
            loads=self._sorted(loop.loads),
            body=tuple(map(self._assignment, equations)),
            stores=tuple(sorted(loop.stores, key=lambda store: self._order(store.stream))),
            reductions=reductions,
            vectors=self._sorted(dict.fromkeys(map(self._array, vectors))),
        )

    def _reductions(self, number: int) -> tuple[Accumulate, ...]:
        """Return the reductions that pass `number` of this part runs."""
        found = []
        for each in self.equations:
            value = each.value
            if isinstance(value, Reduce) and self.levels.reduced.get(each.name) == number:
                comment = self.named.comments.get(each.name, "")
                found.append(
                    Accumulate(
                        each.name, value.operator, value.argument, value.kind, value.other, comment
                    )
                )
        return tuple(found)

    def _assignment(self, equation: Equation) -> Assignment:
        comment = self.named.comments.get(equation.name, "")
        return Assignment(equation.name, equation.value, comment)

    def _kind(self, equation: Equation) -> Kind:
        return Kind.ENTRY if equation.name in self.entries else equation.value.kind

    def _order(self, stream: str) -> int:
        """Parameters first, then gradients, states and buffers, as the system lists them."""
        system = self.named.system
        streams = ["theta", *(each.name for each in system.gradients)]
        streams += [state.name for state in system.states]
        return streams.index(stream) if stream in streams else len(streams)


def exported(system: System, stages: list[Stage]) -> list[Stage]:
    """Let each stage of matrices store the states it moves on, and what others read of it."""
    changed = {state.name for kind in Kind for state in changed_states(system, kind)}
    written = written_streams(system)
    made = {each.name for each in system.equations if made_of_matrices(each, written)}
    read = {load.value for stage in stages for load in _loaded(stage)}
    moved: list[Stage] = []
    for stage in stages:
        if isinstance(stage, Matrices):
            known = [Value(each.name, each.kind) for each in stage.folds]
            known += [Value(each.name, each.kind) for each in stage.body]
            stores = tuple(
                Store(stream_of(system, each), each)
                for each in known
                if (each in read and (each.name in made or each.kind.is_matrix))
                or (each.name in changed and each.kind.is_matrix)
            )
            stage = replace(stage, stores=stores)
        moved.append(stage)
    return moved


def stream_of(system: System, value: Value) -> str:
    """Return the array that holds a value: a state's own, or a buffer for values of its kind."""
    return value.name if value.name in _states(system) else shaped_name(value.name, value.kind)


def _loaded(stage: Stage) -> tuple[Load, ...]:
    match stage:
        case Pass(loads=loads, vectors=vectors):
            return (*loads, *vectors)
        case Matrices(loads=loads):
            return loads
    return ()
