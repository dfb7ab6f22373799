"""Tensors of which several processes hold a part each: what rules make of them.

Rules that work entry by entry run on the parts. Reductions to a number a tensor, or to one for all
tensors, are folded across the processes. What speaks of rows, of shapes or of the place of an
entry is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch

from optdsl.codegen.support.tables import Indices, Numbers, Table
from optdsl.runtime import Optimizer, ParameterError
from optdsl.torch.callers import callers
from optdsl.torch.memory import HOST
from optdsl.torch.needs import Need
from optdsl.torch.places import Place

WORDS: dict[Need, str] = {
    "tensor": "makes a number of all entries of a tensor",
    "all": "makes one number of all tensors",
    "rows": "works on rows, columns or matrices",
    "shape": "asks for the rows, the columns or the size of a tensor",
    "draws": "draws random numbers by the place of an entry",
    "blocks": "keeps states in blocks of entries",
}


def is_sharded(tensor: torch.Tensor) -> bool:
    """Does this process hold a part of the tensor only?"""
    return bool(_cuts(tensor))


def _cuts(tensor: torch.Tensor) -> list[int]:
    """Return the dimensions of its mesh of processes along which a tensor is cut into parts."""
    mesh: Any = getattr(tensor, "device_mesh", None)
    placements = getattr(tensor, "placements", ())
    return [
        number
        for number, placement in enumerate(placements)
        if not placement.is_replicate() and mesh.size(number) > 1
    ]


def check_shards(name: str, needs: frozenset[Need], place: Place) -> None:
    """Refuse a tensor held in parts by a rule that needs to see it whole.

    Raises:
        ParameterError: it says why.
    """
    if not is_sharded(place.tensor):
        return
    refused: tuple[Need, ...] = ("rows", "shape", "draws", "blocks")
    if place.memory is not HOST:
        refused += ("tensor", "all")  # sums of several processes meet on the host
    need = next((need for need in refused if need in needs), None)
    if need is not None:
        raise ParameterError(
            f"parameter {place.label} is sharded over several processes, and {name} "
            f"{WORDS[need]}: keep such parameters whole"
        )


def check_owner(name: str, needs: frozenset[Need]) -> None:
    """Refuse to be the part of a `ZeroRedundancyOptimizer` where a rule needs to see all tensors.

    It gives each process some of the tensors, and does not tell the optimizer of it: only the
    frames of its constructor do.

    Raises:
        ParameterError: it says why.
    """
    kept = sys.modules.get("torch.distributed.optim.zero_redundancy_optimizer")
    needed = next((need for need in ("all", "draws") if need in needs), None)
    if kept is None or needed is None:
        return
    owners = (frame.f_locals.get("self") for frame in callers())
    if any(isinstance(owner, kept.ZeroRedundancyOptimizer) for owner in owners):
        raise ParameterError(
            f"a ZeroRedundancyOptimizer gives each process some of the tensors, and {name} "
            f"{WORDS[needed]}: use `fully_shard`, or clip before the step"
        )


class Shards:
    """Who holds the other parts of which tensors; folds numbers across them."""

    def __init__(self) -> None:
        self.groups: list[tuple[Any, ...]] = []
        self.sizes: Numbers = np.zeros(0)

    def add(self, tensors: Sequence[torch.Tensor]) -> None:
        """Take in more tensors, behind those there are."""
        self.groups += [_groups_of(tensor) for tensor in tensors]
        self.sizes = np.append(self.sizes, [float(tensor.numel()) for tensor in tensors])

    def fold(self, how: Literal["add", "min", "max"], numbers: Numbers, rows: Indices) -> Numbers:
        """Return what the numbers of all processes fold to, one for each of the tensors `rows`."""
        operators = torch.distributed.ReduceOp
        by_name = {"add": operators.SUM, "min": operators.MIN, "max": operators.MAX}
        folded = numbers.astype(np.float64)
        held = [self.groups[row] for row in rows]
        for groups in dict.fromkeys(held):
            places = [place for place, each in enumerate(held) if each == groups]
            together = torch.from_numpy(folded[places])
            for group in groups:
                torch.distributed.all_reduce(together, by_name[how], group)
            folded[places] = together.numpy()
        return folded


def _groups_of(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Return the groups of processes over which a tensor is cut."""
    mesh: Any = getattr(tensor, "device_mesh", None)
    return tuple(mesh.get_group(number) for number in _cuts(tensor))


def across(rule: type[Optimizer], shards: Shards) -> type[Optimizer]:
    """Return `rule` with its reductions folded across the processes that hold the tensors."""
    layout = rule.layout

    def bind(arrays: Any, identities: Sequence[int]) -> Table:
        assert layout.bind is not None
        table: Table = layout.bind(arrays, identities)
        return replace(table, team=shards, sizes=shards.sizes[list(identities)])

    return type(rule.__name__, (rule,), {"layout": replace(layout, bind=bind)})
