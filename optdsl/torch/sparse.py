"""Sparse gradients: steps of the rows they have, where the others would stay as they are.

Whether they would is proved once for each rule, when its first sparse gradient comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from optdsl.model import Rule
from optdsl.model.alternatives import Alternatives, systems_of
from optdsl.model.expressions import Kind, Reduce, walk
from optdsl.model.system import System
from optdsl.runtime import GradientError, Group
from optdsl.runtime.rows import Rows
from optdsl.torch.needs import needs_of

#: Reductions in which entries that are zero do not count.
_INDIFFERENT = frozenset({"sum", "norm", "dot"})


@dataclass(frozen=True)
class Laziness:
    """May rows without a gradient be left alone? `reason` says why not, "" where they may.

    `positive` are hyperparameters that must not be 0 for it.
    """

    reason: str
    positive: tuple[str, ...] = ()

    def check(self, groups: tuple[Group, ...], name: str, label: str) -> None:
        """Refuse a sparse gradient that cannot be taken lazily.

        Raises:
            GradientError: it says why.
        """
        reason = self.reason
        for group in groups if not reason else ():
            for needed in self.positive:
                value = group[needed]
                if not isinstance(value, float) or value <= 0:
                    reason = f"{name} leaves rows without a gradient alone only if {needed} > 0"
        if reason:
            raise GradientError(
                f"the gradient of {label} is sparse: {reason}; let it be dense, as with "
                "`sparse=False`"
            )


def laziness_of(rule: Rule) -> Laziness:
    """Return whether `rule` leaves rows alone that have no gradient, by proof.

    >>> from optdsl.library import load_rule
    >>> laziness_of(load_rule("SGD")).reason
    ''
    >>> print(laziness_of(load_rule("Momentum")).reason)
    Momentum moves entries whose gradient is 0 (v: 1 becomes 1/2 in step 2, where the gradient is 0)
    """
    if isinstance(rule, Alternatives):
        return Laziness(f"{rule.name} chooses between rules, of which nothing is proved")
    (system,) = systems_of(rule)
    unfit = _unfit(system)
    if unfit:
        return Laziness(f"{system.name} {unfit}")
    from optdsl.checks.sparsity import find_sparsity

    found = find_sparsity(system)
    if found.parted is not None:
        changes = f" ({found.parted.changes})" if found.parted.changes else ""
        return Laziness(f"{system.name} moves entries whose gradient is 0{changes}")
    if found.verdict != "proved" or found.reads:
        return Laziness(f"it is not proved that {system.name} leaves other rows alone")
    return Laziness("", tuple(each.removesuffix(" > 0") for each in found.provided))


def _unfit(system: System) -> str:
    """Return what makes steps of single rows impossible, whatever is proved."""
    if len(system.gradients) != 1 or any(state.storage for state in system.states):
        return "asks for several gradients, or keeps its states in blocks"
    if needs_of(system) & {"rows", "shape", "draws"}:
        return "works on rows, on matrices, on shapes or with random numbers"
    whole = [equation.value for equation in system.equations]
    whole += [skip.condition for skip in system.skips]
    nodes = [node for expression in whole for node in walk(expression)]
    counted = [
        node.operator
        for node in nodes
        if isinstance(node, Reduce)
        and node.kind in (Kind.ALL, Kind.TENSOR)
        and node.operator not in _INDIFFERENT
    ]
    return f"takes a `{counted[0]}` over all entries" if counted else ""


def rows_of(gradient: torch.Tensor, label: str) -> tuple[Rows, torch.Tensor]:
    """Return which rows a sparse gradient has, each once, and their values.

    Raises:
        GradientError: it is not sparse in its first dimension alone.
    """
    if gradient.layout is not torch.sparse_coo or gradient.sparse_dim() != 1:
        raise GradientError(
            f"the gradient of {label} is {gradient.layout}, not one of whole rows: let it be dense"
        )
    whole = gradient.detach().coalesce()
    return np.ascontiguousarray(whole.indices()[0].numpy()), whole.values().contiguous()
