"""A kernel that puts one column of partial sums among those of other tables."""

from __future__ import annotations

from typing import Any

from optdsl.codegen.support.cuda.words import (
    THREADS,
    block_index,
    float64,
    kernel,
    read,
    thread_index,
    write,
)


@kernel("gather")
def gathered(
    source: Any, width: Any, column: Any, count: Any, target: Any, wide: Any, place: Any
) -> None:
    """Copy a column of rows of `width` numbers to column `place` of rows of `wide` numbers."""
    index = block_index() * THREADS + thread_index()
    if index < count:
        found = read(float64, source, index * width + column)
        write(float64, target, index * wide + place, found)
