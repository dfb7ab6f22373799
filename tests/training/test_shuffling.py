import itertools
from collections import Counter

import numpy as np
import pytest

from optdsl.training import Shuffle, TrainingError


def test_every_epoch_holds_every_example_once():
    shuffle = Shuffle(101, seed=7)
    for epoch in range(5):
        assert sorted(shuffle.order(epoch)) == list(range(101))


def test_an_order_depends_on_seed_and_epoch_alone():
    forwards = [Shuffle(50, seed=3).order(epoch).tolist() for epoch in range(4)]
    shuffle = Shuffle(50, seed=3)
    backwards = [shuffle.order(epoch).tolist() for epoch in reversed(range(4))]
    assert backwards[::-1] == forwards


def test_seeds_and_epochs_give_different_orders():
    orders = {tuple(Shuffle(50, seed).order(epoch)) for seed in range(10) for epoch in range(10)}
    assert len(orders) == 100


def test_an_order_stays_the_same_for_ever():
    assert Shuffle(8, seed=0).order(0).tolist() == [0, 2, 1, 5, 4, 3, 6, 7]
    assert Shuffle(8, seed=2**64 - 1).order(2**40).tolist() == [4, 1, 6, 5, 2, 7, 0, 3]


def test_all_orders_are_equally_likely():
    shuffle = Shuffle(4, seed=11)
    counts = Counter(tuple(map(int, shuffle.order(epoch))) for epoch in range(24_000))
    assert set(counts) == set(itertools.permutations(range(4)))
    chi_squared = sum((count - 1000) ** 2 / 1000 for count in counts.values())
    assert chi_squared < 49.7  # the 99.9 % quantile at 23 degrees of freedom


def test_the_global_generator_has_no_part_in_it():
    orders = []
    for seed in (1, 2):
        np.random.seed(seed)
        orders.append(Shuffle(20).order(0).tolist())
    assert orders[0] == orders[1]


@pytest.mark.parametrize(
    ("count", "seed"), [(0, 0), (-1, 0), (2.5, 0), (5, -1), (5, 2**64), (5, "a"), (True, 0)]
)
def test_what_is_no_count_or_seed_is_refused(count, seed):
    with pytest.raises(TrainingError, match="give a whole number"):
        Shuffle(count, seed)


def test_an_epoch_is_counted_from_zero():
    with pytest.raises(TrainingError, match="the epoch is -1: give a whole number from 0 on"):
        Shuffle(5).order(-1)
