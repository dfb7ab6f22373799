"""What C cannot step, and why."""

from __future__ import annotations

from itertools import pairwise

from optdsl.codegen.cases import CasesUnit, clocks_kept
from optdsl.codegen.library.choices.interface import groups_of
from optdsl.codegen.unit import Unit
from optdsl.diagnostics import Diagnostic
from optdsl.model.alternatives import Alternatives
from optdsl.model.expressions import Kind, Matrix, Reduce, walk
from optdsl.model.system import State
from optdsl.program.cases import AskTogether, CasesProgram, InCase, Together
from optdsl.program.program import Guard

_CODE = "not-in-a-library"


def refusal_of_choice(cases: CasesUnit) -> Diagnostic | None:
    """Return why C cannot step a rule that chooses between others, or None where it can."""
    rule, why, hint = cases.rule, None, "compile each of its rules, and call the one to take"
    program = cases.programs["ready"] or cases.programs["function"]
    assert program is not None
    if rule.timed and not _follow_alone(rule):
        why = "lets a condition on tensors decide what they take in some steps alone"
        hint = "let the condition come first: (A for 100 then B) if ndim == 2 else C"
    elif rule.timed and _counts_anew(rule):
        why = "lets one rule follow another, and counts some of its steps anew"
    elif not _rest_together(program):
        why = "reduces over tensors of which some may rest, or asks for their gradients"
    if why is not None:
        return Diagnostic(_CODE, f"{rule.name} {why}", hint=hint)
    return next(filter(None, (refusal_of_unit(unit, True) for unit in cases.units)), None)


def _follow_alone(rule: Alternatives) -> bool:
    """Do the rules under each condition on tensors take all steps, one after the other?"""
    for group in groups_of(rule):
        windows = [window for case in group for window in rule.cases[case].windows]
        parts = {window.part for window in windows}
        if len(parts) > 1 or any(len(rule.cases[case].windows) > 1 for case in group):
            return False
        ends = [(window.after, window.until) for window in windows]
        if ends and (ends[0][0], ends[-1][1]) != (0, None):
            return False
        if any(until != after for (_, until), (after, _) in pairwise(ends)):
            return False
    return True


def _counts_anew(rule: Alternatives) -> bool:
    """Does a part of a rule begin to count its steps anew when another rule follows?"""
    return any(
        part not in clocks_kept(rule.cases[old], rule.cases[new], rule)
        for group in groups_of(rule)
        for place, old in enumerate(group)
        for new in group[place + 1 :]
        for part in range(rule.cases[new].system.parts)
    )


def _rest_together(program: CasesProgram) -> bool:
    """Do all cases of a reduction, or that ask for a gradient, rest by the same conditions?"""
    guards: dict[int, list[str]] = {}
    for turn in program.turns:
        match turn:
            case InCase(case, Guard(_, condition)):
                guards.setdefault(case, []).append(condition.name)
            case Together(stages) | AskTogether(points=stages):
                first = guards.get(stages[0][0], [])
                if any(guards.get(case, []) != first for case, _ in stages):
                    return False
    return True


def starts_plainly(state: State) -> bool:
    """Does each number of a state begin by itself, without products or sums of others?"""
    nodes = [] if state.start is None else list(walk(state.start))
    sums = any(isinstance(node, Reduce) for node in nodes)
    return not sums and all(
        node.operator == "identity" for node in nodes if isinstance(node, Matrix)
    )


def _has_numbers_of_all(unit: Unit) -> bool:
    return any(name not in unit.system.losses for name in unit.slots.everything)


def refusal_of_unit(unit: Unit, chosen: bool = False) -> Diagnostic | None:
    """Return why C cannot step a lowered rule, or None where it can.

    One that is `chosen` is one of several, which share a run.
    """
    name = unit.system.name
    stages = [stage for program in unit.programs for stage in program.stages]
    for state in unit.system.states:
        if not starts_plainly(state):
            return Diagnostic(
                _CODE, f"{name} begins `{state.name}` with what is computed of whole matrices"
            )
    lone = any(isinstance(s, Guard) and s.condition.kind is Kind.TENSOR for s in stages)
    if lone and (chosen or unit.ready is None or _has_numbers_of_all(unit)):
        return Diagnostic(
            _CODE,
            f"{name} lets some tensors of a step rest, and does not step each by itself",
            hint="skip when a number for all tensors says so: norm(g[t], all)",
        )
    return None
