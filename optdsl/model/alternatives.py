"""Several rules of which every tensor takes one at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.language.syntax import Definition, Family
from optdsl.model.expressions import Constant, Expression, Kind
from optdsl.model.system import Hyperparameter, Input, State, System

ALWAYS = Constant("true")

_Item = TypeVar("_Item", Hyperparameter, Input, State)


@dataclass(frozen=True, slots=True)
class Window:
    """The steps of part number `part` after the first `after`, up to number `until`."""

    part: int
    after: int = 0
    until: int | None = None

    def __str__(self) -> str:
        of = f" of part {self.part + 1}" if self.part else ""
        if self.until is None:
            return f"from step {self.after + 1}{of}"
        return f"in steps {self.after + 1} to {self.until}{of}"


@dataclass(frozen=True, slots=True)
class Case:
    """The whole rule of the tensors for which `condition` holds, in the steps of `windows`.

    `condition` is true or false of the `Fact`s of a tensor. Where a window begins late, the
    expressions of `system` count from its beginning; its hyperparameters say so themselves.
    `label` is the condition as the author wrote it.
    """

    system: System
    condition: Expression = ALWAYS
    windows: tuple[Window, ...] = ()
    label: str = ""

    @property
    def title(self) -> str:
        """The case in words."""
        whens = (str(window) for window in self.windows)
        return ", ".join(text for text in (self.label, *whens) if text) or self.system.name


@dataclass(frozen=True, slots=True)
class Alternatives:
    """What a definition means that chooses between rules, by tensor or by step.

    Every tensor is in exactly one case at each step. A name that several cases have is in
    `shared` and means the same in each: its state outlives a change of case, and where it
    is a number for all tensors, it is one for the tensors of all these cases together.
    Gradients have the same names throughout, in the order in which they are asked for.
    """

    name: str
    family: Family
    doc: str | None
    cases: tuple[Case, ...]
    shared: frozenset[str]
    definition: Definition | None = None
    source: str = ""

    @property
    def systems(self) -> tuple[System, ...]:
        """The rules of the cases."""
        return tuple(case.system for case in self.cases)

    @property
    def hyperparameters(self) -> tuple[Hyperparameter, ...]:
        """Those of every case, each once."""
        return _each_once(h for system in self.systems for h in system.hyperparameters)

    @property
    def handed_in(self) -> tuple[Input, ...]:
        """The inputs of every case, each once."""
        return _each_once(given for system in self.systems for given in system.handed_in)

    @property
    def states(self) -> tuple[State, ...]:
        """Those of every case, each once."""
        return _each_once(state for system in self.systems for state in system.states)

    @property
    def memory(self) -> tuple[State, ...]:
        """The states that steps change, of every case."""
        return _each_once(state for system in self.systems for state in system.memory)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What every case gives."""
        return self.cases[0].system.outputs

    @property
    def parts(self) -> int:
        """How many parts the longest case has."""
        return max(system.parts for system in self.systems)

    @property
    def timed(self) -> bool:
        """Does a tensor go from one case to another?"""
        return any(case.windows for case in self.cases)

    @property
    def shared_numbers(self) -> frozenset[str]:
        """The shared names that are numbers for all tensors."""
        numbers = {
            equation.name
            for system in self.systems
            for equation in system.equations
            if equation.kind is Kind.ALL
        }
        return self.shared & numbers

    def cases_with(self, item: Hyperparameter | Input | State) -> tuple[int, ...]:
        """Return the numbers of the cases that have a hyperparameter, an input or a state."""
        kept = [
            {each.name for each in system.hyperparameters}
            | {each.name for each in system.handed_in}
            | {each.name for each in system.states}
            for system in self.systems
        ]
        return tuple(number for number, names in enumerate(kept) if item.name in names)


#: What a definition means.
Rule: TypeAlias = System | Alternatives


def _each_once(items: Iterable[_Item]) -> tuple[_Item, ...]:
    found: dict[str, _Item] = {}
    for item in items:
        found.setdefault(item.name, item)
    return tuple(found.values())


def systems_of(rule: Rule) -> tuple[System, ...]:
    """Return the systems that `rule` is made of."""
    return rule.systems if isinstance(rule, Alternatives) else (rule,)


def one_system(rule: Rule) -> System:
    """Return `rule` where it is one system.

    Raises:
        DiagnosticError: where it chooses between several.
    """
    if isinstance(rule, System):
        return rule
    span = None if rule.definition is None else rule.definition.span
    parts = ", ".join(f"`{name}`" for name in dict.fromkeys(s.name for s in rule.systems))
    raise DiagnosticError(
        Diagnostic(
            "several-rules",
            f"`{rule.name}` chooses between several rules, and this looks at one at a time",
            span,
            f"name one of its rules: {parts}",
        )
    )
