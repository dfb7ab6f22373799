"""The arrays that a tensor seen as a matrix has: its first dimension are rows, the rest columns."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

#: What an array has one of. "blocks" has a value a column for each block of rows, "strips" has
#: one a row for each strip of columns.
Form: TypeAlias = Literal["entry", "row", "column", "turned", "rows", "columns", "blocks", "strips"]

#: Forms that states have.
STATE_FORMS = ("entry", "row", "column", "turned", "rows", "columns")

#: Rows, and entries, that are worked on together at least: what is kept a block costs little then.
LEAST_ROWS, LEAST_ENTRIES = 64, 4096

#: Columns of the narrowest strip.
LEAST_COLUMNS = 64


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the rows and columns of a tensor; a vector is one row.

    >>> matrix_shape((3, 4, 5)), matrix_shape((7,)), matrix_shape(())
    ((3, 20), (1, 7), (1, 1))
    """
    return (shape[0], math.prod(shape[1:])) if len(shape) > 1 else (1, math.prod(shape))


def rows_in_block(rows: int, columns: int) -> int:
    """Return how many rows are worked on together: a function of the shape alone.

    Many are cut into as many blocks as each has rows: neither takes long to go through.

    >>> rows_in_block(4096, 1000), rows_in_block(50_257, 768), rows_in_block(10_000, 2)
    (64, 225, 2048)
    """
    narrow = -(-LEAST_ENTRIES // max(columns, 1))
    root = math.isqrt(max(rows - 1, 0)) + 1
    return max(1, min(rows, max(LEAST_ROWS, narrow, root)))


def block_count(rows: int, columns: int) -> int:
    """Return how many blocks of rows a matrix has."""
    return -(-rows // rows_in_block(rows, columns))


def strip_count(columns: int) -> int:
    """Return how many strips of columns a matrix has at most."""
    return -(-columns // LEAST_COLUMNS)


def seen_shape(form: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the shape in which matrices see an array of this form, of a tensor of this shape."""
    rows, columns = matrix_shape(shape)
    shapes = {
        "row": (rows, 1), "column": (1, columns), "turned": (columns, rows),
        "rows": (rows, rows), "columns": (columns, columns),
        "blocks": (block_count(rows, columns), columns), "strips": (rows, strip_count(columns)),
    }  # fmt: skip
    return shapes.get(form, (rows, columns))


def kept_shape(form: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape in which an array of this form is kept."""
    if form == "entry":
        return shape
    down, across = seen_shape(form, shape)
    return (down * across,) if form in ("row", "column") else (down, across)
