"""Tables of a launch: which block works on which piece of which tensor.

A cut says how tensors become pieces, one a block. Shapes are arrays of whole numbers, a row a
tensor: its rows and columns as a matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import numpy as np

from optdsl.codegen.support.cuda.words import THREADS, WARP, WARPS, lanes_of
from optdsl.codegen.support.tables import Indices
from optdsl.runtime.shapes import matrix_shape, rows_in_block

Formats = tuple[str, ...]


class Cut(Protocol):
    """How tensors are cut into pieces."""

    def pieces(self, shapes: Indices, formats: Formats) -> Indices:
        """Return how many blocks work on each tensor, where streams have these formats."""

    def heights(self, shapes: Indices) -> Indices:
        """Return how many rows of each tensor belong together."""


@dataclass(frozen=True)
class Entries:
    """Entries one behind the other, whatever rows and columns there are.

    A thread works on as many as 16 bytes hold, so many `turns`.
    """

    turns: int = 1

    def chunk(self, formats: Formats) -> int:
        """Return how many entries a block works on."""
        return THREADS * lanes_of(formats) * self.turns

    def pieces(self, shapes: Indices, formats: Formats) -> Indices:
        """Return how many blocks work on each tensor."""
        return _shares(shapes[:, 0] * shapes[:, 1], self.chunk(formats))

    def heights(self, shapes: Indices) -> Indices:
        """Return 1: rows do not matter."""
        return np.ones(len(shapes), np.int64)


class _OnDeviceAlone:
    """What layouts name as what makes a table: on the host, nothing does."""

    def __call__(self, *arguments: Any) -> NoReturn:
        """Raise a RuntimeError: arrays on the host are not what it runs on."""
        raise RuntimeError("kernels for CUDA run on arrays of a CUDA device alone")


@dataclass(frozen=True)
class Tiles(_OnDeviceAlone):
    """Matrices in tiles: as wide as the threads of a warp reach, of so many rows.

    A warp works on a tile, row by row. A `height` of 0 stands for as many rows as are worked
    on together on the host, `rows_in_block`: there are fewer sums a column then.
    """

    height: int = 0

    def heights(self, shapes: Indices) -> Indices:
        """Return how many rows the tiles of each tensor have."""
        return np.full(len(shapes), self.height) if self.height else _rows_in_blocks(shapes)

    def pieces(self, shapes: Indices, formats: Formats) -> Indices:
        """Return how many blocks work on each tensor."""
        strips = _shares(shapes[:, 1], WARP * lanes_of(formats))
        return _shares(strips * _shares(shapes[:, 0], self.heights(shapes)), WARPS)


@dataclass(frozen=True)
class Lines(_OnDeviceAlone):
    """What there is one of a row, then what there is one of a column.

    A block works on so many `rows`, or on so many `columns`; 0 stands for none.
    """

    rows: int = 0
    columns: int = 0

    def heights(self, shapes: Indices) -> Indices:
        """Return how many rows of each tensor have a sum a column."""
        return _rows_in_blocks(shapes)

    def pieces(self, shapes: Indices, formats: Formats) -> Indices:
        """Return how many blocks work on each tensor."""
        pairs = ((shapes[:, 0], self.rows), (shapes[:, 1], self.columns))
        zeros = np.zeros(len(shapes), np.int64)
        return sum((_shares(count, each) for count, each in pairs if each), zeros)


def matrix_shapes(shapes: Sequence[tuple[int, ...]]) -> Indices:
    """Return the rows and columns of tensors of these shapes, a row each."""
    return np.array([matrix_shape(shape) for shape in shapes], np.int64).reshape(-1, 2)


def blocks(pieces: Sequence[int] | Indices) -> tuple[Indices, Indices, Indices]:
    """Return for each block its tensor and which piece of that it works on, and firsts.

    `firsts` has the first block of each tensor, and behind them how many blocks there are.

    >>> [each.tolist() for each in blocks([2, 0, 1])]
    [[0, 0, 2], [0, 1, 0], [0, 2, 2, 3]]
    """
    counts = np.asarray(pieces, np.int64)
    firsts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    owners = np.repeat(np.arange(len(counts)), counts)
    return owners, np.arange(len(owners)) - firsts[owners], firsts


def _rows_in_blocks(shapes: Indices) -> Indices:
    return np.array([rows_in_block(*shape) for shape in shapes.tolist()], np.int64)


def _shares(count: Indices, each: Indices | int) -> Indices:
    """Return how many shares there are of so many things, the last one perhaps smaller."""
    return -(-count // each)
