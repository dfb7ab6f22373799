import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optdsl.training import EarlyStopping, MetricWarning, TrainingError
from optdsl.training.errors import StateError

NAN, INF = float("nan"), float("inf")


def run(stopping, metrics):
    """Return (improved, stop, stale) of each value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetricWarning)
        seen = [stopping.update(metric) for metric in metrics]
    return [(each.improved, each.stop, each.stale) for each in seen]


def test_stops_after_as_many_values_without_improvement_as_patience():
    assert run(EarlyStopping(patience=2), [3, 2, 2, 1, 1, 5]) == [
        (True, False, 0),
        (True, False, 0),
        (False, False, 1),
        (True, False, 0),
        (False, False, 1),
        (False, True, 2),
    ]


def test_in_max_mode_more_is_better():
    metrics = [0.1, 0.3, 0.2, 0.3, 0.31]
    seen = run(EarlyStopping(patience=9, mode="max"), metrics)
    assert [improved for improved, _, _ in seen] == [True, True, False, False, True]


@pytest.mark.parametrize(("mode", "sign"), [("min", 1), ("max", -1)])
def test_an_improvement_is_more_than_min_delta(mode, sign):
    stopping = EarlyStopping(patience=9, mode=mode, min_delta=0.25)
    seen = run(stopping, [sign * metric for metric in (2.0, 1.875, 1.75, 1.5, 1.0)])
    assert [improved for improved, _, _ in seen] == [True, False, False, True, True]
    assert stopping.best == sign * 1.0


def test_small_gains_add_up():
    stopping = EarlyStopping(patience=3, min_delta=1.0)
    seen = run(stopping, [10, 9.5, 9.0, 8.5])
    assert [improved for improved, _, _ in seen] == [True, False, False, True]
    assert (stopping.best, stopping.best_evaluation, stopping.evaluations) == (8.5, 4, 4)


def test_nan_is_no_improvement_and_is_said():
    stopping = EarlyStopping(patience=2)
    with pytest.warns(MetricWarning, match="the metric is NaN, which is no improvement: 1 of 2"):
        progress = stopping.update(NAN)
    assert (progress.improved, progress.stop, progress.stale) == (False, False, 1)
    assert "NaN" in progress.message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert stopping.update(1.0).improved, "a number after a NaN is the best so far"


def test_nan_all_along_stops_and_leaves_nothing_to_restore():
    stopping = EarlyStopping(patience=3, mode="max")
    w = np.ones(2)
    with pytest.warns(MetricWarning):
        assert [stopping.update(NAN, w).stop for _ in range(3)] == [False, False, True]
    with pytest.raises(TrainingError, match="no value was an improvement"):
        stopping.restore(w)


def test_nan_does_not_hide_a_best_value():
    assert run(EarlyStopping(patience=9), [1.0, NAN, 1.5, 0.5]) == [
        (True, False, 0),
        (False, False, 1),
        (False, False, 2),
        (True, False, 0),
    ]


@pytest.mark.parametrize(("mode", "worst"), [("min", INF), ("max", -INF)])
def test_the_worst_value_there_is_improves_nothing(mode, worst):
    seen = run(EarlyStopping(patience=1, mode=mode), [worst, -worst, -worst])
    assert seen == [(False, True, 1), (True, False, 0), (False, True, 1)]


def test_the_best_parameters_come_back():
    parameters = {"w": np.zeros((2, 3), np.float32), "layers": [np.zeros(2), np.zeros(())]}
    stopping = EarlyStopping(patience=5)
    for number, metric in enumerate((3.0, 1.0, 2.0), start=1):
        parameters["w"] += number
        parameters["layers"][0] -= number
        parameters["layers"][1][...] = number
        stopping.update(metric, parameters)
    w = parameters["w"]
    stopping.restore(parameters)
    assert parameters["w"] is w, "restored in place"
    assert w.tolist() == [[3] * 3] * 2
    assert parameters["layers"][0].tolist() == [-3, -3]
    assert parameters["layers"][1] == 2


def test_a_best_value_without_parameters_cannot_be_restored():
    stopping, w = EarlyStopping(patience=5), np.ones(1)
    stopping.update(2.0, w)
    stopping.update(1.0)
    with pytest.raises(TrainingError, match="evaluation 2 was the best and came without"):
        stopping.restore(w)


def read_only():
    array = np.ones(2)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a": np.ones(2), "b": np.ones(3)}, r"`b` has the shape \(3,\), and \(2,\) in what"),
        ({"a": np.ones(2), "c": np.ones(2)}, "`b` is only in what was kept"),
        ({"a": np.ones(2), "b": np.ones(2, np.float32)}, "`b` is float32, and float64"),
        ({"a": np.ones(2), "b": read_only()}, "`b` is read-only"),
        ({"a": np.ones(2), "b": [1.0, 1.0]}, r"`b\[0\]` is of type float"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(other, message):
    stopping = EarlyStopping(patience=1)
    stopping.update(1.0, {"a": np.zeros(2), "b": np.zeros(2)})
    with pytest.raises(TrainingError, match=message):
        stopping.restore(other)
    assert other["a"].tolist() == [1, 1]


METRICS = st.lists(st.sampled_from([NAN, INF, -INF, 0.0, 0.5, 1.0, 1.5, 2.0]), max_size=12)


@given(metrics=METRICS, cut=st.integers(0, 12), mode=st.sampled_from(["min", "max"]))
def test_a_run_resumes_exactly_from_any_value(metrics, cut, mode):
    unbroken = EarlyStopping(patience=2, mode=mode, min_delta=0.5)
    expected = run(unbroken, metrics)
    first, second = (EarlyStopping(patience=2, mode=mode, min_delta=0.5) for _ in range(2))
    seen = run(first, metrics[:cut])
    second.load_state_dict(first.state_dict())
    assert seen + run(second, metrics[cut:]) == expected
    assert second.state_dict() == unbroken.state_dict()


def test_the_best_parameters_are_part_of_the_state():
    w, stopping = np.array([1.0, 2.0]), EarlyStopping(patience=1)
    stopping.update(0.5, [w])
    state = stopping.state_dict()
    w += 10
    state["parameters"][0] += 100
    resumed = EarlyStopping(patience=1)
    resumed.load_state_dict(stopping.state_dict())
    resumed.restore([w])
    assert w.tolist() == [1, 2]


def test_a_state_of_another_is_refused_and_nothing_changes():
    state = EarlyStopping(patience=3).state_dict()
    stopping = EarlyStopping(patience=2)
    stopping.update(0.5)
    before = stopping.state_dict()
    for bad, message in (
        (state, "`patience` is 2 here and 3 in the state"),
        ({**before, "kind": "SnapshotEnsemble"}, "`kind` is 'EarlyStopping' here"),
        ({**before, "more": 1}, "unknown `more`"),
        ([1], "of type list"),
    ):
        with pytest.raises(StateError, match=message):
            stopping.load_state_dict(bad)
    with pytest.raises(TrainingError, match="stale is -1"):
        stopping.load_state_dict({**before, "best": 0.1, "stale": -1})
    assert stopping.state_dict() == before


@pytest.mark.parametrize(
    "settings",
    [
        {"patience": 0},
        {"patience": 1.5},
        {"patience": 1, "mode": "low"},
        {"patience": 1, "min_delta": -1},
        {"patience": 1, "min_delta": NAN},
        {"patience": 1, "min_delta": INF},
    ],
)
def test_a_setting_outside_its_domain_is_refused(settings):
    with pytest.raises(TrainingError, match=r"give (a|one)"):
        EarlyStopping(**settings)


@pytest.mark.parametrize("metric", [None, "low", np.ones(2), 1j])
def test_a_metric_is_one_real_number(metric):
    stopping = EarlyStopping(patience=1)
    with pytest.raises(TrainingError, match="give one real number"):
        stopping.update(metric)
    assert stopping.evaluations == 0
