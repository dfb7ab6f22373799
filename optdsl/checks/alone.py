"""The rules of a choice, one by one: each as it steps a tensor that never takes another."""

from __future__ import annotations

from dataclasses import dataclass

from optdsl.checks.choices import begun, plain
from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.model.alternatives import Rule
from optdsl.model.merging import names_of, rename
from optdsl.model.system import System


@dataclass(frozen=True)
class Alone:
    """A rule by itself.

    Args:
        name: what was asked for.
        system: the rule; hyperparameters have the names of its own definition.
        case: in which case a tensor takes it, in words; None where there is no other rule.
    """

    name: str
    system: System
    case: str | None = None


def each_alone(rule: Rule) -> list[Alone]:
    """Return the rules among which tensors choose, or the one that there is.

    Raises:
        DiagnosticError: a rule goes on from what another one left.

    >>> from optdsl.library import load_rule
    >>> [(each.system.name, each.case) for each in each_alone(load_rule("Muon"))]
    [('MuonWide', 'where rows <= columns'), ('MuonTall', 'where rows > columns')]
    """
    if isinstance(rule, System):
        return [Alone(rule.name, rule)]
    found = []
    for case in rule.cases:
        system = begun(case, rule)
        if system is None:
            message = f"`{case.system.name}` goes on from what another rule of `{rule.name}` left"
            span = rule.definition.span if rule.definition is not None else None
            hint = f"look at it by itself: `{case.system.name}`"
            raise DiagnosticError(Diagnostic("several-rules", message, span, hint))
        found.append(Alone(rule.name, _as_defined(plain(system)), case.title))
    return found


def _as_defined(system: System) -> System:
    """Return a rule with the names of its definition, where a choice put the rule's own before."""
    prefix, taken = f"{system.name}_", names_of(system)
    pairs = ((name, name.removeprefix(prefix)) for name in taken if name.startswith(prefix))
    return rename(system, {name: own for name, own in pairs if own not in taken})
