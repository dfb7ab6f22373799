"""The point at which the model is evaluated, where that is not theta."""

import numpy as np
import pytest

import optdsl
from optdsl.runtime import StepError

SPECS = """
optimizer Debiased
  hyper eta as lr     = 1   in [0, inf)
  hyper beta as decay = 0.5 in [0, 1)
  x[0] = 0
  theta[t] = theta[t-1] - eta*g[t]
  x[t] = beta*x[t-1] + (1 - beta)*theta[t]
  xhat = x[t]/(1 - beta^t)
  evaluate xhat

optimizer Ahead
  v[0] = 0
  g[t] = grad(theta[t-1] - 0.5*v[t-1])
  v[t] = 0.5*v[t-1] + 0.25*g[t]
  theta[t] = theta[t-1] - v[t]
  y = theta[t]/2
  evaluate 3*theta[t] + y

optimizer Unit
  theta[t] = theta[t-1] - g[t]
  evaluate theta[t]/norm(theta[t])

optimizer Here
  theta[t] = theta[t-1] - g[t]
  evaluate theta[t]
"""


@pytest.fixture(scope="module", params=["reference", "numba-cpu"])
def load(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("specs") / "evaluated.opt"
    path.write_text(SPECS)
    return lambda name: optdsl.load(f"{path}:{name}", request.param)


@pytest.fixture
def composed(tmp_path):
    def load(value):
        path = tmp_path / "composed.opt"
        path.write_text(f"optimizer Made = {value}\n")
        return optdsl.load(f"{path}:Made", "reference")

    return load


def test_the_point_is_told_between_steps(load):
    w = np.zeros(1)
    opt = load("Debiased")([w])
    opt.step([np.array([-1.0])])  # theta = 1, x = 0.5
    opt.step([np.array([-1.0])])  # theta = 2, x = 1.25
    np.testing.assert_allclose(opt.evaluation()[0], 1.25 / 0.75, rtol=1e-15)
    assert w[0] == 2


def test_it_is_that_of_the_last_step_whatever_comes_after(load):
    """What a hyperparameter is set to after the step counts from the next one on."""
    w = np.zeros(1)
    opt = load("Debiased")([w], decay=lambda t: 0.5 if t == 1 else 0.25)
    opt.step([np.array([-1.0])])
    opt.groups[0]["decay"] = 0.875
    np.testing.assert_array_equal(opt.evaluation()[0], [1.0])


def test_it_is_in_state_files(load, tmp_path):
    w = np.zeros(1)
    opt = load("Debiased")([w])
    opt.step([np.array([-1.0])])
    opt.save(tmp_path / "state")
    other = load("Debiased")([w.copy()])
    other.load(tmp_path / "state")
    np.testing.assert_array_equal(other.evaluation()[0], opt.evaluation()[0])


def test_before_the_first_step_it_is_theta(load):
    a, b = np.ones(2), np.ones(3)
    opt = load("Debiased")([a, b])
    np.testing.assert_array_equal(opt.evaluation()[1], b)
    opt.step([np.ones(2), None])
    found = opt.evaluation()
    np.testing.assert_array_equal(found[0], [0, 0])
    np.testing.assert_array_equal(found[1], b)


def test_a_part_that_never_stepped_is_at_theta(composed):
    w = np.full(1, 3.0)
    opt = composed("Accumulate(k=2) | EMA(SGD, beta=0.5)")([w])
    opt.step([np.ones(1)])
    assert opt.evaluation()[0][0] == 3
    opt.step([np.ones(1)])
    np.testing.assert_allclose(opt.evaluation()[0], 3 - 0.005)


def test_it_follows_the_true_iterate(load):
    """Handed gradients, the arrays hold the point of the next one; asked for, they hold theta."""
    asked, ready = np.ones(2), np.ones(2)
    asking, taking = load("Ahead")([asked]), load("Ahead")([ready])
    for _ in range(4):
        asking.step(lambda points: [points[0].copy()])
        taking.step([ready.copy()])
        np.testing.assert_allclose(asking.evaluation()[0], 3.5 * asked, rtol=1e-14)
        np.testing.assert_allclose(taking.evaluation()[0], asking.evaluation()[0], rtol=1e-12)
    assert not np.array_equal(asked, ready)


def test_it_may_reduce(load):
    w = np.array([6.0, 9.0])
    opt = load("Unit")([w])
    opt.step([np.array([3.0, 5.0])])
    np.testing.assert_allclose(opt.evaluation()[0], [0.6, 0.8])


def test_theta_is_a_point_like_any_other(load):
    w = np.ones(1)
    opt = load("Here")([w])
    opt.step([np.ones(1)])
    assert opt.evaluation()[0][0] == 0
    assert load("Here").layout.evaluate is None


def test_the_arrays_hold_it_within_a_block(load):
    w = np.zeros(1)
    opt = load("Debiased")({"w": w})
    opt.step({"w": np.array([-1.0])})
    opt.step({"w": np.array([-1.0])})
    with opt.evaluating():
        np.testing.assert_allclose(w, [5 / 3], rtol=1e-15)
    assert w[0] == 2


def test_afterwards_they_hold_what_they_held_bit_for_bit(load):
    w = np.array([-0.0, 0.1, np.nan, 1e-310, np.inf])
    before = w.tobytes()
    opt = load("Debiased")([w], lr=0)
    opt.step([np.zeros(5)])
    before = w.tobytes()

    def fail():
        with opt.evaluating():
            w[:] = 7
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert w.tobytes() == before


def test_training_goes_on_as_if_nothing_had_been_evaluated(load):
    walks = []
    for looks in (False, True):
        w = np.ones(3)
        opt = load("Ahead")([w])
        for _ in range(5):
            opt.step([w.copy()])
            if looks:
                with opt.evaluating():
                    pass
        walks.append(w)
    np.testing.assert_array_equal(*walks)


@pytest.mark.parametrize(
    "act",
    [
        lambda opt: opt.step([np.ones(1)]),
        lambda opt: opt.theta(),
        lambda opt: opt.evaluation(),
        lambda opt: opt.add_group({"params": [np.ones(1)]}),
        lambda opt: opt.load_state_dict(opt.state_dict()),
        lambda opt: opt.evaluating().__enter__(),
    ],
)
def test_what_needs_the_parameters_waits_until_the_end(act):
    opt = optdsl.load("SGD", "reference")([np.ones(1)])
    with opt.evaluating(), pytest.raises(StepError, match="leave the `with` block"):
        act(opt)
    opt.step([np.ones(1)])


def test_nesterov_is_evaluated_at_theta():
    w = np.ones(1)
    opt = optdsl.load("Nesterov", "reference")([w], lr=0.5)
    opt.step([w.copy()])
    with opt.evaluating():
        np.testing.assert_array_equal(w, opt_theta := np.array([0.5]))
    assert w[0] != opt_theta[0]


def test_schedule_free_rules_are_evaluated_at_their_average():
    w = np.ones(1)
    opt = optdsl.load("ScheduleFreeSGD", "reference")([w], lr=0.5)
    for _ in range(3):
        opt.step([w.copy()])
    average = opt.theta()[0]
    assert average[0] != w[0]
    with opt.evaluating():
        np.testing.assert_array_equal(w, average)


def test_a_wrapper_that_moves_theta_as_its_rule_does_is_evaluated_where_that_is(composed):
    w = np.ones(1)
    opt = composed("SAM(EMA(SGD(eta=1), beta=0.5), rho=0)")([w])
    opt.step(lambda points: [np.ones(1)])
    assert (w[0], opt.evaluation()[0][0]) == (0, 0.5)


def test_a_wrapper_that_moves_theta_on_must_say_where(composed):
    with pytest.raises(optdsl.DiagnosticError, match="moves theta on from there"):
        composed("Lookahead(EMA(SGD))")
