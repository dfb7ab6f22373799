"""Scaled gradients on cards: `torch.amp.GradScaler` without a wait for the card.

It skips steps whose gradients hold infinities, and asks the card whether there are any. A rule that
leaves everything as it is where a gradient is not finite (`SkipNonfinite | ...`) asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from optdsl.model import Rule
from optdsl.model.alternatives import systems_of
from optdsl.model.expressions import Apply, Expression, Kind, Reduce, Value
from optdsl.model.system import System


def skips_nonfinite(rule: Rule) -> bool:
    """Is nothing changed in a step in which an entry of a gradient is not finite?

    >>> from optdsl.library import load_rule
    >>> skips_nonfinite(load_rule("SkipNonfinite | AdamW")), skips_nonfinite(load_rule("AdamW"))
    (True, False)
    """
    return all(_skips(system) for system in systems_of(rule))


def _skips(system: System) -> bool:
    named = {equation.name: equation.value for equation in system.equations}
    parts = [
        skip.part
        for skip in system.skips
        if _finds_nonfinite(named.get(getattr(skip.condition, "name", ""), skip.condition))
    ]
    return bool(parts) and all(state.part > min(parts) for state in system.states)


def _finds_nonfinite(condition: Expression) -> bool:
    match condition:
        case Reduce("any", Apply("not", (Apply("finite", (Value("g"),)),)), kind=Kind.ALL):
            return True
    return False


def unscale(
    gradients: Iterable[torch.Tensor | None], scale: torch.Tensor | None, found_inf: torch.Tensor
) -> None:
    """Divide gradients by a scale, in place; let them be NaN where infinities have been found."""
    present = [gradient for gradient in gradients if gradient is not None]
    factor = torch.ones_like(found_inf) if scale is None else scale.reciprocal()
    factor = torch.where(found_inf > 0, torch.nan, factor)
    if present:
        torch._foreach_mul_(present, factor.to(present[0].device))
