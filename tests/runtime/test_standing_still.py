"""Tensors that sit out: their clocks, states and schedules stand still."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optdsl.runtime import from_layout
from tests.runtime import layouts, other_layouts

Adam = from_layout(layouts.adam())
Counted = from_layout(layouts.counted())
Nesterov = from_layout(layouts.nesterov())
WarmRestarts = from_layout(other_layouts.restarts())

PATTERNS = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=12)


def settings_of(name):
    return {
        "schedule": {"lr": WarmRestarts(eta_max=0.1, T_0=2)},
        "function": {"lr": lambda t: 0.1 / t},
        "number": {"lr": 0.1},
    }[name]


@pytest.mark.parametrize("name", ["number", "schedule", "function"])
@pytest.mark.parametrize("Rule", [Adam, Nesterov])
@settings(max_examples=25)
@given(patterns=PATTERNS)
def test_each_tensor_walks_as_if_it_were_alone(Rule, name, patterns):
    start = [np.array([1.0, 2.0]), np.array([3.0]), np.array(4.0)]
    together = [array.copy() for array in start]
    opt = Rule(together, **settings_of(name))
    alone = [array.copy() for array in start]
    others = [Rule([array], **settings_of(name)) for array in alone]
    for step, pattern in enumerate(patterns):
        gradients = [
            np.array(np.sin(array + step)) if given else None
            for array, given in zip(together, pattern, strict=True)
        ]
        taken = opt.step(gradients).taken
        assert taken == (sum(pattern),)
        for other, gradient in zip(others, gradients, strict=True):
            if gradient is not None:
                other.step([gradient])
    for one, two in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one, two)


def test_states_of_kind_step_are_a_cohorts_own():
    a, b, c = np.zeros(1), np.zeros(1), np.zeros(1)
    opt = Counted([a, b], lr=1.0)
    opt.step([np.ones(1), np.ones(1)])
    opt.step([np.ones(1), None])
    opt.step([np.ones(1), np.ones(1)])
    states = {
        int(member): float(cohort["step_state"][0])
        for cohort in opt.state_dict()["cohorts"]
        for member in cohort["members"]
    }
    assert states == {0: 3.0, 1: 2.0}
    assert opt.state_dict()["tensor"].ravel().tolist() == [4.0, 3.0]
    assert c == 0


def test_no_gradient_at_all_is_no_step():
    w = np.ones(2)
    opt = Adam({"w": w})
    state = opt.state_dict()
    assert opt.step({"w": None}).taken == (0,)
    assert not opt.step({"w": None}).skipped
    assert opt.step(lambda point: {"w": None}).taken == (0,)
    np.testing.assert_equal(opt.state_dict(), state)


def test_groups_count_for_themselves_when_one_joins_late():
    a, b, c = np.ones(2), np.ones(2), np.ones(2)
    opt, other = Adam([{"params": [a]}], lr=lambda t: 1 / t), Adam([c], lr=lambda t: 1 / t)
    opt.step([[np.ones(2)]])
    opt.step([[np.ones(2)]])
    opt.add_group({"params": [b]})
    for _ in range(3):
        opt.step([[None], [np.full(2, 0.5)]])
        other.step([np.full(2, 0.5)])
    np.testing.assert_array_equal(b, c)
