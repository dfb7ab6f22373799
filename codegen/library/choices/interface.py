"""Rules that choose between others tensor by tensor, as C sees them.

Every rule is a case, and has an interface of its own; all share the records of one that is made of
all of them. A tensor says by its field `which` in which case it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from optdsl.codegen.cases import CasesUnit
from optdsl.codegen.library.interface import Choice, Interface, Record
from optdsl.codegen.slots import Slots
from optdsl.codegen.support.emitting import load, word
from optdsl.codegen.unit import Unit
from optdsl.model.alternatives import Alternatives, Case
from optdsl.model.expressions import Expression
from optdsl.model.system import Hyperparameter
from optdsl.program.cases import AskTogether, CasesProgram, InCase
from optdsl.program.describing import equations_text
from optdsl.program.program import Guard, Pass, Program


@dataclass(frozen=True)
class _Merged(Unit):
    """The units of all cases as one: their arrays, their numbers, and nothing to run."""

    units: tuple[Unit, ...] = ()

    @cached_property
    def programs(self) -> list[Program]:
        """The programs of all cases."""
        return [program for unit in self.units for program in unit.programs]


@dataclass(frozen=True)
class ChoiceInterface(Interface):
    """What the cases of a rule share: its records and functions."""

    lowered: CasesUnit | None = None

    @property
    def rule(self) -> Alternatives:
        """The rule that chooses."""
        assert self.lowered is not None
        return self.lowered.rule

    @cached_property
    def groups(self) -> list[tuple[int, ...]]:
        """The cases that follow one another, for the same tensors; a case that stays is alone."""
        return groups_of(self.rule)

    def group(self, case: int) -> int:
        """Return the number of the group of a case."""
        return next(number for number, group in enumerate(self.groups) if case in group)

    @cached_property
    def guarded(self) -> bool:
        """Do the tensors of some cases rest in some steps?"""
        return any(
            isinstance(stage, Guard) for program in self.programs for stage in program.stages
        )

    @property
    def now(self) -> int:
        """How many words of a run say which of several rules is taken now."""
        return len(self.groups) if self.rule.timed else 0

    @property
    def clocks(self) -> int:
        """How many counts of steps a run keeps: those of each group, where some may rest."""
        return self.rule.parts * (len(self.groups) if self.guarded else 1)

    @property
    def parts(self) -> int:
        """How many parts the longest case has."""
        return self.rule.parts

    def clock_in(self, case: int, part: int) -> int:
        """Return which count is that of a part of one case."""
        return part + self.rule.parts * self.group(case) * self.guarded

    def clock_of(self, hyper: Hyperparameter) -> int:
        """Return which count a formula or a schedule of a hyperparameter reads."""
        return self.clock_in(self.rule.cases_with(hyper)[0], hyper.part)

    def is_now(self, builder: Any, now: Any, case: int) -> Any:
        """Return whether a case is taken now; None where it always is."""
        if not self.now:
            return None
        return builder.icmp_signed("==", load(builder, now, self.group(case)), word(case))

    def taken(self, builder: Any, now: Any, hyper: Hyperparameter) -> Any:
        """Return whether a rule with a hyperparameter is taken now; None where one always is."""
        found = None
        for case in self.rule.cases_with(hyper) if self.now else ():
            held = self.is_now(builder, now, case)
            found = held if found is None else builder.or_(found, held)
        return found

    @property
    def turns(self) -> CasesProgram:
        """What is done in one step, in the order of all cases."""
        assert self.lowered is not None
        program = self.lowered.programs["ready"] or self.lowered.programs["function"]
        assert program is not None
        return program

    @property
    def is_given(self) -> bool:
        """Are gradients handed in ready-made?"""
        assert self.lowered is not None
        return self.lowered.programs["ready"] is not None

    @cached_property
    def asked(self) -> list[tuple[str, dict[int | None, str]]]:
        """The gradients that a step asks for, and the point of each case that asks."""
        return [(turn.gradient, dict[int | None, str](turn.points))
                for turn in self.turns.turns if isinstance(turn, AskTogether)]  # fmt: skip

    @cached_property
    def cases(self) -> tuple[Interface, ...]:
        """The interface of each case."""
        assert self.lowered is not None
        shared = _shared_reductions(self.turns)
        carry = {name: self._first_carry + place for place, name in enumerate(shared)}
        found: list[Interface] = []
        for number, unit in enumerate(self.lowered.units):
            fresh = frozenset(name for name, first in shared.items() if first == number)
            before = sum(len(known.passes) for known in found)
            choice = Choice(number, self, carry, fresh)
            found.append(Interface(unit, self.prefix, before + 1, choice))
        return tuple(found)

    @property
    def _first_carry(self) -> int:
        slots = self.unit.slots
        return len(slots.everything) + 2 * (slots.seed is not None)

    @cached_property
    def programs(self) -> list[Program]:
        """All programs that C can run."""
        return [program for case in self.cases for program in case.programs]

    @cached_property
    def looks(self) -> dict[str, Program]:
        """The programs that look at what the last step left; some cases may have nothing to do."""
        found = {name: self.looking(name) for name in ("iterate", "evaluate")}
        return {
            name: next(each for each in program.programs if each is not None)
            for name, program in found.items() if program is not None
        }  # fmt: skip

    def looking(self, name: str) -> CasesProgram | None:
        """Return what all cases do to look at what the last step left."""
        assert self.lowered is not None
        return self.lowered.programs[name]

    @property
    def equations(self) -> list[str]:
        """The equations of all cases."""
        return equations_text(self.rule)

    def holders(self, stream: str) -> str:
        """Return in words which tensors alone have an array; nothing where all have."""
        own = [number for number, case in enumerate(self.cases) if stream in case.streams]
        cases = sorted(case for group in self.groups if set(group) & set(own) for case in group)
        if len(cases) == len(self.rule.cases):
            return ""
        return f" where which is {' or '.join(map(str, cases))}, else NULL"

    @cached_property
    def tensor(self) -> Record:
        """One tensor: its size, its case, its arrays and its own numbers."""
        listed = "; ".join(f"{n}: {_described(case)}" for n, case in enumerate(self.rule.cases))
        record = Record()
        told = "the rule that it takes, set before init"
        if self.now:
            told += "; of those with one condition init takes the first, and steps move on"
        record.add("which", "which", "int64_t", f"{told}. {listed}")
        return self._tensor_fields(record)


def _described(case: Case) -> str:
    name, title = case.system.name, case.title
    return name if title == name else f"{name}, {title}"


def groups_of(rule: Alternatives) -> list[tuple[int, ...]]:
    """Return the cases of a rule by their condition on tensors."""
    found: dict[Expression, list[int]] = {}
    for number, case in enumerate(rule.cases):
        found.setdefault(case.condition, []).append(number)
    return [tuple(group) for group in found.values()]


def choice_interface(cases: CasesUnit, prefix: str) -> ChoiceInterface:
    """Return the interface of a rule that chooses, and of its cases."""
    program = cases.programs["ready"] or cases.programs["function"]
    assert program is not None
    carried = len(_shared_reductions(program))
    return ChoiceInterface(_merged(cases), prefix, carried=carried, lowered=cases)


def _shared_reductions(program: CasesProgram) -> dict[str, int]:
    """Return the reductions over the tensors of several cases, and the case that begins each."""
    numbers, found = program.rule.shared_numbers, dict[str, int]()
    for turn in program.turns:
        if isinstance(turn, InCase) and isinstance(turn.stage, Pass):
            for each in turn.stage.reductions:
                if each.name in numbers:
                    found.setdefault(each.name, turn.case)
    return found


def _merged(cases: CasesUnit) -> _Merged:
    """Return the units of all cases as one."""
    rule, units = cases.rule, cases.units
    first = units[0]
    system = replace(
        first.system, name=rule.name, doc=rule.doc, hyperparameters=rule.hyperparameters,
        states=rule.states, handed_in=rule.handed_in,
        gradients=max((unit.system.gradients for unit in units), key=len),
        equations=tuple(each for unit in units for each in unit.system.equations),
    )  # fmt: skip
    places: dict[int, str] = {}
    for number, unit in enumerate(units):
        for name, place in unit.slots.everything.items():
            known = name in first.slots.everything and first.slots.everything[name] == place
            places.setdefault(place, name if known or number == 0 else f"{name} of case {number}")
    everything = {places[place]: place for place in sorted(places)}
    slots: Slots = replace(first.slots, everything=everything)
    fed = {feed.hyperparameter.name: feed for unit in units for feed in unit.feeds}
    feeds = tuple(fed.values())
    return _Merged(
        system, first.ready, first.function, None, placed=slots, feeds=feeds, units=units
    )
