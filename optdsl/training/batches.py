"""Batches: an order cut into pieces, with a place in it that can be stored."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from optdsl.training.checking import check_state, whole
from optdsl.training.draws import Rows
from optdsl.training.errors import StateError, TrainingError


class Order(Protocol):
    """What gives the rows of an epoch: `Shuffle`, a curriculum, or a class of your own."""

    def order(self, epoch: int) -> Rows:
        """Return the rows of `epoch`, counted from 0; the same whenever it is asked."""


class Batches:
    """The batches of one epoch after another, exactly resumable between any two of them.

    Batch b of an epoch with the order r is r[b*size : (b+1)*size]. A `for` loop over it walks
    what is left of the current epoch and then moves to the next. A loop that was left early
    goes on behind the last batch it was given.

    Arguments:
        order: gives the rows of an epoch.
        size: examples a batch; the last of an epoch may be smaller.
        drop_last: leave out a last batch that is smaller.

    Raises:
        TrainingError: a size that is none.

    >>> from optdsl.training import Shuffle
    >>> batches = Batches(Shuffle(5, seed=0), size=2)
    >>> [rows.tolist() for rows in batches]
    [[0, 2], [1, 4], [3]]
    >>> rows = next(iter(batches))
    >>> resumed = Batches(Shuffle(5, seed=0), size=2)
    >>> resumed.load_state_dict(batches.state_dict())
    >>> resumed.epoch, [rows.tolist() for rows in resumed] == [rows.tolist() for rows in batches]
    (1, True)

    Source: Ruder 2016, section 2.3 (mini-batch gradient descent).
    """

    def __init__(self, order: Order, size: int, drop_last: bool = False) -> None:
        self.order = order
        self.size = whole(size, "the size of a batch", 1)
        self.drop_last = bool(drop_last)
        self.epoch = 0
        self.batch = 0  # how many batches of this epoch were handed out
        self._rows: Rows | None = None  # the order that this epoch began with

    def __iter__(self) -> Iterator[Rows]:
        """Yield the batches that are left of this epoch, then move to the next epoch.

        Raises:
            TrainingError: the epoch has no batch at all.
        """
        if not self.batch and not self._next_batch().size:
            raise TrainingError(
                f"epoch {self.epoch} has {self._current().size} examples and no batch of "
                f"{self.size}: make batches smaller, or keep the last one"
            )
        while (rows := self._next_batch()).size:
            self.batch += 1
            yield rows
        self.epoch, self.batch, self._rows = self.epoch + 1, 0, None

    def _next_batch(self) -> Rows:
        rows = self._current()[self.batch * self.size : (self.batch + 1) * self.size]
        return rows[:0] if self.drop_last and rows.size < self.size else rows

    def _current(self) -> Rows:
        if self._rows is None:
            self._rows = self.order.order(self.epoch)
        return self._rows

    def state_dict(self) -> dict[str, Any]:
        """Return the place as plain data: epoch, batches handed out, checksum of the order."""
        return {
            **self._identity(),
            "epoch": self.epoch,
            "batch": self.batch,
            "checksum": None if self._rows is None else checksum(self._rows),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a stored place.

        A pacing that follows a metric must be loaded before, for the order depends on it.

        Raises:
            StateError: the batches there were of other sizes, or their order was another.
        """
        check_state(state, self._identity(), ("epoch", "batch", "checksum"))
        epoch, batch = whole(state["epoch"], "epoch", 0), whole(state["batch"], "batch", 0)
        rows = None
        if state["checksum"] is not None:
            rows = self.order.order(epoch)
            if checksum(rows) != state["checksum"]:
                raise StateError(
                    f"{self.order!r} gives another order for epoch {epoch} than the one stored: "
                    "use the same examples, seed and curriculum, and load its pacing first"
                )
        self.epoch, self.batch, self._rows = epoch, batch, rows

    def _identity(self) -> dict[str, Any]:
        return {"kind": "Batches", "size": self.size, "drop_last": self.drop_last}


def checksum(rows: Rows) -> int:
    """Return a CRC-32 of rows, the same on machines of either byte order."""
    return zlib.crc32(rows.astype("<i8").tobytes())
