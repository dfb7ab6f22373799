"""Rules that read the loss: handed in with gradients, or given by a function of them."""

import numpy as np
import pytest

import optdsl
from optdsl.runtime import StepError

SPECS = """
optimizer Damped
  theta[t] = theta[t-1] - loss[t]*g[t]

optimizer Falling
  hyper eta as lr = 1
  loss[0] = 10
  theta[t] = theta[t-1] - eta*(loss[t-1] - loss[t])*g[t]

optimizer Ahead
  v[0] = 0
  g[t] = grad(theta[t-1] - 0.5*v[t-1])
  v[t] = 0.5*v[t-1] + loss[t]*g[t]
  theta[t] = theta[t-1] - v[t]

optimizer Twice
  g[t] = grad(theta[t-1])
  s = grad(theta[t-1] - 0.5*g[t])
  theta[t] = theta[t-1] - loss[t]*s

optimizer Alone
  theta[t] = theta[t-1] - loss[t]

transform Normalised gives u
  u = g[t]/loss[t]

transform Calm gives u
  u = g[t]
  skip when not loss[t] < 100

optimizer Probe(inner)
  s = grad(theta[t-1] + 1)
  theta[t] = inner(theta[t-1], s)
"""


@pytest.fixture(scope="module", params=["reference", "numba-cpu"])
def load(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("specs") / "losses.opt"
    path.write_text(SPECS)
    return lambda name: optdsl.load(f"{path}:{name}", request.param)


@pytest.fixture(scope="module")
def compose(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("composed")

    def load(value):
        path = folder / "composed.opt"
        path.write_text(f"{SPECS}\noptimizer Made = {value}\n")
        return optdsl.load(f"{path}:Made", "reference")

    return load


def square(points):
    return float(sum((p**2).sum() for p in points)) / 2, [p.copy() for p in points]


def test_the_loss_is_handed_in_with_gradients(load):
    w = np.array([1.0, 2.0])
    result = load("Damped")([w]).step([np.ones(2)], loss=0.25)
    np.testing.assert_array_equal(w, [0.75, 1.75])
    assert result.loss == 0.25


def test_a_function_gives_the_loss_with_its_gradients(load):
    w = np.array([1.0, 1.0])
    assert load("Damped")([w]).step(square).loss == 1
    np.testing.assert_array_equal(w, [0, 0])


def test_the_loss_of_the_last_step_is_kept(load, tmp_path):
    Falling = load("Falling")
    w = np.zeros(1)
    opt = Falling([w])
    opt.step([np.ones(1)], loss=9.0)
    assert w[0] == -1
    opt.save(tmp_path / "state")
    other = Falling([w], lr=2)
    other.load(tmp_path / "state")
    other.step([np.ones(1)], loss=7.0)
    assert w[0] == -3  # the step size is part of the state, too


def test_the_loss_is_that_of_the_point_of_g(load):
    """Twice asks at two points; only the loss of the first one counts."""
    answers = iter([(3.0, [np.ones(1)]), (99.0, [np.ones(1)])])
    w = np.zeros(1)
    load("Twice")([w]).step(lambda points: next(answers))
    assert w[0] == -3


def test_a_rule_may_read_nothing_but_the_loss(load):
    w = np.ones(2)
    load("Alone")([w]).step(square)
    np.testing.assert_array_equal(w, [0, 0])


def test_both_ways_to_hand_it_in_walk_alike(load):
    asked, ready = np.array([0.5]), np.array([0.5])
    asking, taking = load("Ahead")([asked]), load("Ahead")([ready])
    for _ in range(5):
        asking.step(square)
        loss, gradients = square([ready])
        taking.step(gradients, loss=loss)
        np.testing.assert_allclose(asking.theta()[0], taking.theta()[0], rtol=1e-12)


def test_some_parameters_may_have_no_gradient(load):
    """The step begins again without them, and still knows the loss."""
    a, b = np.ones(1), np.ones(1)
    load("Damped")([a, b]).step(lambda points: (0.5, [np.ones(1), None]))
    assert (a[0], b[0]) == (0.5, 1)


def test_transforms_read_it(load):
    given = load("Normalised")().update([np.ones(2)], loss=4)
    np.testing.assert_array_equal(given[0], [0.25, 0.25])
    assert load("Calm")().update([np.ones(2)], loss=float("nan")) == [None]
    with pytest.raises(StepError, match="Normalised reads the loss"):
        load("Normalised")().update([np.ones(2)])


@pytest.mark.parametrize(
    ("made", "moved"),
    [
        ("Normalised | Damped", 1.0),  # both read the loss of the one gradient
        ("Normalised | SGD(eta=1)", 0.25),
        ("Lookahead(Damped, k=5)", 4.0),
        ("Normalised | Lookahead(Damped)", 1.0),
    ],
)
def test_compositions_share_the_loss(compose, made, moved):
    w = np.zeros(1)
    compose(made)([w]).step([np.ones(1)], loss=4.0)
    assert w[0] == -moved


def test_a_rule_that_is_handed_a_gradient_reads_its_loss(compose):
    """The inner rule is handed the gradient at theta + 1, so the loss is that of theta + 1."""
    w = np.ones(1)
    compose("Probe(Damped)")([w]).step(square)
    assert w[0] == 1 - 2.0 * 2.0


def test_skipping_waits_for_the_loss(compose):
    w = np.zeros(1)
    opt = compose("Calm | SGD(eta=1)")([w])
    assert opt.step([np.ones(1)], loss=1e3).skipped
    assert w[0] == 0
    opt.step(lambda points: (1.0, [np.ones(1)]))
    assert w[0] == -1


def test_other_rules_let_it_pass():
    w = np.zeros(1)
    result = optdsl.load("SGD", "reference")([w], lr=1).step([np.ones(1)], loss=3)
    assert (w[0], result.loss) == (-1, 3)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda opt: opt.step([np.ones(2)]), "reads the loss .*`loss=0.7`"),
        (lambda opt: opt.step(lambda points: [np.ones(2)]), r"return `\(loss, gradients\)`"),
        (lambda opt: opt.step([np.ones(2)], loss="low"), "the loss is 'low'"),
        (lambda opt: opt.step([np.ones(2)], loss=np.ones(2)), "one number for all parameters"),
        (lambda opt: opt.step(square, loss=1.0), "a function of gradients returns the loss"),
    ],
)
def test_what_is_missing_is_said(load, step, message):
    w = np.ones(2)
    with pytest.raises(StepError, match=message):
        step(load("Damped")([w]))
    np.testing.assert_array_equal(w, [1, 1])
