"""Tables of addresses: tensors cut into chunks that a kernel runs over."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from optdsl.codegen.support.frames import Frame
from optdsl.codegen.support.tables import Array, Indices, Table
from optdsl.codegen.support.threads import share
from optdsl.codegen.support.words import Kernel
from optdsl.codegen.support.zeros import byte_offsets, zero_of
from optdsl.runtime.arrays import address

#: Entries a chunk: few enough to balance threads, and that the rounding errors of a chunk's
#: sum stay small, since they grow with the number of its terms; enough to vectorise.
CHUNK = 4096

#: Entries that one thread is done with before others would have woken up.
ALONE = 32768


@dataclass(frozen=True)
class Chunks:
    """The chunks of the tensors whose streams share their dtypes.

    `addresses` has one row a chunk and one column a stream; `formats` one zero of its dtype
    a stream; `place` says which rows of `partials` belong to these chunks, `begins` which
    entry of its tensor a chunk begins with. `counts` are entries, or rows of so many `columns`.
    `calls` keeps for each kernel the call that was made last.
    """

    formats: tuple[Any, ...]
    addresses: Indices
    counts: Indices
    rows: Indices
    place: slice
    begins: Indices
    columns: Indices
    calls: dict[Kernel, Call] = field(default_factory=dict)

    @cached_property
    def entries(self) -> int:
        """How many entries all chunks have together."""
        return int((self.counts * self.columns).sum())


@dataclass(frozen=True)
class Cut:
    """How some tensors are cut: for each chunk its tensor, where it begins, how long it is.

    `offsets` says how many numbers into each array it begins, one column a stream.
    """

    owner: Indices
    begins: Indices
    counts: Indices
    columns: Indices
    offsets: Indices


@dataclass(frozen=True)
class ChunkedTensors(Table):
    """A table of addresses; who uses it keeps the arrays alive that these point into.

    `origins` says where each array begins: one row a tensor, one column a stream.
    """

    groups: tuple[Chunks, ...]
    origins: Indices

    def move(self, column: int, arrays: Sequence[Array]) -> None:
        """Let a stream be other arrays of the same shapes and dtypes: cheaper than a new table."""
        origins = np.array([address(array) for array in arrays], np.int64)
        moved = (origins - self.origins[:, column])[self.owner]
        for group in self.groups:
            group.addresses[:, column] += moved[group.place]
        self.origins[:, column] = origins


def bind_chunks(arrays: Sequence[Sequence[Array]], identities: Sequence[int]) -> ChunkedTensors:
    """Return the table of `arrays`: one list a stream, one array a tensor, each contiguous."""
    return chunked(arrays, identities, _cut)


def chunked(
    arrays: Sequence[Sequence[Array]],
    identities: Sequence[int],
    cut: Callable[[list[tuple[int, ...]], int], Cut],
) -> ChunkedTensors:
    """Return the table of `arrays`; `cut` cuts tensors of these shapes, for so many streams."""
    tensors = tuple(zip(*arrays, strict=True))
    by_format: dict[tuple[np.dtype[Any], ...], list[int]] = {}
    for index, streams in enumerate(tensors):
        by_format.setdefault(tuple(array.dtype for array in streams), []).append(index)
    origins = _origins(arrays, len(tensors))
    rows = np.asarray(identities, np.int64)
    groups: list[Chunks] = []
    owners = [np.zeros(0, np.int64)]
    for formats, members in by_format.items():
        start = sum(len(each.counts) for each in groups)
        pieces = cut([tensors[index][0].shape for index in members], len(formats))
        owner = np.asarray(members, np.int64)[pieces.owner]
        groups.append(
            Chunks(
                formats=tuple(map(zero_of, formats)),
                addresses=np.ascontiguousarray(
                    origins[owner] + byte_offsets(pieces.offsets, tensors[members[0]])
                ),
                counts=pieces.counts,
                rows=rows[owner],
                place=slice(start, start + len(owner)),
                begins=pieces.begins,
                columns=pieces.columns,
            )
        )
        owners.append(owner)
    return ChunkedTensors(
        rows=rows,
        sizes=np.array([each[0].size for each in tensors], np.float64),
        owner=np.concatenate(owners),
        groups=tuple(groups),
        origins=origins,
    )


def _cut(shapes: list[tuple[int, ...]], streams: int) -> Cut:
    """Cut tensors into chunks of CHUNK entries, whatever their shapes."""
    lengths = np.array([math.prod(shape) for shape in shapes], np.int64)
    pieces = -(-lengths // CHUNK)
    owner = np.repeat(np.arange(len(lengths)), pieces)
    first = np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = (np.arange(len(owner)) - first) * CHUNK
    count = np.minimum(lengths[owner] - begin, CHUNK)
    offsets = np.broadcast_to(begin[:, None], (len(owner), streams))
    return Cut(owner, begin, count, np.ones_like(count), offsets)


def _origins(arrays: Sequence[Sequence[Array]], tensors: int) -> Indices:
    """Return where each array begins: one row a tensor, one column a stream."""
    columns = [[address(array) for array in stream] for stream in arrays]
    return np.array(columns, np.int64).reshape(len(columns), tensors).T.copy()


class Call:
    """A kernel ready to be run over the chunks of a group, with these arrays beside them."""

    __slots__ = (
        "alone", "chunks", "cohort", "everything", "frame", "job", "partials", "scalars", "take",
        "tensor",
    )  # fmt: skip

    def __init__(
        self, kernel: Kernel, group: Chunks, cohort: Array, scalars: Array, tensor: Array,
        everything: Array, partials: Array,
    ) -> None:  # fmt: skip
        self.cohort, self.scalars, self.tensor = cohort, scalars, tensor
        self.everything, self.partials = everything, partials
        arrays = {
            "addresses": group.addresses, "counts": group.counts, "columns": group.columns,
            "rows": group.rows, "begins": group.begins, "cohort": cohort, "scalars": scalars,
            "tensor": tensor, "everything": everything, "partials": partials[group.place],
        }  # fmt: skip
        self.frame = Frame(kernel, group.formats, arrays)
        self.job, self.take = self.frame.job, self.frame.take
        self.chunks = len(group.counts)
        self.alone = group.entries <= ALONE


@dataclass(frozen=True)
class Runner:
    """Runs `kernel` over every chunk of a table."""

    kernel: Kernel

    def __call__(
        self,
        table: ChunkedTensors,
        cohort: Indices,
        scalars: npt.NDArray[np.float64],
        tensor: npt.NDArray[np.float64],
        everything: npt.NDArray[np.float64],
        partials: npt.NDArray[np.float64],
    ) -> None:
        """Run the kernel on the chunks of each group of formats."""
        for group in table.groups:
            call = group.calls.get(self.kernel)
            if call is None or not (
                call.cohort is cohort
                and call.scalars is scalars
                and call.tensor is tensor
                and call.everything is everything
                and call.partials is partials
            ):
                call = Call(self.kernel, group, cohort, scalars, tensor, everything, partials)
                group.calls[self.kernel] = call
            share(call.job, call.take, call.chunks, call.alone)


def over_chunks(kernel: Kernel) -> Runner:
    """Return what runs `kernel` over every chunk of a table."""
    return Runner(kernel)
