import math

import numpy as np
import pytest

import optdsl
from optdsl.training import SnapshotEnsemble, TrainingError
from optdsl.training.errors import StateError


def restarts(rates, ensemble=None):
    """Return the steps, from 1, before which a snapshot is taken; w counts the steps done."""
    ensemble = SnapshotEnsemble() if ensemble is None else ensemble
    return [t for t, rate in enumerate(rates, 1) if ensemble.watch(rate, np.array([t - 1.0]))]


def test_a_snapshot_is_taken_before_each_restart_of_a_cosine():
    rates = [(1 + math.cos(math.pi * (t % 5) / 5)) / 2 for t in range(20)]
    ensemble = SnapshotEnsemble()
    assert restarts(rates, ensemble) == [6, 11, 16]
    assert [kept[0] for kept in ensemble.snapshots] == [5, 10, 15]


def test_shipped_warm_restarts_are_seen():
    schedule = optdsl.load("WarmRestarts", target="reference")(eta_max=1, T_0=4, T_mult=2)
    assert restarts(schedule.values(40)) == [5, 13, 29]


@pytest.mark.parametrize(
    ("rates", "steps"),
    [
        ([], []),
        ([1, 1, 1, 1], []),
        ([1, 2, 3, 4], []),  # warmup alone
        ([1, 2, 3, 2, 1, 3, 2], [6]),  # warmup, then cycles
        ([1, 2, 3, 2, 1, 2, 3, 2, 1, 2], [6, 10]),  # triangular: at its lowest points
        ([3, 2, 2, 2, 3, 3, 2, 3], [5, 8]),  # plateaus
        ([2, 1, 2, 3, 4, 1, 0, 5], [3, 8]),  # a rise of several steps is one restart
    ],
)
def test_a_restart_is_a_rise_after_a_fall(rates, steps):
    assert restarts(rates) == steps


def test_predictions_are_averaged():
    ensemble = SnapshotEnsemble()
    for value in (1.0, 2.0, 6.0):
        ensemble.add({"w": np.array([value])})
    assert len(ensemble) == 3
    inputs = np.array([1.0, 10.0])
    mean = ensemble.predict(lambda kept, x: kept["w"] * x, inputs)
    assert mean.tolist() == [3.0, 30.0]


def test_float32_predictions_are_rounded_once():
    ensemble = SnapshotEnsemble()
    values = np.array([1e8, 1.0, -1e8], np.float32)
    for value in values:
        ensemble.add(np.array([value]))
    mean = ensemble.predict(lambda kept, x: kept, None)
    assert mean.dtype == np.float32
    assert mean[0] == np.float32(1 / 3)


def test_only_the_last_are_kept():
    ensemble = SnapshotEnsemble(last=2)
    for value in range(5):
        ensemble.add(np.array([value]))
    assert [int(kept[0]) for kept in ensemble.snapshots] == [3, 4]


def test_snapshots_are_copies():
    w, ensemble = np.zeros(2), SnapshotEnsemble()
    ensemble.add([w])
    w += 1
    assert ensemble.snapshots[0][0].tolist() == [0, 0]


@pytest.mark.parametrize("cut", range(9))
def test_a_run_resumes_exactly_from_any_step(cut):
    rates = [1, 3, 2, 1, 3, 2, 1, 3]
    unbroken = SnapshotEnsemble(last=2)
    for t, rate in enumerate(rates):
        unbroken.watch(rate, np.array([t]))
    first, second = SnapshotEnsemble(last=2), SnapshotEnsemble(last=2)
    for t, rate in enumerate(rates[:cut]):
        first.watch(rate, np.array([t]))
    second.load_state_dict(first.state_dict())
    for t, rate in enumerate(rates[cut:], cut):
        second.watch(rate, np.array([t]))
    assert second.state_dict() == unbroken.state_dict()
    assert [int(kept[0]) for kept in second.snapshots] == [4, 7]


def test_predicting_without_snapshots_is_refused():
    with pytest.raises(TrainingError, match="there are no snapshots"):
        SnapshotEnsemble().predict(lambda kept, x: kept, None)


def test_labels_have_no_mean():
    ensemble = SnapshotEnsemble()
    ensemble.add(np.ones(1))
    with pytest.raises(TrainingError, match="return probabilities or scores"):
        ensemble.predict(lambda kept, x: np.array([3]), None)


def test_predictions_of_one_shape_go_together():
    ensemble = SnapshotEnsemble()
    ensemble.add(np.array([2.0]))
    ensemble.add(np.array([3.0]))
    with pytest.raises(TrainingError, match=r"the shapes \(2,\) and \(3,\)"):
        ensemble.predict(lambda kept, x: np.ones(int(kept[0])), None)


def test_parameters_of_another_structure_are_refused():
    ensemble = SnapshotEnsemble()
    ensemble.add({"w": np.ones(2)})
    with pytest.raises(TrainingError, match="`v` is not among the snapshot before"):
        ensemble.add({"w": np.ones(2), "v": np.ones(2)})
    with pytest.raises(TrainingError, match="parameters are of type float"):
        ensemble.add(3.0)
    assert len(ensemble) == 1


@pytest.mark.parametrize("rate", [math.nan, math.inf, None])
def test_a_rate_is_a_finite_number(rate):
    with pytest.raises(TrainingError, match="the rate is"):
        SnapshotEnsemble().watch(rate, np.ones(1))


def test_settings_and_states_of_others_are_refused():
    with pytest.raises(TrainingError, match="the number of snapshots is 0"):
        SnapshotEnsemble(last=0)
    with pytest.raises(StateError, match="`last` is None here and 2 in the state"):
        SnapshotEnsemble().load_state_dict(SnapshotEnsemble(last=2).state_dict())
