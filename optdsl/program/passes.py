"""Which pass loads, computes and stores what, so that the fewest bytes move.

A state is stored in the earliest pass in which it is known, unless a later pass
needs its old value. What a later pass needs again it reloads where it lies in a
stream already, else computes once more; a buffer is spent only where it saves bytes
or where nothing else will do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

from optdsl.model.expressions import Expression, Kind, Reduce, Value, values
from optdsl.model.system import Equation, System
from optdsl.program.levels import Levels
from optdsl.program.program import Load, Store
from optdsl.program.streams import written_streams

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


def plan_passes(system: System, levels: Levels) -> tuple[list[Loop], frozenset[str]]:
    """Return the loops of a system with named numbers, and the values kept in buffers."""
    planner = _Planner(system, levels)
    best = planner.search()
    return planner.loops(best), best.spilled


class _Planner:
    def __init__(self, system: System, levels: Levels) -> None:
        self.system = system
        self.levels = levels
        self.written = written_streams(system)
        self.equations = {each.name: each for each in system.equations}
        self.gradients = {gradient.name for gradient in system.gradients}
        self.states = {each.name for each in system.states if each.kind is Kind.ENTRY} | {"theta"}
        self.count = levels.end[-1] if levels.end else 0

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
        return value.kind is Kind.ENTRY and name not in self.written

    def _cost(self, choice: Choice) -> float:
        try:
            return sum(loop.moved for loop in self.loops(choice))
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
        self, value: Value, number: int, loop: Loop, choice: Choice, again: bool = False
    ) -> None:
        """Make `value` known in this pass: loaded, or computed from what is."""
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
        if value.offset or value.name not in self.equations or self._level(value) > number:
            raise _ImpossibleError
        for read in values(self.equations[value.name].value):
            self._need(read, number, loop, choice)
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
