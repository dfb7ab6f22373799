"""Which pass loads, computes and stores what, so that the fewest bytes move.

A state is stored in the earliest pass in which it is known, unless a later pass
needs its old value. What a later pass needs again it reloads where it lies in a
stream already, else computes once more; a buffer is spent only where it saves bytes
or where nothing else will do.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import product

from optdsl.model.expressions import Expression, Kind, Reduce, Value, values
from optdsl.model.system import Equation, System
from optdsl.program.between import Group, groups_between
from optdsl.program.levels import Levels
from optdsl.program.program import Load, Store
from optdsl.program.streams import made_of_matrices, sweeps, written_streams

#: More combinations of passes than this are searched one state at a time.
SEARCHED = 5000


@dataclass
class Loop:
    """What one pass does: streams read, equations computed, streams written."""

    loads: dict[Load, None] = field(default_factory=dict)
    computed: set[str] = field(default_factory=set)
    stores: dict[Store, None] = field(default_factory=dict)

    @property
    def moved(self) -> int:
        """How many numbers an entry moves to and from memory."""
        return len(self.loads) + len(self.stores)


@dataclass(frozen=True)
class Choice:
    """In which pass each stream is stored, and which values wait in buffers between passes."""

    stored: dict[str, int]
    spilled: frozenset[str] = frozenset()


class _ImpossibleError(Exception):
    """A value is needed in a pass in which it cannot be had."""


@dataclass(frozen=True)
class Planned:
    """The loops of the passes, and the values kept in buffers.

    `between` has, by part and by the pass that follows, what each stage that works on
    matrices loads and computes entry by entry.
    """

    loops: list[Loop]
    between: dict[tuple[int, int], list[Loop]]
    spilled: frozenset[str]


def plan_passes(system: System, levels: Levels) -> Planned:
    """Return the plan of a system with named numbers that moves the fewest bytes."""
    planner = _Planner(system, levels)
    best = planner.search()
    return Planned(planner.loops(best), planner.between(best), best.spilled)


class _Planner:
    def __init__(self, system: System, levels: Levels) -> None:
        self.system = system
        self.levels = levels
        self.written = written_streams(system)
        self.equations = {each.name: each for each in system.equations}
        self.gradients = {gradient.name for gradient in system.gradients}
        self.states = {each.name for each in system.states if each.kind is Kind.ENTRY} | {"theta"}
        self.count = levels.end[-1] if levels.end else 0
        self.made = {each.name for each in system.equations if made_of_matrices(each, self.written)}
        self.groups = {
            (part, number): [
                each for each in groups_between(system, levels, part, number) if each.matrices
            ]
            for part, base in enumerate(levels.base)
            for number in range(base, levels.end[part] + 1)
        }

    # ---------------------------------------------------------------- choices

    def search(self) -> Choice:
        """Return the choice that moves the fewest bytes, the earliest stores among equals."""
        best = self._best_stores(frozenset())
        cost = self._cost(best)
        candidates = [name for name in self.equations if self._may_spill(name)]
        improved = self.count > 1
        while improved:
            improved = False
            for name in candidates:
                if name in best.spilled:
                    continue
                choice = self._best_stores(best.spilled | {name})
                if self._cost(choice) < cost:
                    best, cost, improved = choice, self._cost(choice), True
        if cost == float("inf"):
            best = self._best_stores(frozenset(candidates))
        return best

    def _best_stores(self, spilled: frozenset[str]) -> Choice:
        ranges = {stream: self._range(stream) for stream in self.written}
        size = 1
        for passes in ranges.values():
            size *= len(passes)
        if size <= SEARCHED:
            choices = (
                Choice(dict(zip(ranges, stored, strict=True)), spilled)
                for stored in product(*ranges.values())
            )
            return min(choices, key=self._cost)
        return self._one_at_a_time(ranges, spilled)

    def _one_at_a_time(self, ranges: dict[str, range], spilled: frozenset[str]) -> Choice:
        best = Choice({stream: passes[-1] for stream, passes in ranges.items()}, spilled)
        for stream, passes in ranges.items():
            choices = [Choice(best.stored | {stream: each}, spilled) for each in passes]
            best = min(choices, key=self._cost)
        return best

    def _range(self, stream: str) -> range:
        value = self.written[stream]
        first = self.levels.value[value.name]
        last = self.levels.end[self.equations[value.name].part]
        return range(first, last if stream in self.states else first + 1)

    def _may_spill(self, name: str) -> bool:
        value = self.equations[name].value
        return value.kind is Kind.ENTRY and name not in self.written and name not in self.made

    def _cost(self, choice: Choice) -> float:
        try:
            between = [loop for loops in self.between(choice).values() for loop in loops]
            return sum(loop.moved for loop in (*self.loops(choice), *between))
        except _ImpossibleError:
            return float("inf")

    # ------------------------------------------------------------------ loops

    def loops(self, choice: Choice) -> list[Loop]:
        """Return every pass under this choice; raises where a value cannot be had."""
        loops = [Loop() for _ in range(self.count)]
        for number, loop in enumerate(loops):
            for root in self._reduced_in(number):
                for value in values(root):
                    self._need(value, number, loop, choice)
            for stream, passed in choice.stored.items():
                if passed == number:
                    self._store(stream, self.written[stream], number, loop, choice)
            for name in sorted(choice.spilled):
                if self.levels.value[name] == number:
                    self._store(name, Value(name, Kind.ENTRY), number, loop, choice)
        return loops

    def between(self, choice: Choice) -> dict[tuple[int, int], list[Loop]]:
        """Return what each stage of matrices loads; raises where a value cannot be had."""
        return {
            (part, number): [self._loaded_for(group, number, choice) for group in groups]
            for (part, number), groups in self.groups.items()
        }

    def _loaded_for(self, group: Group, number: int, choice: Choice) -> Loop:
        loop = Loop()
        for equation in group.equations:
            for value in [] if sweeps(equation.value) else values(equation.value):
                self._need(value, number, loop, choice, local=group.names)
        return loop

    def _reduced_in(self, number: int) -> list[Reduce]:
        reductions = []
        for name, passed in self.levels.reduced.items():
            value = self.equations[name].value
            if passed == number and isinstance(value, Reduce):
                reductions.append(value)
        return reductions

    def _store(self, stream: str, value: Value, number: int, loop: Loop, choice: Choice) -> None:
        self._need(value, number, loop, choice, again=True)
        loop.stores[Store(stream, value)] = None

    def _need(
        self,
        value: Value,
        number: int,
        loop: Loop,
        choice: Choice,
        again: bool = False,
        local: Collection[str] = (),
    ) -> None:
        """Make `value` known in this pass: loaded, or computed from what is, or `local`."""
        if value.offset == 0 and value.name in local:
            return
        if value.kind is not Kind.ENTRY:
            if value.offset == 0 and self._level(value) > number:
                raise _ImpossibleError
            return
        if value.name in loop.computed and value.offset == 0:
            return
        stream = self._stream_of(value, number, choice)
        if stream is not None and not again:
            loop.loads[Load(stream, value)] = None
            return
        known = value.name in self.equations and value.name not in self.made
        if value.offset or not known or self._level(value) > number:
            raise _ImpossibleError
        for read in values(self.equations[value.name].value):
            self._need(read, number, loop, choice, local=local)
        loop.computed.add(value.name)

    def _level(self, value: Value) -> int:
        return self.levels.value.get(value.name, 0)

    def _stream_of(self, value: Value, number: int, choice: Choice) -> str | None:
        """Return the stream that holds `value` when this pass begins."""
        name = value.name
        if name in self.gradients and value.offset == 0:
            return name if self.levels.asked.get(name, 0) <= number else None
        if value.offset == -1:
            return name if choice.stored.get(name, self.count) >= number else None
        if name in self.made:
            return name if self._level(value) <= number else None
        stored = choice.stored.get(name)
        if stored is None and name in choice.spilled:
            stored = self.levels.value[name]
        return name if stored is not None and stored < number else None


def reads(expression: Expression | None) -> list[Value]:
    """Return the values of kind ENTRY that `expression` reads."""
    if expression is None:
        return []
    return [value for value in values(expression) if value.kind is Kind.ENTRY]


def in_order(system: System, loop: Loop) -> list[Equation]:
    """Return the equations that `loop` computes, in an order in which they can be."""
    return [equation for equation in system.equations if equation.name in loop.computed]
