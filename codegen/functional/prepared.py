"""Which rules can be functions of values, and the equations of those that can."""

from __future__ import annotations

from dataclasses import dataclass

from optdsl.codegen.unit import settled
from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.model.alternatives import Alternatives, Case, Rule, systems_of
from optdsl.model.expressions import Kind
from optdsl.model.overriding import Feed
from optdsl.model.system import System
from optdsl.program.change_of_variables import stores_iterate
from optdsl.program.hoisting import Named
from optdsl.program.lowering import live_names, with_named_numbers
from optdsl.program.program import Mode


@dataclass(frozen=True)
class PreparedCase:
    """One case of a rule, ready to be written: its settled system and its named numbers.

    `evaluate` gives the point of evaluation from theta and states, `iterate` gives theta where
    the parameters hold the point of the gradient.
    """

    system: System
    named: Named
    evaluate: Named | None
    iterate: Named | None
    feeds: tuple[Feed, ...]
    choice: Case | None = None


@dataclass(frozen=True)
class PreparedRule:
    """A rule of which every case can be written as functions."""

    rule: Rule
    cases: tuple[PreparedCase, ...]
    mode: Mode


def prepare_functions(rule: Rule) -> PreparedRule:
    """Name the numbers of every case of `rule`, in the mode that it has.

    Raises:
        DiagnosticError: for what cannot be a function of values.
    """
    plain, feeds = settled(rule)
    whole = systems_of(plain)
    _refuse(rule.name, whole)
    cases: tuple[Case | None, ...] = (None,)
    shared: frozenset[str] = frozenset()
    if isinstance(plain, Alternatives):
        cases = plain.cases
        shared = plain.shared_numbers
    used = shared & frozenset().union(*(live_names(system) for system in whole))
    mode = _mode(rule, whole)
    prepared = []
    for system, own, case in zip(whole, feeds, cases, strict=True):
        kept = used & {equation.name for equation in system.equations}
        named = with_named_numbers(system, mode, kept=kept)
        assert named is not None
        evaluate = with_named_numbers(system, "evaluate")
        iterate = with_named_numbers(system, "iterate") if mode == "ready" else None
        prepared.append(PreparedCase(system, named, evaluate, iterate, own, case))
    return PreparedRule(plain, tuple(prepared), mode)


def _mode(rule: Rule, systems: tuple[System, ...]) -> Mode:
    """Return "ready" where the gradient is taken at what is handed in, else "function"."""
    if all(with_named_numbers(system, "ready") is not None for system in systems):
        timed = isinstance(rule, Alternatives) and rule.timed
        if not timed or all(map(stores_iterate, systems)):
            return "ready"
    return "function"


def _refuse(name: str, systems: tuple[System, ...]) -> None:
    for system in systems:
        for skip in system.skips:
            if skip.condition.kind not in (Kind.STEP, Kind.ALL):
                _refused(name, "tensors that skip a step, each by itself, are not")
        for gradient in system.gradients[1:]:
            if gradient.loss is not None:
                _refused(name, "the loss at a second point is not")
        for state in system.states:
            if state.storage not in (None, "float16", "bfloat16", "float32", "float64"):
                _refused(name, f"`{state.name}` stored as {state.storage} is not")
        if system.parameters is not None:
            _refused(name, f"theta stored as {system.parameters} is not")


def _refused(name: str, what: str) -> None:
    raise DiagnosticError(
        Diagnostic("not-compiled", f"`{name}`: {what} compiled to functions of values yet")
    )
