"""Tables of launches on a card: which block works on which piece of which tensor, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from optdsl.codegen.support.cuda.tables import Cut, blocks, matrix_shapes
from optdsl.codegen.support.cuda.words import THREADS
from optdsl.cuda.arrays import DeviceArray
from optdsl.cuda.device import Arguments
from optdsl.cuda.queue import Queue

Whole = npt.NDArray[np.int64]

#: Graphs that can be recorded without a plain step in between.
_GRAPHS = 4


class BlockTable:
    """The tables of tensors that take part in a pass, on the card.

    Addresses of tables are those of `owners`, `pieces`, `firsts`, `sizes`, `shapes`, `rows` and
    `addresses`; `chunks` says how many blocks there are. `given` are the arguments of launches over
    these tables, each with the generation of memory that they point into; `joint` are tables of
    this one and others. Where it `moves`, some streams are other arrays in other steps.
    """

    def __init__(
        self,
        queue: Queue,
        streams: Sequence[Sequence[DeviceArray]],
        identities: Sequence[int],
        cut: Cut,
        formats: tuple[str, ...],
        reductions: int,
        moves: bool,
    ) -> None:
        self._queue = queue
        self.tensors = len(identities)
        sizes = np.array([array.size for array in streams[0]], np.int64)
        self.entries = int(sizes.sum())
        shapes = matrix_shapes([array.shape for array in streams[0]])
        owners, chunks, firsts = blocks(cut.pieces(shapes, formats))
        extents = np.column_stack([shapes, cut.heights(shapes)])
        self.chunks = len(owners)
        rows = np.asarray(identities, np.int64)
        self._addresses = _addresses(streams, self.tensors)
        parts = (
            owners, chunks, firsts, sizes, extents.reshape(-1), rows, self._addresses.reshape(-1),
        )  # fmt: skip
        self._memory = queue.uploaded(np.concatenate(parts))
        places = self._memory.address + 8 * np.cumsum([0, *(len(part) for part in parts)])
        (
            self.owners, self.pieces, self.firsts, self.sizes, self.shapes, self.rows,
            self.addresses,
        ) = (int(place) for place in places[:-1])  # fmt: skip
        self._reserved: list[Any] = []  # for graphs that are recorded before the next plain step
        self._recorded: list[Any] = []  # what graphs copy addresses from: it stays as it is
        if moves:
            self._reserve()
        self._partials = queue.allocate(8 * self.chunks * reductions)
        self.joint: dict[Any, tuple[Any, JointTable]] = {}
        self.given: dict[tuple[str, str], tuple[int, Arguments]] = {}

    @property
    def partials(self) -> int:
        """Where the partial sums lie: float64[blocks][reductions]."""
        return self._partials.address

    def move(self, column: int, arrays: Sequence[DeviceArray]) -> bool:
        """Let a stream be other arrays of the same shapes; say whether that changed anything."""
        addresses = np.array([array.address for array in arrays], np.int64)
        if np.array_equal(addresses, self._addresses[:, column]):
            return False
        self._addresses[:, column] = addresses
        return True

    def push(self, changed: bool) -> None:
        """See that the card has the addresses as they are now, which may have changed.

        A graph gives the card its own in each replay, whatever steps there were in between; and
        once there is one, nobody knows which the card has.
        """
        if self._queue.recording:
            reserved = self._reserved.pop() if self._reserved else None
            self._queue.upload(self.addresses, self._addresses, reserved)
            self._recorded.append(reserved)
            return
        if changed or self._recorded:
            self._queue.upload(self.addresses, self._addresses)
        self._reserve()

    def _reserve(self) -> None:
        """See that uploads of addresses can be recorded in graphs."""
        if self._queue.capturable:
            while len(self._reserved) < _GRAPHS:
                self._reserved.append(self._queue.device.reserve(self._addresses.nbytes))


class JointTable:
    """What a kernel is told that folds partial sums of several tables, one behind the other.

    It finishes numbers for all tensors, and looks at none by itself; `first` is one of them. Each
    table comes with the columns of its sums that are wanted. `gathers` are the launches that
    put them there: blocks, and arguments.
    """

    def __init__(
        self,
        queue: Queue,
        parts: Sequence[tuple[BlockTable, int, tuple[int, ...]]],
        first: int,
    ) -> None:
        self.tensors = 0
        self.entries = sum(table.entries for table, _, _ in parts)
        chunks, wide = sum(table.chunks for table, _, _ in parts), len(parts[0][2])
        self._memory = queue.uploaded(np.array([chunks, first], np.int64))
        self.firsts, self.rows = self._memory.address, self._memory.address + 8
        self.sizes = self.shapes = self._memory.address  # nobody reads them
        self._sums = queue.allocate(8 * chunks * wide)
        self.partials = self._sums.address
        self.given: dict[tuple[str, str], tuple[int, Arguments]] = {}
        self.gathers: list[tuple[int, Arguments]] = []
        place = self.partials
        for table, width, columns in parts:
            blocks = -(-table.chunks // THREADS)
            for to, column in enumerate(columns if blocks else ()):
                given = [table.partials, width, column, table.chunks, place, wide, to]
                self.gathers.append((blocks, Arguments(given)))
            place += 8 * table.chunks * wide


def _addresses(streams: Sequence[Sequence[DeviceArray]], tensors: int) -> Whole:
    columns = [[array.address for array in stream] for stream in streams]
    return np.array(columns, np.int64).reshape(len(columns), tensors).T.copy()
