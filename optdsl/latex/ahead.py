"""An equation that says of the next step what another says of this one: it says nothing new.

`\\mu_t = \\beta (1 - 0.96^{t \\psi})` beside `\\mu_{t+1} = \\beta (1 - 0.96^{(t+1) \\psi})`.
"""

from __future__ import annotations

from collections.abc import Sequence

from optdsl.latex import trees
from optdsl.latex.equations import SourceEquation


def without_repeated(equations: Sequence[SourceEquation]) -> list[SourceEquation]:
    """Leave out each equation that is another one, a step later."""
    kept: list[SourceEquation] = []
    for one in equations:
        if not any(_is_later(one, other) for other in equations if other is not one):
            kept.append(one)
    return kept


def _is_later(one: SourceEquation, other: SourceEquation) -> bool:
    if len(one.targets) != 1 or len(other.targets) != 1 or one.role != other.role:
        return False
    (mine,), (theirs,) = one.targets, other.targets
    if mine.name != theirs.name or trees.offset_of(mine) is None:
        return False
    if trees.offset_of(mine) != (trees.offset_of(theirs) or 0) + 1 or not theirs.indices:
        return False
    return one.value == trees.later(other.value)
