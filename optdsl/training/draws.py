"""Random numbers that a seed, an epoch and a purpose fix for ever.

They are made of the raw 64-bit words of the counter-based generator Philox 4x64 with ten rounds:
key (seed, epoch), the purpose in the counter's highest word. NumPy promises that the words of
its bit generators stay the same, but not what `Generator.permutation` makes of them (NEP 19).
So what is made of them here is written out, and an order can be made again years later.

Source: Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from optdsl.training.checking import whole

Rows: TypeAlias = npt.NDArray[np.int64]

LIMIT = 2**64  # seeds and epochs fill one word of the key each


def seed_of(value: object) -> int:
    """Return a seed as an int in [0, 2^64)."""
    return whole(value, "the seed", 0, LIMIT)


def words(seed: int, epoch: int, purpose: int, count: int) -> npt.NDArray[np.uint64]:
    """Return the first `count` 64-bit words of one stream."""
    key = np.array([seed, whole(epoch, "the epoch", 0, LIMIT)], dtype=np.uint64)
    counter = np.array([0, 0, 0, purpose], dtype=np.uint64)
    return np.random.Philox(counter=counter, key=key).random_raw(count)


def permutation(seed: int, epoch: int, purpose: int, count: int) -> Rows:
    """Return 0 to count-1 in random order: the places of `count` random words, sorted by size.

    Two equal words would bias the order; for a million of them that happens once in 10^7 epochs.
    """
    return np.argsort(words(seed, epoch, purpose, count), kind="stable").astype(np.int64)


def uniform(seed: int, epoch: int, purpose: int, count: int) -> npt.NDArray[np.float64]:
    """Return `count` numbers in [0, 1), multiples of 2^-53."""
    top = words(seed, epoch, purpose, count) >> np.uint64(11)
    return top.astype(np.float64) * 2.0**-53


def below(bounds: Rows, draws: npt.NDArray[np.float64]) -> Rows:
    """Return whole numbers in [0, bound), one for each draw from [0, 1)."""
    return np.floor(draws * bounds).astype(np.int64)
