"""The oracle against formulas written out by hand, and against the model's own evaluation."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from optdsl.library import load_system
from optdsl.model.arithmetic import UNDEFINED, Arithmetic, real
from optdsl.model.evaluation import Machine
from optdsl.model.expressions import Kind
from tests.numerics.carried import Algebra, Carried, Digits, Doubles
from tests.numerics.oracle import LOSS, Inputs, OneStep
from tests.numerics.subjects import gradients, parameters, subject

DIGITS = Digits(50)
EXACT = mpmath.MPContext()
EXACT.dps = 50


def close(got, expected):
    return abs(got - expected) <= abs(expected) * EXACT.mpf(10) ** -44


def test_adam_by_hand():
    rule = subject("Adam")
    hyper = {name: value(3) for name, value in rule.settings().items()}
    given = {"theta": 1.25, "g": -0.3, "m": 0.7, "v": 0.01}
    inputs = Inputs(
        [3],
        [np.array([given["theta"]])],
        {"g": [np.array([given["g"]])]},
        hyper,
        {"m": [np.array([given["m"]])], "v": [np.array([given["v"]])]},
    )
    step = OneStep(rule.system, inputs, DIGITS, np.float64)
    eta, beta1, beta2, epsilon = (
        EXACT.mpf(hyper[name]) for name in ("eta", "beta1", "beta2", "epsilon")
    )
    theta, g, m, v = (EXACT.mpf(given[name]) for name in ("theta", "g", "m", "v"))
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    theta -= eta * m / (1 - beta1**3) / (EXACT.sqrt(v / (1 - beta2**3)) + epsilon)
    for name, expected in (("m", m), ("v", v)):
        assert close(step.state(name, 0).value[0], expected)
    assert close(step.theta(0).value[0], theta)


def test_nesterov_with_its_point_stored_by_hand():
    given = {"phi": 1.25, "g": -0.3, "v": 0.01}
    hyper, ahead = {"eta": 0.1, "gamma": 0.9}, {"eta": 0.2, "gamma": 0.8}
    inputs = Inputs(
        [2],
        [np.array(given["phi"])],
        {"g": [np.array(given["g"])]},
        hyper,
        {"v": [np.array(given["v"])]},
        ahead,
    )
    step = OneStep(load_system("Nesterov"), inputs, DIGITS, np.float64, stored=True)
    phi, g, v = (EXACT.mpf(given[name]) for name in ("phi", "g", "v"))
    gamma = EXACT.mpf(hyper["gamma"])
    before = phi + gamma * v
    v = gamma * v + EXACT.mpf(hyper["eta"]) * g
    assert close(step.theta(0).value[0], before - v)
    assert close(step.array(0).value[0], before - v - EXACT.mpf(ahead["gamma"]) * v)


#: What is known of the one tensor of the walk below.
FACTS = {"rows": 1, "columns": 3, "ndim": 1, "size": 3}


def test_two_evaluations_agree(rule):
    chosen = subject(rule)
    if chosen.draws:
        pytest.skip("the oracle draws no numbers")
    settings = chosen.settings()

    def hyper_at(name, t):
        # What stands before the first step is made of the hyperparameters of the first step.
        if name in FACTS:
            return real(FACTS[name])
        return real(settings[name](max(t, 1)))

    machine = Machine(chosen.system, hyper_at, Arithmetic(50))
    machine.start(carried(parameters(((3,),), np.float64)[0]))
    names = ["theta", *(state.name for state in chosen.system.states)]
    for t, (g,) in zip((1, 2, 3), gradients(((3,),), np.float64), strict=False):
        if t > 1:
            machine.states = {name: carried(doubles(x)) for name, x in machine.states.items()}
        given = {name: doubles(x) for name, x in machine.states.items()}
        clocks = [clock + 1 for clock in machine.clocks]
        step = OneStep(chosen.system, inputs_of(chosen, t, clocks, given, g), DIGITS, np.float64)
        theirs = machine.step(
            lambda t, name, point, g=g: (real(LOSS),) if name == "loss" else carried(g)
        )
        states = {**theirs.states, "theta": theirs.outputs["theta"] or theirs.states["theta"]}
        machine.states = states
        for name in names:
            got = step.theta(0) if name == "theta" else step.state(name, 0)
            entries = states[name] if isinstance(states[name], tuple) else (states[name],)
            for x, y in zip(np.broadcast_to(got.value, len(entries)), entries, strict=True):
                assert close(x, exactly(y)), (name, t)


def inputs_of(chosen, t, clocks, given, g):
    hyper = {name: value(t) for name, value in chosen.settings().items()}
    wide = {state.name: state.kind in (Kind.ENTRY, Kind.TENSOR) for state in chosen.system.states}
    states = {name: [given[name]] if wide[name] else given[name] for name in wide}
    asked = {gradient.name: [g] for gradient in chosen.system.gradients}
    ahead = {name: value(t + 1) for name, value in chosen.settings().items()}
    return Inputs(clocks, [given["theta"]], asked, hyper, states if t > 1 else None, ahead)


def carried(array):
    return real(float(array)) if np.ndim(array) == 0 else tuple(real(float(x)) for x in array)


def doubles(entries):
    if isinstance(entries, tuple):
        return np.array([doubles(x) for x in entries])
    return float("nan") if entries is UNDEFINED else float(entries.value)


def exactly(x):
    if isinstance(x.value, Fraction):
        return EXACT.mpf(x.value.numerator) / x.value.denominator
    return EXACT.mpf(x.value)


@pytest.mark.parametrize(("numbers", "dtype"), [(Doubles(), np.float32), (DIGITS, np.float64)])
def test_magnitudes(numbers, dtype):
    algebra = Algebra(numbers, dtype)
    x, y = algebra.given(np.array([3.0])), algebra.given(np.array([-2.0]))
    tenth = algebra.number(Fraction(1, 10))
    product = algebra.apply("mul", [x, y])
    nothing = algebra.apply("sub", [product, product])

    def magnitude(operator, *arguments):
        return float(algebra.apply(operator, list(arguments)).magnitude[0])

    assert (float(x.magnitude[0]), float(tenth.magnitude[0])) == (0, 0.1)  # 3 is held exactly
    assert magnitude("sub", x, y) == 5
    assert magnitude("add", x, y) == 1  # nothing was rounded before
    assert float(nothing.value[0]) == 0
    assert float(nothing.magnitude[0]) == 12  # both products were rounded
    assert magnitude("mul", nothing, x) == 36
    assert magnitude("div", nothing, x) == 4
    assert magnitude("div", x, product) == 0.5
    assert magnitude("sqrt", algebra.apply("add", [nothing, x])) == pytest.approx(6 / 3**0.5)


def test_a_branch_that_is_not_taken_does_not_count():
    algebra = Algebra(DIGITS, np.float64)
    zero, one = (algebra.given(np.array([x])) for x in (0.0, 1.0))
    undefined = algebra.apply("div", [zero, zero])
    chosen = algebra.apply("select", [algebra.apply("gt", [one, zero]), one, undefined])
    assert isinstance(chosen, Carried)
    assert (chosen.value[0], chosen.magnitude[0]) == (1, 0)


def test_a_reduction_goes_over_all_tensors():
    chosen = subject("ClipByGlobalNorm | Adam")
    hyper = {name: value(1) for name, value in chosen.settings().items()}
    arrays = [np.zeros(2), np.zeros(()), np.zeros((0, 3))]
    given = {"g": [np.array([2.0, 3.0]), np.array(6.0), np.zeros((0, 3))]}  # of length 7
    step = OneStep(chosen.system, Inputs([1], arrays, given, hyper), DIGITS, np.float64)
    beta1, c = EXACT.mpf(hyper["beta1"]), EXACT.mpf(hyper["c"])
    assert close(step.state("m", 0, np.array([1])).value[0], (1 - beta1) * 3 * c / 7)
    assert close(step.state("m", 1).value[0], (1 - beta1) * 6 * c / 7)
