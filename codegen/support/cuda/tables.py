"""Tables of a launch: which block works on which piece of which tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optdsl.codegen.support.tables import Indices


def blocks(sizes: Sequence[int] | Indices, chunk: int) -> tuple[Indices, Indices, Indices]:
    """Return for each block its tensor and which chunk of that it works on, and firsts.

    `firsts` has the first block of each tensor, and behind them how many blocks there are.

    >>> [each.tolist() for each in blocks([5, 0, 2], 4)]
    [[0, 0, 2], [0, 1, 0], [0, 2, 2, 3]]
    """
    lengths = np.asarray(sizes, np.int64)
    pieces = -(-lengths // chunk)
    firsts = np.concatenate([np.zeros(1, np.int64), np.cumsum(pieces)])
    owners = np.repeat(np.arange(len(lengths)), pieces)
    return owners, np.arange(len(owners)) - firsts[owners], firsts
