"""Units against what papers say of them, and against arithmetic."""

import pytest

from optdsl.checks.units import infer_units, unit_text
from optdsl.library import load_system, single_rules
from tests.checks.systems import system

THETA2_PER_LOSS = "[theta]^2/[loss]"
SLOPE = "[loss]/[theta]"


def carried(rule):
    return {name: unit_text(unit) for name, unit in infer_units(rule).carriers.items()}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # Zeiler 2012, section 3.2: the steps of SGD and momentum have the units of the gradient.
        ("SGD", {"eta": THETA2_PER_LOSS}),
        ("Momentum", {"eta": THETA2_PER_LOSS}),
        ("MomentumOutside", {"eta": THETA2_PER_LOSS}),
        ("Nesterov", {"eta": THETA2_PER_LOSS}),
        # Ibid.: a ratio of gradients has no unit, so eta has that of theta.
        ("Adagrad", {"eta": "[theta]", "epsilon": "[loss]^2/[theta]^2"}),
        ("AdagradOutside", {"eta": "[theta]", "epsilon": SLOPE}),
        ("Adam", {"eta": "[theta]", "epsilon": SLOPE}),
        ("AdaMax", {"eta": "[theta]"}),
        ("RMSprop", {"eta": "[theta]", "epsilon": "[loss]^2/[theta]^2"}),
        ("AdamW", {"eta": "[theta]", "epsilon": SLOPE, "lambda": "1/[theta]"}),
        ("SignSGD", {"eta": "[theta]"}),
        ("Lion", {"eta": "[theta]", "lambda": "1/[theta]"}),
        ("SGDW", {"eta": THETA2_PER_LOSS, "lambda": "[loss]/[theta]^2"}),
        ("PenalisedSGD", {"eta": THETA2_PER_LOSS, "lambda": "[loss]/[theta]^2"}),
        ("SAM", {"rho": "[theta]", "eta": THETA2_PER_LOSS}),
        ("Prodigy", {"epsilon": SLOPE, "d_0": "[theta]"}),
        ("Polyak", {"f": "[loss]"}),
        ("ClipByGlobalNorm", {"c": SLOPE}),
        ("WeightDecay", {"lambda": "[loss]/[theta]^2"}),
        ("Exponential", {"eta_0": "[eta]"}),
    ],
)
def test_known_units(rule, expected):
    found = infer_units(load_system(rule))
    assert carried(load_system(rule)) == expected
    assert not found.misfits


def test_adadelta_needs_no_factor_but_its_epsilon_is_two_things():
    found = infer_units(load_system("Adadelta"))
    assert found.fits
    (misfit,) = found.misfits
    assert misfit.message == "epsilon would have to carry [theta]^2 and [loss]^2/[theta]^2"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("AdaBelief", "epsilon would have to carry [loss]^2/[theta]^2 and [loss]/[theta]"),
        ("SGLD", "which only fits if [loss] is a plain number"),
        ("RMSpropTF", "the number 1 would have to carry [loss]^2/[theta]^2"),
        ("RAdam", "mhat has [loss]/[theta]"),
        ("LAMB", "norm(theta[t-1])/norm(u) has [theta], 1 has no unit"),
    ],
)
def test_rules_that_fit_nowhere(rule, message):
    (misfit,) = infer_units(load_system(rule)).misfits
    assert message in misfit.message


def test_a_number_in_the_code_that_would_have_to_carry_a_unit():
    fixed = system(
        "optimizer Fixed extends Adam\n  theta[t] = theta[t-1] - eta*mhat/(sqrt(vhat) + 1e-8)\n"
    )
    (misfit,) = infer_units(fixed).misfits
    assert misfit.message == "the number 1e-8 would have to carry [loss]/[theta]"
    assert misfit.where == "sqrt(vhat) + 1e-8"


def test_a_step_that_has_no_factor_for_its_units():
    bare = system("optimizer Bare\n  theta[t] = theta[t-1] - 0.01*g[t]\n")
    (misfit,) = infer_units(bare).misfits
    assert misfit.where == "theta[t-1] - 0.01*g[t]"
    assert misfit.message == "theta[t-1] has [theta], 0.01*g[t] has [loss]/[theta]"


def test_what_is_given_to_exp_has_no_unit():
    odd = system("optimizer Odd\n  hyper eta as lr = 1\n  theta[t] = theta[t-1] - eta*exp(g[t])\n")
    (misfit,) = infer_units(odd).misfits
    assert misfit.message == "g[t] has [loss]/[theta], and may have no unit"


@pytest.mark.parametrize("rule", single_rules())
def test_units_of_all_that_is_shipped_follow_from_its_equations(rule):
    found = infer_units(load_system(rule))
    assert found.reason is None
    assert len(found.misfits) <= 2
