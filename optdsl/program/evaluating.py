"""The point at which the model is evaluated, written to a buffer between two steps."""

from __future__ import annotations

from dataclasses import replace

from optdsl.model.evaluated import keep_numbers
from optdsl.model.expressions import Expression, Value, transform
from optdsl.model.system import Equation, System
from optdsl.runtime.layout import EVALUATED


def at_evaluation(system: System) -> System | None:
    """Return the system that gives the evaluation point from theta and states after a step.

    It reads them as what stands in the arrays, and moves nothing. None where the model is
    evaluated at theta.
    """
    kept = keep_numbers(system)
    if kept.evaluation is None:
        return None

    def stored(node: Expression) -> Expression | None:
        return replace(node, offset=-1) if isinstance(node, Value) else None

    point = transform(kept.evaluation, stored)
    return replace(
        kept,
        equations=(Equation(EVALUATED, point, system.parts - 1),),
        gradients=(),
        skips=(),
        outputs=(EVALUATED,),
        evaluation=None,
    )
