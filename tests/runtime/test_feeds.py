"""Schedules of a spec in place of hyperparameters: overridden, checked, resumed."""

import numpy as np
import pytest

import optdsl
from optdsl.library import load_system
from optdsl.runtime import HyperparameterError, StepError

SLOW = "0.1*WarmRestarts(T_0=4)"
TARGETS = pytest.mark.parametrize("target", ["reference", "numba-cpu"])


def rule(tmp_path, text, target="reference"):
    path = tmp_path / "rule.opt"
    path.write_text(text)
    return optdsl.load(path, target)


def moved(optimizer, w, steps=1):
    """Return how far SGD moves `w` in each step, given gradients of one."""
    found = []
    for _ in range(steps):
        before = w.copy()
        optimizer.step([np.ones_like(w)])
        found.append(float((before - w)[0]))
    return found


@TARGETS
@pytest.mark.parametrize(
    "given",
    [0.25, lambda t: 0.5 / t, optdsl.load("Cosine", "reference")(T=7), "spec"],
    ids=["number", "function", "schedule", "spec"],
)
def test_what_a_user_gives_goes_before_the_schedule_of_the_spec(target, given):
    made = optdsl.load(f"AdamW(eta={SLOW})", target)
    values = optdsl.load(SLOW, "reference")().values(9)
    other = (lambda t: values[t - 1]) if given == "spec" else given
    ends = []
    for cls, hypers in (
        (made, {} if given == "spec" else {"lr": given}),
        (optdsl.load("AdamW", target), {"lr": other}),
    ):
        w = np.linspace(-1, 1, 5)
        optimizer = cls([w], **hypers)
        for _ in range(9):
            optimizer.step([np.sin(w)])
        ends.append(w)
    np.testing.assert_array_equal(*ends)


def test_the_schedule_is_not_run_where_a_user_gives_something():
    made = optdsl.load("SGD(eta=Polynomial(power=0.5))", "reference")
    w = np.zeros(1)
    with pytest.raises(HyperparameterError, match="needs a value for `Polynomial_T`"):
        made([w])
    assert moved(made([w], lr=0.5), w, 2) == [0.5, 0.5]  # so T need not be given
    plateau = optdsl.load("SGD(eta=Plateau)", "reference")
    assert moved(plateau([w], lr=0.5), w, 2) == [0.5, 0.5]


def test_a_later_assignment_takes_over():
    made = optdsl.load("SGD(eta=Linear(eta_0=0, eta_1=1, T=4))", "reference")
    w = np.zeros(1)
    optimizer = made([w])
    np.testing.assert_allclose(moved(optimizer, w, 3), optdsl.load("Linear")(
        eta_0=0, eta_1=1, T=4).values(3))  # fmt: skip
    optimizer.groups[0]["lr"] = 0.25
    assert moved(optimizer, w, 2) == [0.25, 0.25]
    assert repr(made([w]).groups[0]["lr"]) == "Linear(eta_0=0, eta_1=1, T=4)"


@TARGETS
def test_groups_choose_each_for_themselves(target):
    made = optdsl.load("Adam(eta=Linear(eta_0=0, eta_1=1, T=4))", target)
    a, b, c = np.ones(2), np.ones(2), np.ones(2)
    both = made([{"params": [a]}, {"params": [b], "lr": 0.125}])
    alone = optdsl.load("Adam", target)([c], lr=0.125)
    for _ in range(5):
        both.step([[np.ones(2)], [np.ones(2)]])
        alone.step([np.ones(2)])
    np.testing.assert_array_equal(b, c)
    assert a[0] != b[0]


@pytest.mark.parametrize("asked", [False, True])
def test_what_a_schedule_gives_is_checked_before_anything_moves(tmp_path, asked):
    made = rule(
        tmp_path,
        "schedule Falling gives eta\n"
        "  k[0] = 1\n"
        "  k[t] = k[t-1] - 0.25\n"
        "  eta = k[t]\n"
        "optimizer Fall extends Momentum\n"
        "  hyper eta as lr = Falling in (0, inf)\n",
    )
    w = np.ones(2)
    optimizer = made([w])
    gradients = (lambda at: [np.sin(at[0])]) if asked else [np.ones(2)]
    for _ in range(3):
        optimizer.step(gradients)
    before, kept = w.copy(), optimizer.state_dict()
    for _ in range(2):
        with pytest.raises(HyperparameterError, match=r"by its schedule Falling at step 4"):
            optimizer.step(gradients)
        np.testing.assert_array_equal(w, before)
        after = optimizer.state_dict()
        np.testing.assert_array_equal(after["entries"]["v"]["0"], kept["entries"]["v"]["0"])
        assert after["cohorts"][0]["clocks"] == [3]
        place = after["cohorts"][0]["reading"]["feeds"]["eta"]["states"]
        np.testing.assert_array_equal(place, [0.25])
    optimizer.groups[0]["lr"] = 0.5
    optimizer.step(gradients)


def test_one_group_outside_the_domain_stops_all():
    made = optdsl.load("SGD(eta=Linear(eta_0=1, eta_1=0.5, T=4) - 0.7)", "reference")
    a, b = np.ones(2), np.ones(2)
    optimizer = made([{"params": [a], "lr": 0.5}, {"params": [b]}])
    for _ in range(3):
        optimizer.step([[np.ones(2)], [np.ones(2)]])
    with pytest.raises(HyperparameterError, match="at step 4"):
        optimizer.step([[np.ones(2)], [np.ones(2)]])
    assert a[0] == 1 - 3 * 0.5


@pytest.mark.parametrize("name", ["Nesterov(gamma=0.9*WarmRestarts(eta_max=1, T_0=3))",
                                  "Rprop(eta=WarmRestarts(eta_max=0.5, T_0=4))"])  # fmt: skip
@pytest.mark.parametrize("cut", [0, 1, 4])
def test_a_resumed_run_is_an_unbroken_one(tmp_path, name, cut):
    made = optdsl.load(name, "reference")

    def run(stops):
        w = np.linspace(-1, 1, 4)
        optimizer = made([w])
        for step in range(9):
            if step in stops:
                optimizer.save(tmp_path / "state")
                optimizer = made([w])
                optimizer.load(tmp_path / "state")
            optimizer.step([np.sin(3 * w)])
        return w

    np.testing.assert_array_equal(run(()), run((cut, 7)))


def test_inputs_reach_the_schedule_and_are_needed_only_by_it(tmp_path):
    text = (
        "schedule Metric gives eta\n"
        "  input metric\n"
        "  eta = 0.1*metric\n"
        "optimizer Tuned extends SGD\n"
        "  hyper eta as lr = Metric in [0, inf)\n"
    )
    made, w = rule(tmp_path, text), np.zeros(1)
    optimizer = made([w])
    with pytest.raises(StepError, match="metric"):
        optimizer.step([np.ones(1)])
    optimizer.step([np.ones(1)], metric=5.0)
    optimizer.step([np.ones(1)])
    np.testing.assert_allclose(w, [-1.0])
    with pytest.raises(HyperparameterError, match="outside its domain"):
        optimizer.step([np.ones(1)], metric=-5.0)
    np.testing.assert_allclose(w, [-1.0])
    assert moved(made([w], lr=0.5), w) == [0.5]


def test_steps_that_are_skipped_do_not_move_the_schedule_behind():
    made = optdsl.load("SkipNonfinite | SGD(eta=WarmRestarts(eta_max=1, T_0=4))", "reference")
    values = optdsl.load("WarmRestarts", "reference")(eta_max=1, T_0=4).values(4)
    w = np.zeros(1)
    optimizer = made([w])
    found = []
    for step in range(8):
        if step % 2:
            optimizer.step([np.full(1, np.nan)])
        else:
            found += moved(optimizer, w)
    np.testing.assert_allclose(found, values)


@TARGETS
def test_within_rules_that_choose_or_take_turns(target):
    values = optdsl.load("WarmRestarts", "reference")(eta_max=1, T_0=3).values(4)
    text = "SGD(eta=0.5) for 2 then SGD(eta=WarmRestarts(eta_max=1, T_0=3))"
    w = np.zeros(1)
    optimizer = optdsl.load(text, target)([w])
    np.testing.assert_allclose(moved(optimizer, w, 6), [0.5, 0.5, *values])
    chosen = optdsl.load("SGD(eta=Linear(eta_0=0, eta_1=1, T=2)) if ndim == 1 else Adam", target)
    v, m = np.zeros(1), np.zeros((1, 1))
    optimizer = chosen([v, m], **{"SGD.eta": 0.25})
    optimizer.step([np.ones(1), np.ones((1, 1))])
    assert v[0] == -0.25
    assert m[0, 0] != 0


@TARGETS
def test_schedules_within_schedules_can_be_given_too(target):
    made = optdsl.load("SGD(eta=0.5*Constant(value=Linear(eta_0=0, eta_1=1, T=4)))", target)
    inner = optdsl.load("Linear", "reference")(eta_0=0, eta_1=1, T=4).values(6)
    w = np.zeros(1)
    np.testing.assert_allclose(moved(made([w]), w, 6), 0.5 * inner)
    hyper = next(s for s in made.layout.hyperparameters if s.owner == "Constant")
    np.testing.assert_allclose(
        moved(made([w], **{f"Constant.{hyper.local_name}": 3.0}), w, 2), [1.5, 1.5]
    )


def test_a_composition_gives_a_number_in_place_of_a_schedule(tmp_path):
    text = (
        "optimizer Slow extends SGD\n"
        "  hyper eta as lr = Cosine(T=9) in [0, inf)\n"
        "optimizer Plain = Slow(eta=0.5)\n"
    )
    made, w = rule(tmp_path, text), np.zeros(1)
    assert [slot.local_name for slot in made.layout.hyperparameters] == ["eta"]
    assert moved(made([w]), w, 2) == [0.5, 0.5]


@TARGETS
def test_schedules_read_the_hyperparameters_of_their_host(tmp_path, target):
    text = (
        "optimizer Host extends SGD\n"
        "  hyper peak    = 0.8 in (0, inf)\n"
        "  hyper n       = 4   in 1..inf\n"
        "  hyper eta as lr = Linear(eta_0=0, eta_1=2*peak, T=n) for 3 then Constant(value=peak)"
        " in [0, inf)\n"
    )
    made, w = rule(tmp_path, text, target), np.zeros(1)
    line = optdsl.load("Linear", "reference")
    first = line(eta_0=0, eta_1=1.6, T=4).values(3)
    np.testing.assert_allclose(moved(made([w]), w, 5), [*first, 0.8, 0.8])
    second = line(eta_0=0, eta_1=0.5, T=2).values(3)
    np.testing.assert_allclose(moved(made([w], peak=0.25, n=2), w, 4), [*second, 0.25])
    assert moved(made([w], lr=0.125), w) == [0.125]


@TARGETS
def test_calls_within_formulas_read_them_too(tmp_path, target):
    text = (
        "optimizer Mixed\n"
        "  hyper eta as lr = 0.5 in [0, inf)\n"
        "  hyper T as warm = 4   in 1..inf\n"
        "  s = (Linear(eta_0=0, eta_1=eta, T=T) for 3 then Halving(eta_0=eta/2)) + eta\n"
        "  theta[t] = theta[t-1] - s*g[t]\n"
    )
    made, w = rule(tmp_path, text, target), np.zeros(1)
    line = optdsl.load("Linear", "reference")(eta_0=0, eta_1=0.5, T=4).values(3)
    halved = optdsl.load("Halving", "reference")(eta_0=0.25).values(2)
    np.testing.assert_allclose(moved(made([w]), w, 5), np.array([*line, *halved]) + 0.5)


def test_a_schedule_that_feeds_itself_is_refused(tmp_path):
    with pytest.raises(optdsl.DiagnosticError, match="eta"):
        rule(tmp_path, "optimizer Loop extends SGD\n  hyper eta = Constant(value=eta)\n")


def test_what_is_checked_still_knows_the_schedule():
    system = load_system("SGD(eta=Cosine(T=9))")
    assert "eta" in {equation.name for equation in system.equations}
    assert "eta" not in {hyper.local_name for hyper in system.hyperparameters}


def test_a_schedule_of_a_schedule_may_be_read_anywhere():
    made = optdsl.load("0.1*Constant(value=WarmRestarts(eta_max=1, T_0=3))", "reference")
    schedule = made()
    values = schedule.values(9)
    np.testing.assert_allclose(
        values, 0.1 * optdsl.load("WarmRestarts", "reference")(eta_max=1, T_0=3).values(9)
    )
    cursor = schedule.start()
    for t in (5, 2, 9, 9, 1):
        assert cursor.at(t) == values[t - 1]
    assert made(value=2.0).values(2).tolist() == [0.2, 0.2]
