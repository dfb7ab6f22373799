"""Tables of addresses: tensors cut into chunks that a parallel kernel runs over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from optdsl.codegen.support.tables import Array, Indices, Table

#: Entries a chunk: small enough to balance threads and stay in cache, and many enough to vectorise.
CHUNK = 16384

#: Numba's simplest threading layer aborts when two threads launch kernels at once.
_LAUNCHING = Lock()


@dataclass(frozen=True)
class Chunks:
    """The chunks of the tensors whose streams share their dtypes.

    `addresses` has one row a chunk and one column a stream; `formats` one zero of its dtype
    a stream; `place` says which rows of `partials` belong to these chunks.
    """

    formats: tuple[Any, ...]
    addresses: Indices
    counts: Indices
    rows: Indices
    place: slice


@dataclass(frozen=True)
class ChunkedTensors(Table):
    """A table of addresses; it keeps the arrays alive that the addresses point into."""

    groups: tuple[Chunks, ...]
    arrays: tuple[tuple[Array, ...], ...]


def bind_chunks(arrays: Sequence[Sequence[Array]], identities: Sequence[int]) -> ChunkedTensors:
    """Return the table of `arrays`: one list a stream, one array a tensor, each contiguous."""
    tensors = tuple(zip(*arrays, strict=True))
    by_format: dict[tuple[np.dtype[Any], ...], list[int]] = {}
    for index, streams in enumerate(tensors):
        by_format.setdefault(tuple(array.dtype for array in streams), []).append(index)
    groups, owners, start = [], [np.zeros(0, np.int64)], 0
    for formats, members in by_format.items():
        _require_floats(formats)
        owner, chunks = _cut(formats, [tensors[index] for index in members], start)
        identity = np.asarray([identities[index] for index in members], np.int64)
        groups.append(Chunks(*chunks[:3], identity[owner], chunks[3]))
        owners.append(np.asarray(members, np.int64)[owner])
        start += len(owner)
    return ChunkedTensors(
        rows=np.asarray(identities, np.int64),
        sizes=np.array([each[0].size for each in tensors], np.float64),
        owner=np.concatenate(owners),
        groups=tuple(groups),
        arrays=tensors,
    )


def _cut(
    formats: tuple[np.dtype[Any], ...], tensors: list[tuple[Array, ...]], start: int
) -> tuple[Indices, tuple[Any, ...]]:
    """Cut tensors of one format into chunks; return each chunk's tensor, and the chunks."""
    sizes = np.array([streams[0].size for streams in tensors], np.int64)
    pieces = -(-sizes // CHUNK)
    owner = np.repeat(np.arange(len(tensors)), pieces)
    first = np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = (np.arange(len(owner)) - first) * CHUNK
    origins = np.array(
        [[array.ctypes.data for array in streams] for streams in tensors], np.int64
    ).reshape(len(tensors), len(formats))
    widths = np.array([dtype.itemsize for dtype in formats], np.int64)
    addresses = origins[owner] + begin[:, None] * widths
    counts = np.minimum(sizes[owner] - begin, CHUNK)
    zeros = tuple(dtype.type(0) for dtype in formats)
    return owner, (zeros, addresses, counts, slice(start, start + len(owner)))


def _require_floats(formats: tuple[np.dtype[Any], ...]) -> None:
    for dtype in formats:
        if dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise TypeError(f"arrays must be float32 or float64, not {dtype}")


def over_chunks(kernel: Callable[..., None]) -> Callable[..., None]:
    """Return the function that runs `kernel` over every chunk of a table, one launch at a time."""

    def run(
        table: ChunkedTensors,
        cohort: Indices,
        scalars: npt.NDArray[np.float64],
        tensor: npt.NDArray[np.float64],
        everything: npt.NDArray[np.float64],
        partials: npt.NDArray[np.float64],
    ) -> None:
        for group in table.groups:
            with _LAUNCHING:
                kernel(
                    group.formats, group.addresses, group.counts, group.rows, cohort,
                    scalars, tensor, everything, partials[group.place],
                )  # fmt: skip

    run.kernel = kernel  # type: ignore[attr-defined]
    return run
