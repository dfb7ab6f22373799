import json

import numpy as np
import pytest

from optdsl.training import Batches, PlateauPacing, Shuffle, SortedCurriculum, TrainingError
from optdsl.training.errors import StateError


def walk(batches, epochs):
    """Return (epoch, rows) of each batch until `epochs` epochs are done."""
    seen = []
    while batches.epoch < epochs:
        epoch = batches.epoch
        seen += [(epoch, rows.tolist()) for rows in batches]
    return seen


def test_batches_cut_the_order():
    shuffle = Shuffle(7, seed=1)
    batches = Batches(shuffle, size=3)
    for epoch in range(3):
        pieces = [rows.tolist() for rows in batches]
        assert [len(piece) for piece in pieces] == [3, 3, 1]
        assert [row for piece in pieces for row in piece] == shuffle.order(epoch).tolist()


def test_a_smaller_last_batch_can_be_dropped():
    shuffle = Shuffle(7, seed=1)
    pieces = [rows.tolist() for rows in Batches(shuffle, size=3, drop_last=True)]
    assert [row for piece in pieces for row in piece] == shuffle.order(0)[:6].tolist()
    full = [rows.tolist() for rows in Batches(Shuffle(6), size=3, drop_last=True)]
    assert [len(piece) for piece in full] == [3, 3]


def test_a_loop_that_was_left_goes_on_behind_its_last_batch():
    unbroken = walk(Batches(Shuffle(10, seed=2), size=3), 2)
    batches = Batches(Shuffle(10, seed=2), size=3)
    first = next(iter(batches)).tolist()
    assert [(0, first), *walk(batches, 2)] == unbroken


@pytest.mark.parametrize("taken", range(9))
def test_a_run_resumes_exactly_from_any_batch(taken):
    unbroken = walk(Batches(Shuffle(10, seed=2), size=3), 2)
    batches = Batches(Shuffle(10, seed=2), size=3)
    seen = []
    while len(seen) < taken:
        for rows in batches:
            seen.append((batches.epoch, rows.tolist()))
            if len(seen) == taken:
                break
    state = json.loads(json.dumps(batches.state_dict()))
    resumed = Batches(Shuffle(10, seed=2), size=3)
    resumed.load_state_dict(state)
    assert seen + walk(resumed, 2) == unbroken


def test_another_order_is_refused_and_nothing_changes():
    batches = Batches(Shuffle(10, seed=2), size=3)
    next(iter(batches))
    other = Batches(Shuffle(10, seed=3), size=3)
    before = other.state_dict()
    with pytest.raises(StateError, match="another order for epoch 0"):
        other.load_state_dict(batches.state_dict())
    assert other.state_dict() == before


def test_a_state_of_other_batches_is_refused():
    state = Batches(Shuffle(10), size=3).state_dict()
    with pytest.raises(StateError, match="`size` is 4 here and 3 in the state"):
        Batches(Shuffle(10), size=4).load_state_dict(state)
    with pytest.raises(StateError, match="has no `epoch`"):
        Batches(Shuffle(10), size=3).load_state_dict(
            {name: value for name, value in state.items() if name != "epoch"}
        )
    with pytest.raises(TrainingError, match="epoch is 'x'"):
        Batches(Shuffle(10), size=3).load_state_dict({**state, "epoch": "x"})


def test_an_epoch_without_a_batch_is_refused():
    with pytest.raises(TrainingError, match="epoch 0 has 3 examples and no batch of 4"):
        next(iter(Batches(Shuffle(3), size=4, drop_last=True)))


def test_an_order_of_ones_own_will_do():
    class Backwards:
        def order(self, epoch):
            return np.arange(4)[::-1]

    assert [rows.tolist() for rows in Batches(Backwards(), size=2)] == [[3, 2], [1, 0]]


def curriculum_of(pacing):
    return Batches(SortedCurriculum([1, 2, 3, 4], pacing=pacing), size=1)


def test_an_epoch_has_one_order_though_its_pacing_moves():
    pacing = PlateauPacing(levels=4)
    batches = curriculum_of(pacing)
    walked = []
    for rows in batches:
        walked += rows.tolist()
        pacing.update(1.0)
    assert walked == [0]
    assert pacing(1) == 0.25  # one value, so far the best
    pacing.update(2.0)
    assert [rows.tolist() for rows in batches] == [[0], [1]]


def test_a_pacing_is_loaded_before_the_batches_that_follow_it():
    pacing = PlateauPacing(levels=4)
    for metric in (1.0, 2.0):
        pacing.update(metric)
    batches = curriculum_of(pacing)
    next(iter(batches))
    state = batches.state_dict()

    fresh = PlateauPacing(levels=4)
    resumed = curriculum_of(fresh)
    with pytest.raises(StateError, match="load its pacing first"):
        resumed.load_state_dict(state)
    fresh.load_state_dict(pacing.state_dict())
    resumed.load_state_dict(state)
    assert [rows.tolist() for rows in resumed] == [[1]]
