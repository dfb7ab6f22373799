import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optdsl.training import (
    LinearPacing,
    MixedCurriculum,
    PlateauPacing,
    RootPacing,
    SortedCurriculum,
    TrainingError,
)

LENGTHS = np.repeat([30, 10, 20, 40], 500)  # levels 3, 1, 2, 4


def share(value):
    return lambda epoch: value


@given(
    difficulty=st.lists(st.integers(0, 5), min_size=1, max_size=30),
    seed=st.integers(0, 2**64 - 1),
    epoch=st.integers(0, 1000),
)
def test_sorted_holds_every_example_once_from_easy_to_difficult(difficulty, seed, epoch):
    order = SortedCurriculum(difficulty, seed).order(epoch)
    assert sorted(order) == list(range(len(difficulty)))
    assert [difficulty[row] for row in order] == sorted(difficulty)


def test_equally_difficult_examples_change_places_every_epoch():
    curriculum = SortedCurriculum([1] * 30 + [0] * 30, seed=4)
    orders = [curriculum.order(epoch).tolist() for epoch in range(3)]
    assert all(set(order[:30]) == set(range(30, 60)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    again = SortedCurriculum([1] * 30 + [0] * 30, seed=4)
    assert [again.order(epoch).tolist() for epoch in (2, 1, 0)] == orders[::-1]


def test_sorted_opens_as_its_pacing_says():
    curriculum = SortedCurriculum([5, 1, 4, 2, 3], pacing=LinearPacing(start=0.2, epochs=4))
    opened = [curriculum.order(epoch).tolist() for epoch in range(6)]
    easiest_first = [1, 3, 4, 2, 0]
    assert opened == [easiest_first[:count] for count in (1, 2, 3, 4, 5, 5)]


@pytest.mark.parametrize(
    ("value", "count"), [(1e-6, 1), (0.1, 1), (0.11, 2), (3 * 0.1, 3), (0.7 + 0.1, 8), (1.0, 10)]
)
def test_a_share_opens_whole_levels(value, count):
    assert SortedCurriculum(np.arange(10), pacing=share(value)).order(0).size == count


def test_levels_are_ranges_of_rank_and_ties_stay_together():
    difficulty = [0.0, 0.1, 0.1, 0.1, 7.0, 9.0]
    curriculum = SortedCurriculum(difficulty, pacing=share(0.5), levels=2)
    assert set(curriculum.order(0)) == {0, 1, 2, 3}
    within_levels = {tuple(curriculum.order(epoch)) for epoch in range(20)}
    assert len(within_levels) > 1, "examples of one level change places"
    assert SortedCurriculum([2, 2, 2], pacing=share(0.1), levels=3).order(0).size == 3


def counts_by_level(curriculum, epoch=0):
    values, counts = np.unique(LENGTHS[curriculum.order(epoch)], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_mixed_draws_evenly_from_all_levels():
    counts = counts_by_level(MixedCurriculum(LENGTHS, seed=1, mix=1.0))
    assert sum(counts.values()) == 2000
    assert set(counts) == {10, 20, 30, 40}
    assert sum((count - 500) ** 2 / 500 for count in counts.values()) < 16.3  # 99.9 %, 3 degrees


def test_mixed_draws_evenly_from_levels_though_they_are_unequal():
    rare = np.array([1] * 990 + [2] * 10)
    drawn = rare[MixedCurriculum(rare, mix=1.0).order(0)]
    assert 420 < np.count_nonzero(drawn == 2) < 580  # five deviations around one half


@pytest.mark.parametrize(("opened", "level"), [(0.25, 10), (0.5, 20), (0.75, 30), (1.0, 40)])
def test_naive_draws_from_the_highest_open_level_alone(opened, level):
    naive = MixedCurriculum(LENGTHS, pacing=share(opened), mix=0.0)
    assert counts_by_level(naive) == {level: 2000}


def test_combined_shows_difficult_examples_from_the_beginning():
    counts = counts_by_level(MixedCurriculum(LENGTHS, pacing=share(0.25), mix=0.5))
    assert set(counts) == {10, 20, 30, 40}
    expected = {10: 1250, 20: 250, 30: 250, 40: 250}
    assert sum((counts[k] - expected[k]) ** 2 / expected[k] for k in counts) < 16.3


def test_all_examples_of_a_level_are_drawn():
    drawn = MixedCurriculum([1, 2, 2, 2, 2], mix=0.0)
    assert {int(row) for epoch in range(50) for row in drawn.order(epoch)} == {1, 2, 3, 4}


def test_mixed_depends_on_seed_and_epoch_alone():
    one, other = (MixedCurriculum(LENGTHS, seed=5) for _ in range(2))
    forwards = [one.order(epoch).tolist() for epoch in range(3)]
    assert [other.order(epoch).tolist() for epoch in (2, 1, 0)] == forwards[::-1]
    assert MixedCurriculum(LENGTHS, seed=6).order(0).tolist() != forwards[0]
    assert len({tuple(order) for order in forwards}) == 3


@pytest.mark.parametrize("difficulty", [[], [[1, 2]], ["a", "b"], 3.0, [1j]])
def test_difficulties_are_one_number_an_example(difficulty):
    with pytest.raises(TrainingError, match="give one number for each example"):
        SortedCurriculum(difficulty)


def test_a_difficulty_that_is_not_a_number_is_named():
    with pytest.raises(TrainingError, match="the difficulty of example 1 is nan"):
        MixedCurriculum([1.0, np.nan, np.inf])


@pytest.mark.parametrize("value", [0.0, -0.1, 1.1, np.nan, "all"])
@pytest.mark.parametrize("kind", [SortedCurriculum, MixedCurriculum])
def test_a_pacing_outside_its_domain_is_refused(kind, value):
    with pytest.raises(TrainingError, match="the pacing of epoch 3 is"):
        kind([1, 2], pacing=share(value)).order(3)


@pytest.mark.parametrize("mix", [-0.1, 1.1, np.nan])
def test_a_mix_outside_its_domain_is_refused(mix):
    with pytest.raises(TrainingError, match="the mix is"):
        MixedCurriculum([1, 2], mix=mix)


def test_linear_and_root_pacing_meet_at_both_ends():
    linear, root = LinearPacing(0.1, 10), RootPacing(0.1, 10)
    assert linear(0) == root(0) == 0.1
    assert linear(10) == root(10) == linear(11) == root(1000) == 1.0
    assert linear(5) == pytest.approx(0.55, rel=1e-15)
    assert root(5) == pytest.approx(((0.01 + 1) / 2) ** 0.5, rel=1e-15)


@pytest.mark.parametrize("kind", [LinearPacing, RootPacing])
@pytest.mark.parametrize(("start", "epochs"), [(0.0, 3), (1.1, 3), (0.5, 0), (0.5, 1.5)])
def test_a_pacing_with_bad_settings_is_refused(kind, start, epochs):
    with pytest.raises(TrainingError):
        kind(start, epochs)


def test_plateau_pacing_opens_a_level_when_progress_stops():
    pacing = PlateauPacing(levels=3, patience=2, mode="max", min_delta=0.1)
    metrics = [0.5, 0.55, 0.58, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]
    shares = []
    for epoch, metric in enumerate(metrics):
        pacing.update(metric)
        shares.append(pacing(epoch))
    third = 1 / 3
    assert shares == [third, third, 2 * third, *[2 * third] * 3, 1, 1, 1, 1]


@pytest.mark.parametrize("cut", range(7))
def test_plateau_pacing_resumes_exactly(cut):
    metrics = [0.5, 0.6, 0.4, 0.3, 0.4, 0.4]
    unbroken = PlateauPacing(levels=4, patience=2)
    expected = [unbroken.update(metric) for metric in metrics]
    first, second = (PlateauPacing(levels=4, patience=2) for _ in range(2))
    got = [first.update(metric) for metric in metrics[:cut]]
    second.load_state_dict(first.state_dict())
    assert got + [second.update(metric) for metric in metrics[cut:]] == expected
    assert second.level == unbroken.level == 2


def test_plateau_pacing_refuses_the_state_of_another():
    with pytest.raises(TrainingError, match="`levels` is 3 here and 4 in the state"):
        PlateauPacing(levels=3).load_state_dict(PlateauPacing(levels=4).state_dict())
    with pytest.raises(TrainingError, match="`patience` is 1 here and 2 in the state"):
        PlateauPacing(levels=4).load_state_dict(PlateauPacing(levels=4, patience=2).state_dict())
