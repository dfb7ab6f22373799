"""Curricula: examples ordered by how difficult they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from optdsl.training.checking import whole, within
from optdsl.training.draws import Rows, below, seed_of, uniform, words
from optdsl.training.errors import TrainingError
from optdsl.training.pacing import Pacing

# Which stream of random words is for what; 0 shuffles.
TIES, STRATEGIES, LEVELS, EXAMPLES = 1, 2, 3, 4


class Ladder:
    """The levels of a curriculum, from the easiest up, and which of them are open.

    With `levels` given, levels are ranges of rank of about equal size; examples that are
    equally difficult share a level. Without, every difficulty that occurs is a level.
    """

    def __init__(self, difficulty: npt.ArrayLike, levels: int | None, pacing: Pacing | None):
        values = as_difficulty(difficulty)
        self.level: Rows = np.unique(values, return_inverse=True)[1]
        if levels is not None:
            count = whole(levels, "the number of levels", 1)
            rank = np.searchsorted(np.sort(values), values)
            self.level = np.unique(rank * count // values.size, return_inverse=True)[1]
        self.by_level: Rows = np.argsort(self.level, kind="stable")
        self.sizes: Rows = np.bincount(self.level)
        self.starts: Rows = np.cumsum(self.sizes) - self.sizes
        self.pacing = pacing

    def open(self, epoch: int) -> int:
        """Return how many levels are open: one at least, and of a part of a level the whole."""
        if self.pacing is None:
            return self.sizes.size
        share = within(self.pacing(epoch), f"the pacing of epoch {epoch}", 0.0, 1.0)
        if share == 0:
            raise TrainingError(f"the pacing of epoch {epoch} is 0, which opens nothing")
        # 3 times 0.1 is more than 0.3 by rounding; that shall not open a level.
        return max(1, math.ceil(share * self.sizes.size - 1e-9))


def as_difficulty(difficulty: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return difficulties as an array.

    Raises:
        TrainingError: they are not one finite number for each example.
    """
    values = np.asarray(difficulty)
    if values.ndim != 1 or not values.size or values.dtype.kind not in "biuf":
        raise TrainingError(
            f"difficulties have the shape {values.shape} and the type {values.dtype}: "
            "give one number for each example"
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise TrainingError(f"the difficulty of example {bad[0]} is {values[bad[0]]}")
    return values


class SortedCurriculum:
    """All examples that are open, once an epoch, from the easiest to the most difficult.

    With the level l[i] of example i of L levels and the share c[e] open in epoch e, the order
    holds each i with l[i] <= ceil(c[e] L), by l[i]; those of one level in a new random
    order every epoch, fixed by the seed.

    Arguments:
        difficulty: one number for each example; more is more difficult.
        seed: a whole number in [0, 2^64).
        pacing: the share that is open in an epoch; everything, if left out.
        levels: cut examples into so many levels; else every difficulty is one.

    Raises:
        TrainingError: an argument outside its domain.

    >>> from optdsl.training import LinearPacing
    >>> length = [3, 1, 2, 1]
    >>> curriculum = SortedCurriculum(length, pacing=LinearPacing(start=0.5, epochs=2))
    >>> [curriculum.order(epoch).tolist() for epoch in range(3)]
    [[1, 3, 2], [1, 3, 2, 0], [1, 3, 2, 0]]

    Source: Bengio et al. 2009, Curriculum learning; the strategy that Ruder 2016, section
    6.1, calls naive.
    """

    def __init__(
        self,
        difficulty: npt.ArrayLike,
        seed: int = 0,
        pacing: Pacing | None = None,
        levels: int | None = None,
    ) -> None:
        self.seed = seed_of(seed)
        self._ladder = Ladder(difficulty, levels, pacing)

    def order(self, epoch: int) -> Rows:
        """Return the rows of the examples that are open in `epoch`, counted from 0.

        Raises:
            TrainingError: the pacing gives no share in (0, 1].
        """
        level = self._ladder.level
        ties = words(self.seed, epoch, TIES, level.size)
        rows = np.lexsort((ties, level))
        return rows[: self._ladder.sizes[: self._ladder.open(epoch)].sum()].astype(np.int64)

    def __repr__(self) -> str:
        return f"SortedCurriculum(seed={self.seed}, {self._ladder.sizes.size} levels)"


class MixedCurriculum:
    """Draw each example at random: from all levels, or from the highest that is open.

    With L levels, of which k = ceil(c[e] L) are open in epoch e, each place of the order
    independently gets

        with probability mix:      a level drawn evenly from 1 to L
        with probability 1 - mix:  level k

    and then an example drawn evenly from that level. So mix = 1 is the mixed strategy of the
    source, mix = 0 its naive one, and what lies between its combined one: however little is open,
    some examples are difficult. An example may come twice in an epoch, or not at all.

    Arguments:
        difficulty: one number for each example; more is more difficult.
        seed: a whole number in [0, 2^64).
        pacing: the share that is open in an epoch; everything, if left out.
        mix: the share of the mixed strategy, in [0, 1].
        levels: cut examples into so many levels; else every difficulty is one.

    Raises:
        TrainingError: an argument outside its domain.

    >>> import numpy as np
    >>> from optdsl.training import LinearPacing
    >>> length = np.repeat([1, 2, 3, 4], 250)
    >>> curriculum = MixedCurriculum(length, pacing=LinearPacing(start=0.25, epochs=3))
    >>> [np.bincount(length[curriculum.order(epoch)])[1:].tolist() for epoch in (0, 3)]
    [[640, 120, 122, 118], [151, 119, 109, 621]]

    Source: Zaremba & Sutskever 2014, Learning to execute (from memory). The source
    does not say how often combined means mixed; one half is our reading.
    """

    def __init__(
        self,
        difficulty: npt.ArrayLike,
        seed: int = 0,
        pacing: Pacing | None = None,
        mix: float = 0.5,
        levels: int | None = None,
    ) -> None:
        self.seed = seed_of(seed)
        self.mix = within(mix, "the mix", 0.0, 1.0)
        self._ladder = Ladder(difficulty, levels, pacing)

    def order(self, epoch: int) -> Rows:
        """Return the rows drawn for `epoch`, counted from 0; as many as there are examples.

        Raises:
            TrainingError: the pacing gives no share in (0, 1].
        """
        ladder = self._ladder
        count = ladder.level.size
        strategy, from_all, example = (
            uniform(self.seed, epoch, purpose, count) for purpose in (STRATEGIES, LEVELS, EXAMPLES)
        )
        any_level = below(np.full(count, ladder.sizes.size), from_all)
        level = np.where(strategy < self.mix, any_level, ladder.open(epoch) - 1)
        place = ladder.starts[level] + below(ladder.sizes[level], example)
        rows: Rows = ladder.by_level[place].astype(np.int64)
        return rows

    def __repr__(self) -> str:
        levels = self._ladder.sizes.size
        return f"MixedCurriculum(seed={self.seed}, mix={self.mix:g}, {levels} levels)"
