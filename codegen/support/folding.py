"""Reductions: what a chunk adds up, and how the chunks of a table are folded.

Partial sums are float64 and are folded in the order of the chunks, so that a
result never depends on how many threads computed them.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from optdsl.codegen.support.tables import Numbers, Table

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
    if table.team is not None:
        partials = _by_tensor(operator, table, partials)
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
    folded = _by_tensor(operator, table, partials)
    if operator in _SUMS:
        return _finished(operator, folded, table.sizes)
    return folded if operator in ("min", "max") else folded != 0.0


def _by_tensor(operator: str, table: Table, partials: Numbers) -> Numbers:
    """Return what the chunks of each tensor fold to, those that others of a team hold too."""
    tensors = len(table.rows)
    folded: Numbers
    if operator in ("min", "max"):
        least, fold = (np.inf, np.minimum) if operator == "min" else (-np.inf, np.maximum)
        folded = np.full(tensors, least)
        fold.at(folded, table.owner, partials)
    else:
        weights = partials if operator in _SUMS else partials != 0.0
        sums = np.bincount(table.owner, weights=weights, minlength=tensors)
        folded = np.asarray(sums, np.float64)
    if table.team is None:
        return folded
    how: Literal["add", "min", "max"] = "min" if operator == "min" else "max"
    return table.team.fold(how if operator in ("min", "max") else "add", folded, table.rows)


def _finished(operator: str, total: Any, count: Any) -> Any:
    if operator == "norm":
        return np.sqrt(total)
    if operator == "mean":
        return total / count
    if operator == "rms":
        return np.sqrt(total / count)
    return total
