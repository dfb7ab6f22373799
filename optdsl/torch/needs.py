"""What a rule sees of a tensor besides its entries one by one: told by the kinds of its values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from optdsl.model import Rule
from optdsl.model.alternatives import Alternatives, systems_of
from optdsl.model.expressions import Draw, Expression, Fact, Kind, Matrix, Reduce, walk
from optdsl.runtime.layout import Layout

#: "tensor" and "all" are reductions to a number a tensor and a number for all; "rows" are values
#: a row or a column, and matrices; "shape" is how many entries, rows or columns there are;
#: "draws" are random numbers, which depend on the place of the entry and of its tensor; "blocks"
#: are states of which so many entries share a scale.
Need: TypeAlias = Literal["tensor", "all", "rows", "shape", "draws", "blocks"]


def needs_of(rule: Rule) -> frozenset[Need]:
    """Return what `rule` needs to see.

    >>> from optdsl.library import load_rule
    >>> sorted(needs_of(load_rule("Adam"))), sorted(needs_of(load_rule("ClipByGlobalNorm | LAMB")))
    ([], ['all', 'tensor'])
    """
    return frozenset(
        need
        for whole in _expressions(rule)
        for node in walk(whole)
        if (need := _need(node)) is not None
    )


def needs_of_storage(layout: Layout) -> frozenset[Need]:
    """Return what the storage of states needs: to round by chance draws random numbers."""
    blocks = any("blockwise" in (state.storage or "") for state in layout.states)
    found: dict[Need, bool] = {"draws": layout.seed is not None, "blocks": blocks}
    return frozenset(need for need, needed in found.items() if needed)


def _expressions(rule: Rule) -> Iterator[Expression]:
    if isinstance(rule, Alternatives):
        yield from (case.condition for case in rule.cases)
    for system in systems_of(rule):
        yield from (equation.value for equation in system.equations)
        yield from (skip.condition for skip in system.skips)
        yield from (state.start for state in system.states if state.start is not None)
        yield from (asked.point for asked in system.gradients if asked.point is not None)
        if system.evaluation is not None:
            yield system.evaluation


def _need(node: Expression) -> Need | None:
    match node:
        case Draw():
            return "draws"
        case Fact(name):
            return "shape" if name in ("rows", "columns", "size") else None
        case Reduce(kind=Kind.ALL):
            return "all"
        case Reduce(kind=Kind.TENSOR):
            return "tensor"
        case Matrix():
            return "rows"
    return "rows" if node.kind.is_matrix else None
