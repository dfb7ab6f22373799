"""Tables of addresses for passes that tell rows and columns apart: chunks are blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from optdsl.codegen.support.chunks import CHUNK, ChunkedTensors, Cut, chunked
from optdsl.codegen.support.tables import Array, Indices
from optdsl.runtime.shapes import Form, block_count, matrix_shape, rows_in_block

#: The longest piece of a row that is worked on at once.
LONGEST = CHUNK


def as_rows(*forms: Form) -> Callable[..., ChunkedTensors]:
    """Return the function that makes a table of arrays of these forms, one a stream.

    The first stream has a value an entry: it tells the shape of each tensor.
    """

    def bind(arrays: Sequence[Sequence[Array]], identities: Sequence[int]) -> ChunkedTensors:
        return chunked(arrays, identities, partial(_cut, forms))

    return bind


def _cut(forms: tuple[Form, ...], shapes: list[tuple[int, ...]], streams: int) -> Cut:
    """Cut tensors into blocks of rows."""
    seen = [matrix_shape(shape) for shape in shapes]
    height, width = (np.array([shape[axis] for shape in seen], np.int64) for axis in (0, 1))
    pieces = np.array([block_count(*shape) for shape in seen], np.int64)
    step = np.array([rows_in_block(*shape) for shape in seen], np.int64)
    owner = np.repeat(np.arange(len(seen)), pieces)
    block = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    first, columns = block * step[owner], width[owner]
    counts = np.minimum(height[owner] - first, step[owner])
    offsets = np.stack([_offset(form, block, first, columns) for form in forms], axis=1)
    return Cut(owner, first * columns, counts, columns, offsets)


def _offset(form: Form, block: Indices, first: Indices, columns: Indices) -> Indices:
    """Return where in an array of this form each block of rows begins."""
    if form == "entry":
        return first * columns
    if form == "row":
        return first
    return block * columns if form == "blocks" else np.zeros_like(first)
