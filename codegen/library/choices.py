"""Rules that choose between others tensor by tensor, as C sees them.

Every rule is a case, and has an interface of its own; all share the records of one that is made of
all of them. A tensor says by its field `which` in which case it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from optdsl.codegen.cases import CasesUnit
from optdsl.codegen.library.interface import Choice, Interface, Record
from optdsl.codegen.slots import Slots
from optdsl.codegen.unit import Unit
from optdsl.model.alternatives import Alternatives, Case
from optdsl.program.cases import CasesProgram, InCase
from optdsl.program.describing import cases_equations_text
from optdsl.program.program import Pass, Program


@dataclass(frozen=True)
class _Merged(Unit):
    """The units of all cases as one: their arrays, their numbers, and nothing to run."""

    units: tuple[Unit, ...] = ()

    @cached_property
    def programs(self) -> list[Program]:
        """The programs of all cases."""
        return [program for unit in self.units for program in unit.programs]


@dataclass(frozen=True)
class Whole(Interface):
    """What the cases of a rule share: its records and functions."""

    lowered: CasesUnit | None = None

    @property
    def rule(self) -> Alternatives:
        """The rule that chooses."""
        assert self.lowered is not None
        return self.lowered.rule

    @property
    def turns(self) -> CasesProgram:
        """What is done in one step, in the order of all cases."""
        assert self.lowered is not None
        program = self.lowered.programs["ready"]
        assert program is not None
        return program

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

    @property
    def equations(self) -> list[str]:
        """The equations of all cases."""
        return cases_equations_text(self.rule)

    def holders(self, stream: str) -> str:
        """Return in words which tensors alone have an array; nothing where all have."""
        cases = [number for number, case in enumerate(self.cases) if stream in case.streams]
        if len(cases) == len(self.rule.cases):
            return ""
        return f" where which is {' or '.join(map(str, cases))}, else NULL"

    @cached_property
    def tensor(self) -> Record:
        """One tensor: its size, its case, its arrays and its own numbers."""
        told = "; ".join(f"{n}: {_described(case)}" for n, case in enumerate(self.rule.cases))
        record = Record()
        record.add("which", "which", "int64_t", f"the rule that it takes, set before init. {told}")
        return self._tensor_fields(record)


def _described(case: Case) -> str:
    name, title = case.system.name, case.title
    return name if title == name else f"{name}, {title}"


def whole_interface(cases: CasesUnit, prefix: str) -> Whole:
    """Return the interface of a rule that chooses, and of its cases."""
    program = cases.programs["ready"]
    assert program is not None
    carried = len(_shared_reductions(program))
    return Whole(_merged(cases), prefix, carried=carried, lowered=cases)


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
        equations=tuple(each for unit in units for each in unit.system.equations),
    )  # fmt: skip
    places: dict[int, str] = {}
    for number, unit in enumerate(units):
        for name, place in unit.slots.everything.items():
            known = name in first.slots.everything and first.slots.everything[name] == place
            places.setdefault(place, name if known or number == 0 else f"{name} of case {number}")
    everything = {places[place]: place for place in sorted(places)}
    slots: Slots = replace(first.slots, everything=everything)
    return _Merged(system, first.ready, first.function, None, placed=slots, units=units)
