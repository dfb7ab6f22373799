"""A rule lowered for a library: one unit, or one for each rule that it chooses from."""

from __future__ import annotations

from dataclasses import dataclass

from optdsl.codegen.cases import CasesUnit, prepare_cases
from optdsl.codegen.library.choices.interface import choice_interface
from optdsl.codegen.library.interface import Interface
from optdsl.codegen.library.refusals import refusal_of_choice, refusal_of_unit
from optdsl.codegen.unit import Unit, prepare
from optdsl.diagnostics import Diagnostic
from optdsl.model.alternatives import Alternatives, Rule


@dataclass(frozen=True)
class Lowered:
    """A lowered rule, an interface for each of its units, and what C sees, or why it cannot."""

    unit: Unit | CasesUnit
    interfaces: tuple[Interface, ...]
    public: Interface | None
    refusal: Diagnostic | None


def lowered(rule: Rule, prefix: str) -> Lowered:
    """Lower `rule`; `prefix` begins the names of a library.

    Raises:
        DiagnosticError: for what is not compiled yet.
    """
    if not isinstance(rule, Alternatives):
        unit = prepare(rule)
        interface, problem = Interface(unit, prefix), refusal_of_unit(unit)
        return Lowered(unit, (interface,), None if problem else interface, problem)
    cases = prepare_cases(rule)
    problem = refusal_of_choice(cases)
    if problem is None:
        whole = choice_interface(cases, prefix)
        return Lowered(cases, whole.cases, whole, None)
    interfaces: list[Interface] = []
    for each in cases.units:
        before = sum(len(known.passes) for known in interfaces)
        interfaces.append(Interface(each, prefix, before + 1))
    return Lowered(cases, tuple(interfaces), None, problem)
