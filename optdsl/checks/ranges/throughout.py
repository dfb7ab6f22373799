"""Induction over steps: the ranges that states never leave, and that every value is defined.

The first step is taken from the starts. What it makes of the states is then widened until no later
step leads out of it; a step that is shown to be defined from any states in these ranges
is so whenever it is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from optdsl.checks.ranges import intervals as of
from optdsl.checks.ranges.definite import Definite, definiteness
from optdsl.checks.ranges.intervals import Empty, Interval
from optdsl.checks.ranges.reading import NotProved, Reader
from optdsl.checks.ranges.world import World
from optdsl.model.expressions import Expression, Kind, Value
from optdsl.model.system import System

#: How many expressions are read for one proof.
WORK = 20_000
_ROUNDS = 12
_FIRST, _LATER, _ANY = (
    of.point(Fraction(1)), of.interval(Fraction(2)), of.interval(Fraction(1)),
)  # fmt: skip

Ranges = Mapping[str, "Interval | None"]


def worlds(system: System) -> tuple[World, ...] | None:
    """Return what is known of the first step and of all later ones; None where that is too little.

    A rule with parts that skip steps is looked at in one step of any number: it may be the first
    of one part and a later one of another.
    """
    work = [WORK]
    try:
        return _Induction(system, work).worlds()
    except (NotProved, Empty, RecursionError):
        return None


def defined_throughout(system: System) -> bool:
    """Is it proved that every state, output and point is defined in every step?"""
    return first_unproved(system) is None


def first_unproved(system: System) -> Expression | None:
    """Return the first expression that is not shown to be defined, None where all are."""
    try:
        for world in _Induction(system, [WORK]).worlds():
            reader = Reader(world, [WORK])
            for expression in _asked(system):
                reader.interval(expression)
            for skip in system.skips:
                reader.holds(skip.condition)
    except NotProved as problem:
        return problem.expression
    except (Empty, RecursionError):
        return Value(system.name, Kind.STEP)
    return None


def _asked(system: System) -> list[Expression]:
    """Return what must be defined: what a step hands on, and what it asks."""
    names = [*(state.name for state in system.memory), *system.outputs]
    asked: list[Expression] = [Value(n, system.equation(n).kind) for n in dict.fromkeys(names)]
    asked += [each.point for each in system.gradients if each.point is not None]
    return asked + ([] if system.evaluation is None else [system.evaluation])


class _Induction:
    """Looks for ranges of states that keep themselves."""

    def __init__(self, system: System, work: list[int]) -> None:
        self.system = system
        self.work = work
        self.kinds = {state.name: state.kind for state in system.states}
        if "theta" in system.outputs:
            self.kinds["theta"] = Kind.ENTRY
        self.starts, self.definite = self._begin()

    def worlds(self) -> tuple[World, ...]:
        """Return the worlds in which a step may be."""
        if self.system.skips:
            return (self._settled_at_once(),)
        first = World(self.system, self.starts, _FIRST, self.definite)
        ranges, definite = self._after(first)
        for _ in range(_ROUNDS):
            others = World(self.system, self._begun(ranges), _ANY, self._weaker(definite))
            first = replace(first, before=self._met(ranges), others=others)
            later = World(self.system, ranges, _LATER, definite, others)
            after = [self._after(world) for world in (first, later)]
            wider = _widened(ranges, [each for each, _ in after])
            weaker = _weakest([definite, *(each for _, each in after)])
            if wider == ranges and weaker == definite:
                return first, later
            ranges, definite = wider, weaker
        raise NotProved(Value(self.system.name, Kind.STEP))

    def _settled_at_once(self) -> World:
        ranges, definite = self.starts, self.definite
        for _ in range(_ROUNDS):
            world = World(self.system, ranges, _ANY, definite)
            after, kept = self._after(world)
            wider, weaker = _widened(ranges, [after]), _weakest([definite, kept])
            if wider == ranges and weaker == definite:
                return world
            ranges, definite = wider, weaker
        raise NotProved(Value(self.system.name, Kind.STEP))

    def _begin(self) -> tuple[dict[str, Interval | None], dict[str, Definite]]:
        world = World(self.system, {"theta": of.REALS}, _FIRST)
        reader = Reader(world, self.work)
        ranges: dict[str, Interval | None] = {"theta": of.REALS}
        definite: dict[str, Definite] = {}
        for state in self.system.states:
            if state.name == "theta":
                continue
            ranges[state.name] = None if state.start is None else reader.interval(state.start)
            if state.start is not None and state.kind.is_matrix:
                known = definiteness(state.start, {}, {}, reader.interval)
                definite |= {} if known is None else {state.name: known}
        return ranges, definite

    def _after(self, world: World) -> tuple[dict[str, Interval | None], dict[str, Definite]]:
        reader = Reader(world, self.work)
        ranges: dict[str, Interval | None] = {"theta": of.REALS}
        definite: dict[str, Definite] = {}
        for name, kind in self.kinds.items():
            value = Value(name, kind)
            ranges[name] = reader.interval(value)
            if kind.is_matrix:
                inside = reader.for_all(Kind.TENSOR).interval
                known = definiteness(value, world.equations, world.definite, inside)
                definite |= {} if known is None else {name: known}
        return ranges, definite

    def _begun(self, ranges: Ranges) -> dict[str, Interval | None]:
        """Return the ranges of a tensor that may be at its first step, or at any later one."""
        return {name: _hull(self.starts[name], range_) for name, range_ in ranges.items()}

    def _met(self, ranges: Ranges) -> dict[str, Interval | None]:
        """Return the ranges before the first step of a tensor that may have come late."""
        shared = {name for name, kind in self.kinds.items() if kind is Kind.ALL}
        begun = self._begun(ranges)
        return {name: begun[name] if name in shared else self.starts[name] for name in begun}

    def _weaker(self, definite: Mapping[str, Definite]) -> dict[str, Definite]:
        return _weakest([self.definite, definite])


def _hull(a: Interval | None, b: Interval | None) -> Interval | None:
    return None if a is None or b is None else of.hull(a, b)


def _weakest(all_: list[Mapping[str, Definite]] | list[dict[str, Definite]]) -> dict[str, Definite]:
    """Return what is known of a matrix in every case."""
    names = set.intersection(*(set(each) for each in all_))
    return {
        name: "positive" if all(each[name] == "positive" for each in all_) else "not negative"
        for name in names
    }


def _widened(ranges: Ranges, after: list[dict[str, Interval | None]]) -> dict[str, Interval | None]:
    """Return ranges that hold those after a step, too; an end that moves goes on to 1, 0 or far."""
    found = dict(ranges)
    for each in after:
        for name, range_ in each.items():
            known = found[name]
            if known is None or range_ is None:
                found[name] = None
            elif not of.within(range_, known):
                found[name] = _stretched(known, of.hull(known, range_))
    return found


def _stretched(known: Interval, wider: Interval) -> Interval:
    low, low_open, high, high_open = wider.low, wider.low_open, wider.high, wider.high_open
    if (low, low_open) != (known.low, known.low_open):
        low, low_open = next(
            ((end, low_open and low == end) for end in _STOPS if low >= end), (-of.INFINITY, True)
        )
        low_open |= wider.low > low
    if (high, high_open) != (known.high, known.high_open):
        high, high_open = next(
            ((end, high_open and high == end) for end in reversed(_STOPS) if high <= end),
            (of.INFINITY, True),
        )
        high_open |= wider.high < high
    return of.interval(low, high, low_open, high_open, wider.nonzero)


_STOPS = (Fraction(1), Fraction(0))
