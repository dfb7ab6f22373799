"""From planned passes to the stages of a program, in the order in which they run."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from optdsl.model.expressions import Expression, Kind, Reduce, Value, transform, values
from optdsl.model.system import Equation, System
from optdsl.program.hoisting import Named
from optdsl.program.levels import Levels, find_levels
from optdsl.program.naming import Names
from optdsl.program.passes import Loop, in_order, plan_passes
from optdsl.program.program import (
    Accumulate,
    Ask,
    Assignment,
    Combine,
    Guard,
    Pass,
    Program,
    Scalars,
    Stage,
)
from optdsl.program.streams import (
    THETA_BEFORE,
    changed_states,
    output_buffer,
    part_count,
    written_streams,
)

Mode = Literal["ready", "function", "iterate", "evaluate"]


def arrange(author: System, named: Named, mode: Mode) -> Program:
    """Return the program of a system with named numbers; `author` is what it came from."""
    levels = find_levels(named.system, written_streams(named.system))
    loops, spilled = plan_passes(named.system, levels)
    stages: list[Stage] = []
    for part in range(part_count(named.system)):
        stages += _Part(named, levels, loops, mode, part).stages()
    return Program(author, mode, tuple(keep_old_numbers(named.system, stages)),
                   _buffers(named.system, spilled))  # fmt: skip


def _buffers(system: System, spilled: frozenset[str]) -> tuple[str, ...]:
    points = [each.point.name for each in system.gradients if isinstance(each.point, Value)]
    buffers = [name for name in points if name != "theta"] + sorted(spilled)
    output = output_buffer(system)
    return tuple(buffers if output is None else [*buffers, output])


class _Part:
    """The stages of one part of a rule."""

    def __init__(
        self, named: Named, levels: Levels, loops: list[Loop], mode: Mode, part: int
    ) -> None:
        self.named = named
        self.levels = levels
        self.loops = loops
        self.mode = mode
        self.part = part
        self.entries = set(written_streams(named.system))
        self.equations = [each for each in named.system.equations if each.part == part]

    def stages(self) -> list[Stage]:
        base, end = self.levels.base[self.part], self.levels.end[self.part]
        stages: list[Stage] = [*self._scalars(), *self._asks(base), *self._combine(base)]
        for number in range(base, end):
            stages.append(self._pass(number))
            stages += self._between(number + 1)
        return stages + self._guards()

    def _between(self, number: int) -> list[Stage]:
        """Return what stands before pass `number`: a loss must be there before it is read."""
        combine, asks = self._combine(number), self._asks(number)
        losses = self.named.system.losses.values()
        if any(isinstance(ask, Ask) and ask.gradient in losses for ask in asks):
            return [*asks, *combine]
        return [*combine, *asks]

    def _scalars(self) -> list[Stage]:
        step = [each for each in self.equations if self._kind(each) is Kind.STEP]
        assignments = tuple(self._assignment(each) for each in step)
        return [Scalars(self.part, assignments)] if assignments else []

    def _combine(self, number: int) -> list[Stage]:
        """Return what is computed between pass `number - 1` and the one that follows."""
        reductions = self._reductions(number - 1)
        assignments = tuple(
            self._assignment(each)
            for each in self.equations
            if self._kind(each) in (Kind.ALL, Kind.TENSOR)
            and self.levels.value[each.name] == number
            and not isinstance(each.value, Reduce)
        )
        if not reductions and not assignments:
            return []
        return [Combine(self.part, reductions, assignments)]

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
        loop = self.loops[number]
        return Pass(
            number=number + 1,
            part=self.part,
            loads=tuple(sorted(loop.loads, key=lambda load: self._order(load.stream))),
            body=tuple(self._assignment(each) for each in in_order(self.named.system, loop)),
            stores=tuple(sorted(loop.stores, key=lambda store: self._order(store.stream))),
            reductions=self._reductions(number),
        )

    def _reductions(self, number: int) -> tuple[Accumulate, ...]:
        """Return the reductions that pass `number` of this part runs."""
        found = []
        for each in self.equations:
            value = each.value
            if isinstance(value, Reduce) and self.levels.reduced[each.name] == number:
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


def keep_old_numbers(system: System, stages: list[Stage]) -> list[Stage]:
    """Copy a state of kind ALL or TENSOR before it moves on, where its old value is read later."""
    names = Names({each.name for each in system.equations})
    for kind in (Kind.ALL, Kind.TENSOR):
        for state in changed_states(system, kind):
            old = Value(state.name, kind, -1)
            stages = _keep(stages, state.name, old, Value(f"last_{state.name}", kind), names)
    return stages


def _keep(stages: list[Stage], name: str, old: Value, copy: Value, names: Names) -> list[Stage]:
    place = next(
        i
        for i, stage in enumerate(stages)
        if isinstance(stage, Combine) and _position(stage, name) is not None
    )
    combine = stages[place]
    assert isinstance(combine, Combine)
    position = _position(combine, name)
    assert position is not None
    behind = combine.assignments[position + 1 :]
    if not any(_reads(each, old) for each in (*behind, *stages[place + 1 :])):
        return stages
    copy = replace(copy, name=names.fresh(copy.name))
    kept = Assignment(copy.name, old, f"{name}[t-1]")
    moved = tuple(_substituted(each, old, copy) for each in behind)
    before = combine.assignments[: position + 1]
    changed = replace(combine, assignments=(*before[:-1], kept, before[-1], *moved))
    later = [_substituted_stage(stage, old, copy) for stage in stages[place + 1 :]]
    return [*stages[:place], changed, *later]


def _position(combine: Combine, name: str) -> int | None:
    found = [i for i, each in enumerate(combine.assignments) if each.name == name]
    return found[0] if found else None


def _reads(item: Stage | Assignment, old: Value) -> bool:
    return any(old in values(expression) for expression in expressions(item))


def expressions(item: Stage | Assignment) -> list[Expression]:
    """Return every expression that a stage or an assignment evaluates."""
    match item:
        case Assignment(_, expression):
            return [expression]
        case Scalars(_, assignments):
            return [each.expression for each in assignments]
        case Pass(body=body, reductions=reductions):
            return [each.expression for each in body] + _arguments(reductions)
        case Combine(_, reductions, assignments):
            return [each.expression for each in assignments]
        case Guard(_, condition):
            return [condition]
    return []


def _arguments(reductions: tuple[Accumulate, ...]) -> list[Expression]:
    found = [each.argument for each in reductions]
    return found + [each.other for each in reductions if each.other is not None]


def _substituted(assignment: Assignment, old: Value, new: Value) -> Assignment:
    expression = transform(assignment.expression, lambda node: new if node == old else None)
    return replace(assignment, expression=expression)


def _substituted_stage(stage: Stage, old: Value, new: Value) -> Stage:
    def swap(node: Expression) -> Expression | None:
        return new if node == old else None

    match stage:
        case Combine(assignments=assignments):
            moved = tuple(_substituted(each, old, new) for each in assignments)
            return replace(stage, assignments=moved)
        case Pass(body=body, reductions=reductions):
            changed = tuple(
                replace(
                    each,
                    argument=transform(each.argument, swap),
                    other=None if each.other is None else transform(each.other, swap),
                )
                for each in reductions
            )
            return replace(
                stage,
                body=tuple(_substituted(each, old, new) for each in body),
                reductions=changed,
            )
        case Guard(_, condition):
            return replace(stage, condition=new if condition == old else condition)
    return stage
