"""Whether the scale of the loss matters, against papers and against runs in floating point."""

from fractions import Fraction

import pytest

from optdsl.checks.invariance import find_invariance
from optdsl.library import load_system, shipped, single_rules
from optdsl.model.arithmetic import Undecided, real
from optdsl.model.runs import evaluate
from tests.checks.systems import system
from tests.sampling import sampled


@pytest.mark.parametrize("rule", ["SignSGD", "Signum", "Lion", "Tiger", "Rprop", "RpropMinus",
                                  "RpropPlus", "AdaMax", "DAdaptSGD", "Sign"])  # fmt: skip
def test_rules_to_which_the_scale_does_not_matter(rule):
    found = find_invariance(load_system(rule))
    assert found.verdict == "proved"
    assert found.scaling.unchanged


@pytest.mark.parametrize(
    ("rule", "zero", "along"),
    [
        # Kingma & Ba 2015, section 2.1: c*m/sqrt(c^2*v) = m/sqrt(v), where epsilon is 0.
        ("Adam", ("epsilon",), {"epsilon": 1}),
        ("AdamW", ("epsilon",), {"epsilon": 1}),
        ("RMSprop", ("epsilon",), {"epsilon": 2}),
        ("RMSpropOutside", ("epsilon",), {"epsilon": 1}),
        ("Adagrad", ("epsilon",), {"epsilon": 2}),
        ("LAMB", ("epsilon",), {"epsilon": 1}),
        ("NovoGrad", ("epsilon",), {"epsilon": 1}),
        ("Prodigy", ("epsilon",), {"epsilon": 1}),
        ("SGD", None, {"eta": -1}),
        ("Momentum", None, {"eta": -1}),
        ("Polyak", ("f",), {"f": 1}),
        ("SGDW", None, {"eta": -1, "lambda": 1}),
        ("YogiCorrected", ("epsilon", "v_0"), None),
        ("RMSpropTF", None, None),
        ("RAdam", None, None),
        ("Adadelta", None, None),
    ],
)
def test_what_must_be_zero_or_scaled_along(rule, zero, along):
    found = find_invariance(load_system(rule))
    assert found.verdict == "differs"
    assert found.changed is not None
    assert (found.zero and found.zero.zero) == zero
    assert (found.scaled and dict(found.scaled.hyperparameters)) == along


def test_the_proof_says_how_states_move():
    found = find_invariance(load_system("Adam"))
    assert found.zero.states == {"m": 1, "v": 2}


def walked(rule, c, moved):
    """Return theta after each of six steps, with the loss and some hyperparameters scaled."""
    gradients = [Fraction(n, 7) for n in (3, -2, 0, 5, 5, -1)]
    rule = load_system(rule)
    hyper = {}
    for item in rule.hyperparameters:
        value = Fraction(1, 3) if Fraction(1, 3) in (item.domain or [Fraction(1, 3)]) else 2
        hyper[item.name] = value * Fraction(c) ** moved.get(item.name, 0)

    def gradient(t, name, point):
        return tuple(real(c * gradients[t - 1] * (1 + k)) for k in range(3))

    try:
        steps = evaluate(rule, 6, theta=(1, 2, -1), gradient=gradient, hyper=hyper, digits=150)
    except Undecided:
        pytest.skip("two values that are compared come too close")
    return [[float(x.value) for x in step.outputs["theta"]] for step in steps]


OPTIMIZERS = [
    name for name in single_rules() if shipped()[name].family == "optimizer" and name != "SGLD"
]
SAMPLE = {
    "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "LAMB", "LARS", "Lion", "NAdam",
    "NovoGrad", "Prodigy", "RMSprop", "Rprop", "SGD", "Shampoo", "SWATS", "Yogi",
}  # fmt: skip


@pytest.mark.parametrize("rule", sampled(OPTIMIZERS, SAMPLE))
def test_what_is_proved_holds_in_a_run(rule):
    if load_system(rule).losses:
        pytest.skip("the run hands in no loss")
    found = find_invariance(load_system(rule))
    for proof in (found.scaling, found.scaled):
        if proof is None or not proof.unchanged:
            continue
        moved = {name: int(p) if p.denominator == 1 else float(p)
                 for name, p in proof.hyperparameters.items()}  # fmt: skip
        if all(isinstance(p, int) for p in moved.values()):
            for ours, theirs in zip(walked(rule, 1, {}), walked(rule, 7, moved), strict=True):
                assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)


def test_a_number_that_stands_beside_gradients_is_seen():
    clipped = system(
        "optimizer Clipped\n"
        "  hyper eta as lr = 1 in [0, inf)\n"
        "  theta[t] = theta[t-1] - eta*sign(g[t])*min(abs(g[t])/abs(g[t]), 1)\n"
    )
    assert find_invariance(clipped).verdict == "proved"
    capped = system(
        "optimizer Capped\n"
        "  hyper eta as lr = 1 in [0, inf)\n"
        "  theta[t] = theta[t-1] - eta*min(abs(g[t]), 1)\n"
    )
    assert find_invariance(capped).verdict == "differs"


def test_a_transform_may_hand_the_scale_on():
    found = find_invariance(load_system("Grokfast"))
    assert found.scaling.outputs == {"u": 1}
    clip = find_invariance(load_system("ClipByGlobalNorm"))
    assert clip.scaled.hyperparameters == {"c": 1}
    assert clip.scaled.outputs == {"u": 1}


def test_a_schedule_sees_no_loss():
    assert find_invariance(load_system("Cosine")).verdict == "not asked"
