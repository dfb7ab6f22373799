"""Tables: the tensors of one call, cut into chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Indices = npt.NDArray[np.int64]


Numbers = npt.NDArray[np.float64]


class Team(Protocol):
    """Processes that each hold a part of the same tensors."""

    def fold(self, how: Literal["add", "min", "max"], numbers: Numbers, rows: Indices) -> Numbers:
        """Return what the numbers of all processes fold to, one for each of the tensors `rows`."""
        ...


@dataclass(frozen=True)
class Table:
    """Some tensors, seen through several streams, and how they are cut into chunks.

    `rows` has for each tensor its row in `cohort` and `tensor`, `sizes` how many
    entries it has; `owner` says for each chunk which tensor of the table it is cut from.
    Where a `team` holds the tensors, `sizes` counts what all of it has, the rest what is here.
    """

    rows: Indices
    sizes: Numbers
    owner: Indices
    team: Team | None = field(default=None, kw_only=True)

    @property
    def chunks(self) -> int:
        """How many chunks there are: the rows that `partials` needs."""
        return len(self.owner)

    def cohorts(self, cohort: Indices) -> Indices:
        """Return for each tensor its row in `scalars`."""
        return cohort[self.rows]

    def a_cohort(self, cohort: Indices) -> int:
        """Return the row in `scalars` of any tensor: for numbers that all cohorts share."""
        return int(cohort[self.rows[0]]) if len(self.rows) else 0


@dataclass(frozen=True)
class WholeTensors(Table):
    """A table with one chunk a tensor, as NumPy computes."""

    arrays: tuple[tuple[Array, ...], ...]


def bind_whole(arrays: Sequence[Sequence[Array]], identities: Sequence[int]) -> WholeTensors:
    """Return the table of `arrays`: one list a stream, one array a tensor."""
    tensors = tuple(zip(*arrays, strict=True))
    return WholeTensors(
        rows=np.asarray(identities, np.int64),
        sizes=np.array([each[0].size for each in tensors], np.float64),
        owner=np.arange(len(tensors)),
        arrays=tensors,
    )


def join_tables(tables: Sequence[Table]) -> Table:
    """Return a table of the tensors of several, to fold their partial sums one behind the other."""
    counts = np.cumsum([0, *(len(table.rows) for table in tables)])
    return Table(
        rows=np.concatenate([table.rows for table in tables]),
        sizes=np.concatenate([table.sizes for table in tables]),
        owner=np.concatenate([t.owner + n for t, n in zip(tables, counts, strict=False)]),
        team=tables[0].team,
    )
