"""What C cannot step, and why."""

from __future__ import annotations

from optdsl.codegen.cases import CasesUnit
from optdsl.codegen.unit import Unit
from optdsl.diagnostics import Diagnostic
from optdsl.model.expressions import Kind, Matrix, Reduce, walk
from optdsl.model.system import State
from optdsl.program.program import Guard

_CODE = "not-in-a-library"


def refusal_of_choice(cases: CasesUnit) -> Diagnostic | None:
    """Return why C cannot step a rule that chooses between others, or None where it can."""
    rule = cases.rule
    ready, looks = cases.programs["ready"], ("iterate", "evaluate")
    stages = [
        stage for unit in cases.units for program in unit.programs for stage in program.stages
    ]
    why = None
    if rule.timed:
        why = "lets one rule follow another"
    elif rule.family != "optimizer":
        why = "chooses between transforms"
    elif ready is None or any(cases.programs[name] is not None for name in looks):
        why = "chooses between rules of which one looks at a point of its own"
    elif any(isinstance(stage, Guard) for stage in stages):
        why = "chooses between rules of which one lets steps rest"
    elif any(unit.feeds for unit in cases.units):
        why = "chooses between rules with schedules"
    if why is not None:
        hint = "compile each of its rules, and call the one that a tensor is to take"
        return Diagnostic(_CODE, f"{rule.name} {why}", hint=hint)
    return next(filter(None, (refusal_of_unit(unit) for unit in cases.units)), None)


def starts_plainly(state: State) -> bool:
    """Does each number of a state begin by itself, without products or sums of others?"""
    nodes = [] if state.start is None else list(walk(state.start))
    sums = any(isinstance(node, Reduce) for node in nodes)
    return not sums and all(
        node.operator == "identity" for node in nodes if isinstance(node, Matrix)
    )


def refusal_of_unit(unit: Unit) -> Diagnostic | None:
    """Return why C cannot step a lowered rule, or None where it can."""
    name = unit.system.name
    stages = [stage for program in unit.programs for stage in program.stages]
    for state in unit.system.states:
        if not starts_plainly(state):
            return Diagnostic(
                _CODE, f"{name} begins `{state.name}` with what is computed of whole matrices"
            )
    for stage in stages:
        if isinstance(stage, Guard) and stage.condition.kind is Kind.TENSOR:
            return Diagnostic(
                _CODE,
                f"{name} lets some tensors of a step rest, and a library counts one t for all",
                hint="skip when a number for all tensors says so: norm(g[t], all)",
            )
    ahead = {value.name for value in unit.slots.hyper if value.offset == 1}
    for feed in unit.feeds:
        if feed.hyperparameter.name in ahead:
            return Diagnostic(
                _CODE,
                f"{name} reads `{feed.hyperparameter.name}` one step ahead, and the schedule "
                f"{feed.text} gives it",
                hint="leave the schedule out of the spec, and hand in a number for each step",
            )
    return None
