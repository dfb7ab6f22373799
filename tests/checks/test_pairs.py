"""Pairs of rules and the verdicts on them."""

import pytest

from optdsl.checks.equivalence import compare
from optdsl.library import load_system
from tests.checks.pairs import AVERAGED, DIFFERS, MOMENTUM, OUTSIDE, PROVED, SGD, ask
from tests.checks.systems import over, system


@pytest.mark.parametrize("name", PROVED)
def test_proved(name):
    verdict = ask(*PROVED[name])
    assert verdict.kind == "proved", str(verdict)


@pytest.mark.parametrize("name", DIFFERS)
def test_differs_at(name):
    ours, theirs, options, step = DIFFERS[name]
    verdict = ask(ours, theirs, options)
    assert verdict.kind == "differs", str(verdict)
    assert verdict.counterexample.step == step, str(verdict)


def test_a_map_is_verified():
    right = ask(OUTSIDE, MOMENTUM, {"constant": ["eta"], "mapping": {"v": "eta*v[t]"}})
    assert right.kind == "proved"
    wrong = ask(OUTSIDE, MOMENTUM, {"constant": ["eta"], "mapping": {"v": "v[t]"}})
    assert wrong.kind == "not understood"
    assert "where v" in wrong.reason


def test_an_unknown_hyperparameter_is_not_understood():
    verdict = compare(MOMENTUM, AVERAGED)
    assert verdict.kind == "not understood"
    assert "`rate`" in verdict.reason


def test_a_proof_says_what_it_rests_on():
    verdict = ask(*PROVED["average"])
    assert verdict.constant == ("eta", "gamma")
    assert "gamma in [0, 1)" in verdict.domains
    assert verdict.state_map
    ahead = ask(*PROVED["look-ahead"])
    assert ahead.output_map == "theta[t] - gamma*v[t] in place of theta"
    assert "in place of theta" in str(ahead)


def test_undefined_on_one_side_is_a_difference():
    guarded = system("""
optimizer Guarded extends Adagrad
  theta[t] = theta[t-1] - (eta/sqrt(G[t] + epsilon)*g[t] if G[t] + epsilon > 0 else 0)
""")
    verdict = compare(load_system("Adagrad"), guarded)
    assert verdict.kind == "differs"
    assert verdict.counterexample.ours == "undefined"


def test_undefined_on_both_sides_is_none():
    other = system("""
optimizer Other extends Adagrad
  theta[t] = theta[t-1] - eta*g[t]*(G[t] + epsilon)^(-1/2)
""")
    assert compare(load_system("Adagrad"), other).kind == "proved"


def test_a_gradient_asked_for_twice_at_a_point_counts_once():
    twice = system("""
optimizer Twice extends SGD
  a = grad(theta[t-1])
  b = grad(theta[t-1] + 0*eta)
  theta[t] = theta[t-1] - eta*(a + b)/2
""")
    assert compare(SGD, twice).kind == "proved"
    assert compare(twice, SGD).kind == "proved"
    apart = system("""
optimizer Apart extends SGD
  a = grad(theta[t-1])
  b = grad(theta[t-1] + eta)
  theta[t] = theta[t-1] - eta*(a + b)/2
""")
    assert compare(apart, SGD).kind == "differs"


NORMS = {
    "norm of a multiple": ("norm(2*g[t])", "2*norm(g[t])", "proved"),
    "norm of a shrunk gradient": ("norm((1 - gamma)*g[t])", "(1 - gamma)*norm(g[t])", "proved"),
    "norm and sum": ("norm(g[t])^2", "sum(g[t]*g[t])", "proved"),
    "dot": ("dot(g[t], theta[t-1])", "sum(theta[t-1]*g[t])", "proved"),
    "rms and mean": ("rms(g[t])", "sqrt(mean(g[t]^2))", "proved"),
    "sum of a sum": ("sum(g[t] + theta[t-1])", "sum(g[t]) + sum(theta[t-1])", "proved"),
    "norm of a norm": ("norm(g[t]*norm(g[t], all), all)", "norm(g[t], all)^2", "proved"),
    "a norm a tensor is not one for all": (
        "norm(g[t]*norm(g[t]), all)",
        "norm(g[t])*norm(g[t], all)",
        "differs",
    ),
    "norm and sum of sizes": ("norm(g[t])", "sum(abs(g[t]))", "differs"),
    "mean and sum": ("mean(g[t])", "sum(g[t])", "differs"),
    "a choice for each entry": (
        "sum(g[t] if g[t] > 0 else 0)",
        "sum(g[t]) if g[t] > 0 else 0",
        "differs",
    ),
    "a maximum of sizes": ("max(abs(g[t]))", "max(abs(-g[t]))", "proved"),
}


@pytest.mark.parametrize("name", NORMS)
def test_reductions(name):
    left, right, kind = NORMS[name]
    ours, theirs = (
        system(f"""
optimizer Reducing extends Momentum
  v[t] = gamma*v[t-1] + eta*g[t]
  theta[t] = theta[t-1] - v[t]*({text})
""")
        for text in (left, right)
    )
    assert compare(ours, theirs).kind == kind


def test_a_start_may_be_a_state_of_ours():
    shifted = system("""
optimizer Shifted
  hyper eta in [0, inf)
  hyper gamma in [0, 1)
  hyper before
  v[0] = before
  v[t] = gamma*v[t-1] + eta*g[t]
  theta[t] = theta[t-1] - v[t]
""")
    assert compare(MOMENTUM, shifted, mapping=over(MOMENTUM, before="0")).kind == "proved"
    assert compare(MOMENTUM, shifted, mapping=over(MOMENTUM, before="v[t]")).kind == "proved"
    different = compare(MOMENTUM, shifted, mapping=over(MOMENTUM, before="1"))
    assert different.kind == "differs"


@pytest.mark.parametrize("n", [300, 387420489])
def test_high_powers_take_no_longer(n):
    ours = system(f"""
optimizer Ours
  hyper b in [0, 1)
  theta[t] = theta[t-1] - (1 - b)^{n}*2*g[t]
""")
    theirs = system(f"""
optimizer Theirs
  hyper b in [0, 1)
  theta[t] = theta[t-1] - (g[t] + g[t])*(1 - b)^{n}
""")
    assert compare(ours, theirs).kind == "proved"
    assert compare(ours, load_system("SGD")).kind != "proved"


def test_a_power_of_one_value_takes_no_longer_however_high():
    ours, theirs = (
        system(f"optimizer {name}\n  theta[t] = theta[t-1] - {text}\n")
        for name, text in (("Ours", "2*g[t]^1e390"), ("Theirs", "g[t]^1e390*g[t]^0*2"))
    )
    assert compare(ours, theirs).kind == "proved"


def test_numbers_that_outgrow_all_bounds_end_a_run():
    ours = system("""
optimizer Ours
  x[0] = 2
  x[t] = 2^x[t-1]
  theta[t] = theta[t-1] - g[t]/x[t]
""")
    assert compare(ours, ours).kind == "proved"
