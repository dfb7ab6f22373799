"""What is found of functions whose equations are known."""

import numpy as np
import pytest

from optdsl.checks.implementations.courses import courses
from optdsl.checks.implementations.matching import match
from optdsl.checks.implementations.nearest import find_nearest, shipped_subject
from optdsl.checks.implementations.of_functions import is_step, of_function
from optdsl.checks.implementations.subject import NotRun
from optdsl.checks.implementations.trajectories import compare, simply


def momentum(theta, g, state, lr=0.1, momentum=0.9):
    v = momentum * (0 if state is None else state) + lr * g
    return theta - v, v


def outside(theta, g, state, lr=0.1, momentum=0.9):
    v = momentum * (0 if state is None else state) + g
    return theta - lr * v, v


def adam(theta, g, state, lr=0.001, b1=0.9, b2=0.999, eps=1e-8):
    m, v, t = state or (0, 0, 0)
    m, v, t = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2, t + 1
    root = np.sqrt(v / (1 - b2**t))
    return theta - lr * m / (1 - b1**t) / (root + eps), (m, v, t)


def hard_coded(theta, g, state, lr=0.001, b1=0.9, b2=0.999):
    return adam(theta, g, state, lr, b1, b2, 1e-7)


def sloppy(theta, g, state, lr=0.1):
    """Plain descent but for the fourteenth step."""
    t = 1 if state is None else state + 1
    return theta - (lr if t != 14 else 1.00001 * lr) * g, t


def beside(rule, step):
    ours, theirs = shipped_subject(rule), of_function(step.__name__, step, {})
    return compare(ours, theirs, match(ours, theirs))


def test_the_same_equations_agree():
    assert beside("Adam", adam).outcome == "agrees"
    assert beside("Momentum", momentum).outcome == "agrees"


def test_a_step_size_that_moves_tells_inside_from_outside():
    found = beside("Momentum", outside)
    assert found.outcome == "agrees while the step size keeps"
    assert found.parting.step == 2
    assert found.elsewhere > 0.01
    assert beside("MomentumOutside", outside).outcome == "agrees"


def test_small_gradients_show_another_epsilon():
    found = beside("Adam", hard_coded)
    assert found.outcome == "differs"


def test_the_step_at_which_they_part_is_found():
    found = beside("SGD", sloppy)
    assert found.outcome == "differs"
    assert found.parting.step == 14


def test_values_where_they_part_follow_from_the_inputs():
    found = simply(beside("SGD", adam))
    parting = found.parting
    assert parting.step == 1
    assert parting.gradients == (1.0,)
    values = {other.name: value for _, other, value in parting.point.values}
    assert parting.ours == pytest.approx(1 - values["lr"])
    assert parting.theirs == pytest.approx(1 - values["lr"], abs=1e-8)
    assert parting.ours != parting.theirs


def test_the_nearest_rule_is_found_among_all():
    nearest = find_nearest(of_function("outside", outside, {}))
    assert nearest.best.ours.name == "MomentumOutside"
    assert nearest.partly.ours.name == "Momentum"
    assert find_nearest(of_function("adam", adam, {})).best.ours.name == "Adam"


def test_no_rule_is_named_where_none_is_the_same():
    nearest = find_nearest(of_function("sloppy", sloppy, {}))
    assert nearest.best is None
    assert nearest.closest is not None


def test_what_a_function_raises_is_said_in_a_sentence():
    def broken(theta, g, state):
        raise ValueError("no\nway")

    with pytest.raises(NotRun, match="broken raised ValueError: no way"):
        find_nearest(of_function("broken", broken, {}))


def test_another_shape_is_refused():
    def flat(theta, g, state):
        return theta.ravel()[:1], None

    with pytest.raises(NotRun, match="shape"):
        find_nearest(of_function("flat", flat, {}))


def test_what_a_step_looks_like():
    assert is_step(momentum)
    assert not is_step(lambda theta, g: theta)
    assert not is_step(dict)


def test_a_number_that_is_none_on_one_side_only_parts_them():
    def poisoned(theta, g, state, lr=0.1):
        return np.where(g == 0, np.nan, theta - lr * g), None

    found = beside("SGD", poisoned)
    assert found.outcome == "differs"
    assert found.parting.course in ("sparse", "quiet start")


def test_a_walk_that_failed_fails_again():
    def late(theta, g, state, lr=0.1):
        t = 1 if state is None else state + 1
        if t == 3:
            raise ValueError("enough")
        return theta - lr * g, t

    theirs = of_function("late", late, {})
    for _ in range(2):
        walk = theirs.walk({}, courses()[0])
        next(walk)
        next(walk)
        with pytest.raises(NotRun, match="enough"):
            next(walk)
