"""Whether entries with a zero gradient may be skipped, against what is known of rules."""

import numpy as np
import pytest

import optdsl
from optdsl.checks.sparsity import find_sparsity
from optdsl.library import load_system
from tests.checks.systems import system


@pytest.mark.parametrize(
    ("rule", "provided"),
    [
        ("SGD", ()),
        ("SignSGD", ()),
        ("SAM", ()),
        ("Polyak", ()),
        ("Adagrad", ("epsilon > 0",)),
        ("AdagradOutside", ("epsilon > 0",)),
        ("ClipByValue", ()),
        ("ClipByGlobalNorm", ()),
        ("ClipByGlobalNorm | SGD", ()),
        ("SkipNonfinite | SGD", ()),
        ("SAM(Adagrad)", ("epsilon > 0",)),
        ("AdaptiveClip", ()),
    ],
)
def test_entries_may_be_skipped(rule, provided):
    found = find_sparsity(load_system(rule))
    assert found.verdict == "proved"
    assert found.provided == provided


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ("Adam", "m"), ("AdamW", "m"), ("Momentum", "v"), ("MomentumOutside", "v"),
        ("Nesterov", "v"), ("RMSprop", "v"), ("Adadelta", "E_g"), ("Lion", "m"), ("Rprop", "q"),
        ("LocalGains", "q"), ("PowerSign", "m"), ("EMA", "x"), ("SGLD", "theta"),
        ("PenalisedSGD", "theta"),
    ],
)  # fmt: skip
def test_entries_count_and_it_is_said_why(rule, state):
    found = find_sparsity(load_system(rule))
    assert found.verdict == "differs"
    assert found.parted.changes.startswith(f"{state}: ")


@pytest.mark.parametrize(
    ("rule", "where"),
    [("PenalisedSGD", "lambda = 0"), ("DecayedSGD", "w = 1"), ("WeightDecay", "lambda = 0"),
     ("Momentum", None)],
)  # fmt: skip
def test_a_value_with_which_they_may_be_skipped(rule, where):
    assert find_sparsity(load_system(rule)).where == where


@pytest.mark.parametrize(
    "rule", ["SGD", "Adagrad", "SignSGD", "ClipByGlobalNorm | SGD", "AdaptiveClip | SGD"]
)
def test_what_is_proved_holds_for_the_reference_target(rule):
    random = np.random.default_rng(3)
    full, alone = (random.normal(size=50) for _ in range(2))
    opt = optdsl.load(rule, "reference")([full])
    alone[...] = full
    for _ in range(5):
        gradient = random.normal(size=50) * (random.random(50) < 0.5)
        before = full.copy()
        opt.step([gradient])
        assert np.array_equal(full[gradient == 0], before[gradient == 0])


def test_a_state_that_changes_unread_for_long_is_no_proof():
    late = system(
        "optimizer Late\n"
        "  hyper eta as lr = 1 in [0, inf)\n"
        "  n[0] = 0\n"
        "  n[t] = n[t-1] + (1 if g[t] == 0 else 0)\n"
        "  theta[t] = theta[t-1] - eta*g[t]*(2 if n[t] > 1000 else 1)\n"
    )
    assert find_sparsity(late).verdict == "not decided"


def test_a_value_that_may_be_undefined_is_no_proof():
    undefined = system(
        "optimizer Undefined\n"
        "  hyper eta as lr = 1 in [0, inf)\n"
        "  theta[t] = theta[t-1] - eta*g[t]/abs(g[t])\n"
    )
    found = find_sparsity(undefined)
    assert found.verdict == "differs"
    assert "undefined" in found.parted.full


def test_a_point_that_is_undefined_for_zero_gradients_counts():
    found = find_sparsity(load_system("SharpnessAwareSGDUnguarded"))
    assert found.verdict == "differs"
    assert found.parted.changes == "theta: 1 becomes undefined in step 1, where the gradient is 0"


#: AdaptiveClip, changed so that a zero gradient does something.
@pytest.mark.parametrize(
    "u", ["c/n*g[t] if n > c else g[t] + c", "c/n*g[t] if n > c/2 else theta[t-1]", "g[t]/n"]
)
def test_what_a_row_adds_to_zero_is_no_proof(u):
    changed = system(f"transform Changed extends AdaptiveClip\n  u = {u}\n")
    assert find_sparsity(changed).verdict == "differs"


def test_a_row_that_is_read_is_named():
    found = find_sparsity(load_system("AdaptiveClip | SGD"))
    assert found.reads == ("norm(theta[t-1], per row)",)


def test_a_reduction_that_takes_in_every_entry_is_named():
    trust = system(
        "optimizer Trust\n"
        "  hyper eta as lr = 1 in [0, inf)\n"
        "  theta[t] = theta[t-1] - eta*norm(theta[t-1])*g[t]\n"
    )
    found = find_sparsity(trust)
    assert found.verdict == "proved"
    assert found.reads == ("norm(theta[t-1])",)


def test_a_product_of_matrices_that_takes_in_every_entry_is_named():
    turned = system(
        "optimizer Turned\n"
        "  hyper eta as lr = 1 in [0, inf)\n"
        "  theta[t] = theta[t-1] - eta*g[t]*(theta[t-1] @ theta[t-1].T @ theta[t-1])\n"
    )
    found = find_sparsity(turned)
    assert found.verdict == "proved"
    assert found.reads == (
        "theta[t-1] @ theta[t-1].T @ theta[t-1]", "theta[t-1] @ theta[t-1].T",
    )  # fmt: skip
