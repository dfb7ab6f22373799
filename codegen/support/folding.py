"""Reductions: what a chunk adds up, and how the chunks of a table are folded.

Partial sums are float64 and are folded in the order of the chunks, so that a
result never depends on how many threads computed them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from optdsl.codegen.support.tables import Table

Numbers = npt.NDArray[np.float64]

_SUMS = {"sum", "mean", "norm", "rms", "dot"}


def partial(operator: str, entries: Any, other: Any = None) -> Any:
    """Return the share of some entries in a reduction, in float64."""
    x = np.asarray(entries, np.float64)
    if operator in ("norm", "rms"):
        return np.sum(x * x)
    if operator == "dot":
        return np.sum(x * np.asarray(other, np.float64))
    if operator == "min":
        return np.min(x, initial=np.inf)
    if operator == "max":
        return np.max(x, initial=-np.inf)
    if operator == "any":
        return np.any(x != 0.0)
    return np.sum(x)


def over_all(operator: str, table: Table, partials: Numbers) -> Any:
    """Fold the partial sums of every chunk into one number."""
    if operator in _SUMS:
        total = np.add.reduce(partials) if partials.size else np.float64(0.0)
        return _finished(operator, total, np.float64(table.sizes.sum()))
    if operator == "min":
        return np.min(partials, initial=np.inf)
    if operator == "max":
        return np.max(partials, initial=-np.inf)
    return np.any(partials != 0.0)


def per_tensor(operator: str, table: Table, partials: Numbers) -> Any:
    """Fold the partial sums of each tensor of the table into one number a tensor."""
    tensors = len(table.rows)
    if operator in _SUMS:
        total = np.bincount(table.owner, weights=partials, minlength=tensors)
        return _finished(operator, total, table.sizes)
    if operator in ("min", "max"):
        least, fold = (np.inf, np.minimum) if operator == "min" else (-np.inf, np.maximum)
        folded = np.full(tensors, least)
        fold.at(folded, table.owner, partials)
        return folded
    return np.bincount(table.owner, weights=partials != 0.0, minlength=tensors) != 0.0


def _finished(operator: str, total: Any, count: Any) -> Any:
    if operator == "norm":
        return np.sqrt(total)
    if operator == "mean":
        return total / count
    if operator == "rms":
        return np.sqrt(total / count)
    return total
