"""What there is to emit: one rule, its programs, and where everything lies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from optdsl.codegen.forms import FORMS, partial_form
from optdsl.codegen.naming import identifier
from optdsl.codegen.predicates import predicate_names
from optdsl.codegen.slots import Slots, assign_slots
from optdsl.model.alternatives import Rule, systems_of
from optdsl.model.choosing import each_system
from optdsl.model.evaluated import keep_numbers
from optdsl.model.overriding import Feed, with_settings
from optdsl.model.storing import with_rest
from optdsl.model.system import System
from optdsl.program import Program, lower
from optdsl.program.formulas import indexed_names
from optdsl.runtime.shapes import Form


@dataclass(frozen=True)
class Unit:
    """A rule lowered in every mode that it has."""

    system: System
    ready: Program | None
    function: Program
    iterate: Program | None
    evaluate: Program | None = None
    placed: Slots | None = None  # where they lie, if others have a say in it
    feeds: tuple[Feed, ...] = ()

    @cached_property
    def programs(self) -> list[Program]:
        """The programs that there are."""
        found = (self.ready, self.function, self.iterate, self.evaluate)
        return [each for each in found if each is not None]

    @cached_property
    def slots(self) -> Slots:
        """Where each number lies."""
        return self.placed or assign_slots(self.system, self.programs)

    @cached_property
    def predicates(self) -> frozenset[str]:
        """The names whose value is true or false."""
        return frozenset(predicate_names(self.system, self.programs))

    @cached_property
    def indexed(self) -> frozenset[str]:
        """The names that carry their `[t]`."""
        return indexed_names(self.system)

    @cached_property
    def buffers(self) -> tuple[str, ...]:
        """The arrays that live for one step."""
        return tuple(dict.fromkeys(each for program in self.programs for each in program.buffers))

    @cached_property
    def shaped(self) -> dict[str, Form]:
        """The buffers that do not have a value an entry, and the form of each."""
        forms: dict[str, Form] = {}
        for program in self.programs:
            reductions = [each for stage in program.passes for each in stage.reductions]
            partials = {each.partial: partial_form(each) for each in reductions}
            for name, kind in program.shaped:
                forms[name] = partials.get(name) or FORMS[kind]
        return forms

    @cached_property
    def has_passes(self) -> bool:
        """Does the rule touch tensors at all?"""
        return any(program.passes for program in self.programs)

    @cached_property
    def public_name(self) -> str:
        """The name by which Python knows the rule."""
        return identifier(self.system.name)


def settled(rule: Rule) -> tuple[Rule, tuple[tuple[Feed, ...], ...]]:
    """Return `rule` as code is written from it, and the schedules that each case of it reads.

    Hyperparameters that schedules give may be set by users, and what the point of evaluation reads
    is kept.
    """
    feeds = tuple(with_settings(system)[1] for system in systems_of(rule))
    return each_system(rule, lambda system: keep_numbers(with_settings(system)[0])), feeds


def prepare(system: System) -> Unit:
    """Lower `system` in every mode."""
    whole, (feeds,) = settled(system)
    assert isinstance(whole, System)
    system = whole
    function = lower(system, "function")
    assert function is not None
    iterate, evaluate = lower(system, "iterate"), lower(system, "evaluate")
    return Unit(with_rest(system), lower(system, "ready"), function, iterate, evaluate, feeds=feeds)
