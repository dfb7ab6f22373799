"""What of a rule is true or false, not a number: told by the expressions that define it."""

from __future__ import annotations

from collections.abc import Collection

from optdsl.model import expressions
from optdsl.model.expressions import Apply, Expression, Value
from optdsl.model.system import System
from optdsl.program.program import Combine, Matrices, Pass, Program, Scalars


def is_predicate(expression: Expression, known: Collection[str]) -> bool:
    """Is the value of `expression` true or false, where that of the `known` names is?"""
    match expression:
        case Value(name):
            return name in known
        case Apply("select", (_, value, otherwise)):
            return is_predicate(value, known) and is_predicate(otherwise, known)
    return expressions.is_predicate(expression)


def predicate_names(system: System, programs: list[Program]) -> set[str]:
    """Return the names whose value is true or false."""
    defined: list[tuple[str, Expression]] = [(each.name, each.value) for each in system.equations]
    known: set[str] = set(system.flags)
    for program in programs:
        for stage in program.stages:
            if isinstance(stage, Scalars | Combine):
                defined += [(each.name, each.expression) for each in stage.assignments]
            if isinstance(stage, Pass | Matrices):
                defined += [(each.name, each.expression) for each in stage.body]
                folded = stage.reductions if isinstance(stage, Pass) else stage.folds
                known |= {each.name for each in folded if each.operator == "any"}
    while True:
        found = {name for name, expression in defined if is_predicate(expression, known)}
        if found <= known:
            return known
        known |= found
