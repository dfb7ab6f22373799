"""What is computed of whole matrices, tensor by tensor, alike for every CPU target.

An array of a value a row is seen as one column, one of a value a column as one row, so that
NumPy spreads them as the equations do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optdsl.codegen.support.draws import standard_normal as normal_entries
from optdsl.codegen.support.draws import standard_uniform as uniform_entries
from optdsl.codegen.support.tables import Array, Table
from optdsl.runtime.shapes import Form, matrix_shape, seen_shape

__all__ = [
    "as_matrices", "column_totals", "in_first_block", "normal_entries", "number_of", "over_axis",
    "reduced", "row_totals", "symmetric_power", "uniform_entries", "widened",
]  # fmt: skip

_EMPTY = {"min": np.inf, "max": -np.inf}


@dataclass(frozen=True)
class Matrices(Table):
    """A table of arrays that are seen as matrices, and the rows and columns of each tensor."""

    shapes: tuple[tuple[int, int], ...]
    arrays: tuple[tuple[Array, ...], ...]


def as_matrices(*forms: Form) -> Callable[..., Matrices]:
    """Return the function that makes a table of arrays of these forms, one a stream.

    The first stream has a value an entry: it tells the shape of each tensor.
    """

    def bind(arrays: Sequence[Sequence[Array]], identities: Sequence[int]) -> Matrices:
        tensors = tuple(zip(*arrays, strict=True))
        views = tuple(
            tuple(
                array.reshape(seen_shape(form, streams[0].shape))
                for form, array in zip(forms, streams, strict=True)
            )
            for streams in tensors
        )
        return Matrices(
            rows=np.asarray(identities, np.int64),
            sizes=np.array([streams[0].size for streams in tensors], np.float64),
            owner=np.arange(len(tensors)),
            shapes=tuple(matrix_shape(streams[0].shape) for streams in tensors),
            arrays=views,
        )

    return bind


def widened(array: Array) -> Array:
    """Return an array as it is computed with: float32 for formats of 16 bits."""
    return array if array.dtype.itemsize > 2 else array.astype(np.float32)


def reduced(operator: str, entries: Any, axis: int, other: Any = None) -> Any:
    """Return what a reduction keeps of each row (axis 1) or column (axis 0), in float64."""
    x = np.asarray(entries, np.float64)
    if operator in ("norm", "rms"):
        x = x * x
    elif operator == "dot":
        x = x * np.asarray(other, np.float64)
    if operator in _EMPTY:
        fold = np.min if operator == "min" else np.max
        return fold(x, axis=axis, keepdims=True, initial=_EMPTY[operator])
    if operator == "any":
        return np.any(x != 0.0, axis=axis, keepdims=True).astype(np.float64)
    return np.sum(x, axis=axis, keepdims=True)


def in_first_block(operator: str, values: Any, blocks: Array) -> None:
    """Keep what was reduced of all rows as if of the first block, and nothing for the others."""
    blocks[...] = _EMPTY.get(operator, 0.0)
    blocks[:1] = values


def row_totals(operator: str, partial: Any, count: int) -> Any:
    """Finish a reduction of `count` entries a row."""
    return _finished(operator, partial, count)


def column_totals(operator: str, blocks: Any, count: int) -> Any:
    """Finish a reduction of `count` entries a column, from its blocks, in their order."""
    if operator in _EMPTY:
        fold = np.min if operator == "min" else np.max
        return fold(blocks, axis=0, keepdims=True, initial=_EMPTY[operator])
    if operator == "any":
        return np.any(blocks != 0.0, axis=0, keepdims=True)
    return _finished(operator, np.sum(blocks, axis=0, keepdims=True), count)


def _finished(operator: str, total: Any, count: int) -> Any:
    if operator == "any":
        return total != 0.0
    if operator in ("mean", "rms"):
        total = total / count
    return np.sqrt(total) if operator in ("norm", "rms") else total


def over_axis(operator: str, values: Any, axis: int, other: Any = None) -> Any:
    """Return a reduction to a value a row (axis 1) or a column (axis 0), in float64."""
    return _finished(operator, reduced(operator, values, axis, other), values.shape[axis])


def number_of(operator: str, values: Any, other: Any = None) -> Any:
    """Return a reduction of all values of an array, in float64.

    >>> float(number_of("rms", np.array([3.0, 4.0])))
    3.5355339059327378
    """
    x = np.asarray(values)
    if other is not None:
        x, other = np.broadcast_arrays(x, other)
    total = reduced(operator, x.reshape(1, -1), 1, None if other is None else other.reshape(1, -1))
    return _finished(operator, total, x.size)[0, 0]


def symmetric_power(matrix: Any, exponent: float) -> Any:
    """Return `Q diag(lambda^exponent) Q^T` of a symmetric positive semidefinite matrix.

    Computed in float64. Eigenvalues that rounding has made negative count as zero.

    >>> symmetric_power(np.array([[4.0, 0.0], [0.0, 9.0]]), -0.5).round(12).tolist()
    [[0.5, 0.0], [0.0, 0.333333333333]]
    """
    if not np.all(np.isfinite(matrix)):
        return np.full_like(matrix, np.nan)
    numbers, vectors = np.linalg.eigh(np.asarray(matrix, np.float64))
    powers = np.maximum(numbers, 0.0) ** exponent
    result: npt.NDArray[Any] = (vectors * powers) @ vectors.T
    return result.astype(matrix.dtype)
