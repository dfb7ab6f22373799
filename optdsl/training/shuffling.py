"""Shuffling: the examples in a new order every epoch."""

from __future__ import annotations

from optdsl.training.checking import whole
from optdsl.training.draws import Rows, permutation, seed_of

SHUFFLING = 0


class Shuffle:
    """A new random order of all examples every epoch, fixed by the seed.

    The order of epoch e is the permutation that sorts n random words, drawn from a stream of
    their own for each (seed, e). It depends on nothing else: not on the orders asked for
    before, the machine, or NumPy's version. So there is no state to store.

    Arguments:
        count: how many examples there are.
        seed: a whole number in [0, 2^64).

    Raises:
        TrainingError: a count or a seed that is none.

    >>> shuffle = Shuffle(6, seed=0)
    >>> shuffle.order(0), shuffle.order(1)
    (array([0, 2, 1, 5, 4, 3]), array([5, 3, 2, 4, 1, 0]))
    >>> shuffle.order(0)
    array([0, 2, 1, 5, 4, 3])

    Source: Ruder 2016, section 6.1; `draws.py` names the generator.
    """

    def __init__(self, count: int, seed: int = 0) -> None:
        self.count = whole(count, "the number of examples", 1)
        self.seed = seed_of(seed)

    def order(self, epoch: int) -> Rows:
        """Return the rows of all examples in the order of `epoch`, counted from 0."""
        return permutation(self.seed, epoch, SHUFFLING, self.count)

    def __repr__(self) -> str:
        return f"Shuffle({self.count}, seed={self.seed})"
