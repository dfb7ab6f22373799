"""What goes wrong in narrow formats, against what is known, and against NumPy's own formats."""

import numpy as np
import pytest

import optdsl
from optdsl.checks.formats import BFLOAT16, FLOAT16, FLOAT32
from optdsl.checks.numerics import find_troubles
from optdsl.library import load_system
from tests.checks.systems import system


def troubles(rule, what):
    return [trouble for trouble in find_troubles(load_system(rule)).troubles
            if trouble.what == what]  # fmt: skip


@pytest.mark.parametrize("format_", [FLOAT32, FLOAT16])
def test_rounding_is_that_of_numpy(format_):
    numbers = np.random.default_rng(0).normal(size=100) * 10.0 ** np.arange(-50, 50)
    with np.errstate(all="ignore"):
        assert np.array_equal(format_.rounded(numbers), numbers.astype(format_.name))


def test_bfloat16_rounds_to_even_and_keeps_what_is_not_finite():
    numbers = np.array([1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-9, np.inf, -np.inf, np.nan, 3.4e38])
    kept = [1, 1 + 2**-6, 1, np.inf, -np.inf, np.nan, np.inf]
    assert np.array_equal(BFLOAT16.rounded(numbers), kept, equal_nan=True)
    torch = pytest.importorskip("torch")
    many = np.random.default_rng(1).normal(size=1000).astype(np.float32)
    theirs = torch.tensor(many).to(torch.bfloat16).to(torch.float64).numpy()
    assert np.array_equal(BFLOAT16.rounded(many.astype(np.float64)), theirs)


def test_sgd_has_no_trouble():
    found = find_troubles(load_system("SGD"))
    assert (found.defined, found.provided, found.troubles) == ("proved", (), ())


def test_adamax_divides_zero_by_zero():
    (trouble,) = troubles("AdaMax", "undefined")
    assert trouble.at_default
    assert trouble.inputs == {"g": "0"}
    assert trouble.message == "eta/(1 - beta1^t)*m[t]/u[t] is 0/0 in step 1"


@pytest.mark.parametrize("rule", ["Adam", "RMSprop", "Adagrad"])
def test_epsilon_is_what_keeps_values_defined(rule):
    found = find_troubles(load_system(rule))
    assert (found.defined, found.provided) == ("proved", ("epsilon",))
    (trouble,) = [each for each in found.troubles if each.what == "undefined"]
    assert not trouble.at_default
    assert trouble.inputs["epsilon"] == "0"


@pytest.mark.parametrize("rule", ["Adam", "RMSprop", "Adagrad"])
def test_an_epsilon_of_1e_8_is_lost_in_float16(rule):
    assert np.float16(1e-8) == 0
    (trouble,) = troubles(rule, "lost")
    assert (trouble.format, "epsilon = 1e-8 is 0" in trouble.message) == ("float16", True)


def test_squares_overflow():
    found = {trouble.format: trouble for trouble in troubles("Adagrad", "overflow")}
    assert found["float32"].inputs == {"g": "1e+20"}
    assert found["float16"].inputs == {"g": "1000"}
    with np.errstate(over="ignore"):
        assert np.isinf(np.float32(1e20) ** 2)
        assert np.isinf(np.float16(1000) ** 2)


def test_squares_underflow():
    (trouble,) = [each for each in troubles("Adam", "underflow") if each.format == "float16"]
    assert trouble.message.startswith("v underflows to 0, so step 50 is 7.0 times too long")
    gradient = float(trouble.inputs["g"])
    assert np.float16(0.001 * gradient**2) == 0


def test_a_slow_average_is_stuck_in_bfloat16():
    (trouble,) = troubles("Adam", "stuck")
    assert (trouble.format, trouble.message[:10]) == ("bfloat16", "v stays at")
    torch = pytest.importorskip("torch")
    v = torch.tensor(0.001).to(torch.bfloat16)
    assert (v.float() * 0.999).to(torch.bfloat16) == v


def test_roots_of_negative_numbers_are_told():
    rooted = system(
        "optimizer Rooted\n"
        "  hyper eta as lr = 0.1 in [0, inf)\n"
        "  theta[t] = theta[t-1] - eta*sqrt(g[t] - 1)\n"
    )
    found = find_troubles(rooted)
    assert found.defined == "refuted"
    trouble = found.troubles[0]
    assert trouble.message == "sqrt(g[t] - 1) is the root of a negative number in step 1"


def test_a_point_that_is_undefined_is_told():
    found = find_troubles(load_system("SharpnessAwareSGDUnguarded"))
    assert found.defined == "refuted"
    assert "0/0 in step 1" in found.troubles[0].message


@pytest.mark.parametrize("rule", ["AdaBelief", "Adan"])
def test_averages_of_squared_differences_are_not_negative(rule):
    assert find_troubles(load_system(rule)).provided == ("epsilon",)


def test_a_guard_makes_a_division_defined():
    guarded = system(
        "optimizer Guarded\n"
        "  hyper eta as lr = 0.1 in [0, inf)\n"
        "  n = norm(g[t])\n"
        "  theta[t] = theta[t-1] - eta*(g[t]/n if n > 0 else 0)\n"
    )
    found = find_troubles(guarded)
    assert found.defined == "proved"
    assert not [trouble for trouble in found.troubles if trouble.what == "undefined"]


def test_a_tensor_of_zeros_is_tried():
    found = find_troubles(load_system("LARS"))
    assert found.defined == "refuted"
    trouble = found.troubles[0]
    assert trouble.message == "eta*norm(theta[t-1])/n is 0/0 in step 1"
    assert trouble.inputs == {"g": "0", "theta[0]": "0"}
    optimizer = optdsl.load("LARS", "reference")([theta := np.zeros(3)])
    optimizer.step([np.zeros(3)])
    assert np.isnan(theta).all()


def test_what_is_neither_proved_nor_seen_to_fail_is_named():
    rule = system("optimizer Open\n  s = exp(g[t]) - g[t]\n  theta[t] = theta[t-1] - 0.1*sqrt(s)\n")
    found = find_troubles(rule)
    assert (found.defined, found.unproved) == ("not decided", "sqrt(s)")
