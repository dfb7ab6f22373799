"""Schedules by themselves, and as hyperparameters."""

import itertools

import numpy as np
import pytest
import torch

import optdsl
from optdsl.runtime import StepError, from_layout
from tests.runtime import layouts, other_layouts

Adam = from_layout(layouts.adam())
Momentum = from_layout(layouts.momentum())
Nesterov = from_layout(layouts.nesterov())
SkipAdam = from_layout(layouts.skip_adam())
WarmRestarts = from_layout(other_layouts.restarts())
Linear = from_layout(other_layouts.linear())


def test_values_are_those_of_torch():
    parameter = torch.nn.Parameter(torch.zeros(1))
    inner = torch.optim.SGD([parameter], lr=0.1)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(inner, 3, 2, eta_min=0.01)
    expected = []
    for _ in range(40):
        expected.append(theirs.get_last_lr()[0])
        inner.step()
        theirs.step()
    schedule = WarmRestarts(eta_max=0.1, eta_min=0.01, T_0=3)
    np.testing.assert_allclose(schedule.values(40), expected, rtol=1e-12)


def test_a_recipe_does_not_move():
    schedule = WarmRestarts(eta_max=0.1, T_0=3)
    first = schedule.values(10)
    cursor = schedule.start()
    walked = [cursor.next() for _ in range(10)]
    assert list(itertools.islice(schedule, 10)) == walked == first.tolist()
    assert schedule == WarmRestarts(eta_max=0.1, T_0=3) != WarmRestarts(eta_max=0.1, T_0=4)
    assert hash(schedule) == hash(WarmRestarts(eta_max=0.1, T_0=3))
    assert schedule["T_0"] == 3
    assert schedule.values(0).shape == (0,)
    with pytest.raises(StepError, match="from 0 on"):
        schedule.values(-1)


def test_a_place_may_be_asked_for_in_any_order():
    schedule = WarmRestarts(eta_max=0.1, T_0=3)
    values, cursor = schedule.values(12), schedule.start()
    for t in (5, 5, 6, 2, 12, 1):
        assert cursor.at(t) == values[t - 1]


def test_hyperparameters_of_schedules_may_be_schedules_functions_and_formulas():
    assert Linear(eta_1=0.5).values(6).tolist() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.5]
    inner = WarmRestarts(eta_max=1.0, T_0=2)
    outer = Linear(eta_1=inner, T=lambda t: 10.0)
    expected = inner.values(5) * np.minimum(1, np.arange(1, 6) / 10)
    np.testing.assert_allclose(outer.values(5), expected, rtol=1e-15)


@pytest.mark.parametrize("Rule", [Momentum, Nesterov])
def test_schedule_and_function_step_alike(Rule):
    one, two = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    schedule = WarmRestarts(eta_max=0.5, T_0=3)
    values = schedule.values(20)
    name = "momentum" if Rule is Momentum else "gamma"
    first = Rule([one], lr=schedule, **{name: schedule})
    second = Rule([two], lr=lambda t: values[t - 1], **{name: lambda t: values[t - 1]})
    for _ in range(12):
        first.step([np.sin(one)])
        second.step([np.sin(two)])
    np.testing.assert_array_equal(one, two)


def test_a_schedule_given_midway_counts_all_steps():
    one, two = np.ones(2), np.ones(2)
    schedule = WarmRestarts(eta_max=0.5, T_0=3)
    values = schedule.values(20)
    first = Adam([one], lr=0.1)
    second = Adam([two], lr=lambda t: 0.1 if t <= 3 else values[t - 1])
    for step in range(8):
        if step == 3:
            first.groups[0]["lr"] = schedule
        first.step([np.ones(2)])
        second.step([np.ones(2)])
    np.testing.assert_array_equal(one, two)


def test_a_schedule_counts_the_steps_of_the_part_that_reads_it():
    one, two = np.ones(2), np.ones(2)
    schedule = WarmRestarts(eta_max=0.5, T_0=2)
    guarded, plain = SkipAdam([one], lr=schedule), Adam([two], lr=schedule)
    for step in range(9):
        if step % 3 == 1:
            guarded.step([np.full(2, np.nan)])
        guarded.step([np.ones(2)])
        plain.step([np.ones(2)])
    np.testing.assert_array_equal(one, two)
    clocks = guarded.state_dict()["cohorts"][0]["clocks"]
    assert clocks == [12, 9]


@pytest.mark.parametrize("target", ["reference", "numba-cpu"])
def test_a_call_hands_hyperparameters_of_its_rule_on(tmp_path, target):
    path = tmp_path / "warm.opt"
    path.write_text(
        "optimizer Warm\n"
        "  hyper eta as lr   = 0.1 in [0, inf)\n"
        "  hyper n as warmup = 4   in 1..inf\n"
        "  theta[t] = theta[t-1] - Linear(eta_0=0, eta_1=eta, T=n)*g[t]\n"
    )
    made = optdsl.load(path, target)
    assert [slot.local_name for slot in made.layout.hyperparameters] == ["eta", "n", "eta_0"]
    w = np.zeros(1)
    optimizer = made([w], lr=0.5, warmup=2)
    found = []
    for _ in range(4):
        before = w[0]
        optimizer.step([np.ones(1)])
        found.append(before - w[0])
    np.testing.assert_allclose(found, [0, 0.25, 0.5, 0.5])
    optimizer.groups[0]["lr"] = 0.25
    optimizer.step([np.ones(1)])
    np.testing.assert_allclose(w, [-1.5])
