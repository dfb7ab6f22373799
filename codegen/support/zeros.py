"""How a table tells a kernel of what dtype its arrays are: by a zero of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from optdsl.runtime.formats import SCALE

#: One zero for each dtype that kernels read in a way of their own, by the name of the dtype.
ZEROS: dict[str, Any] = {
    "bfloat16": np.uint16(0), "float16": np.int16(0), "uint8": np.uint8(0),
}  # fmt: skip


def zero_of(dtype: Any) -> Any:
    """Return the zero that tells a kernel of what dtype an array is.

    Raises:
        TypeError: kernels do not read this dtype.
    """
    if dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        return dtype.type(0)
    if dtype.name not in ZEROS:
        raise TypeError(f"arrays must be float32, float64 or bfloat16, not {dtype}")
    return ZEROS[dtype.name]


def byte_offsets(offsets: Any, arrays: Sequence[Any]) -> Any:
    """Return how many bytes into each array some entries lie: one column an array.

    Of a state in blocks, these are the offsets of the records that they are in.
    """
    columns = []
    for column, array in enumerate(arrays):
        if array.dtype == np.uint8:
            record = array.shape[1]
            columns.append(offsets[:, column] // (record - SCALE) * record)
        else:
            columns.append(offsets[:, column] * array.dtype.itemsize)
    return np.stack(columns, axis=1)
