"""Counterexamples: their inputs, and the causes that are named for them."""

import pytest

from optdsl.checks.equivalence import compare
from optdsl.library import load_system
from tests.checks.pairs import DIFFERS, ask
from tests.checks.systems import system


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("epsilon", "epsilon outside the root"),
        ("step size outside", "eta is constant"),
        ("look-ahead", "gradient taken at theta[t-1]"),
        ("penalty in momentum", "penalty"),
        ("maximum before and after the correction", "the correction before the maximum"),
    ],
)
def test_likely_cause(name, words):
    ours, theirs, options, _ = DIFFERS[name]
    cause = ask(ours, theirs, options).counterexample.cause
    assert cause is not None
    assert words in cause


def test_no_cause_is_named_where_the_inputs_hardly_tell():
    """The first steps of both are the same: few inputs part them, whatever is changed."""
    verdict = compare(load_system("RAdamTorch"), load_system("RAdam"))
    assert verdict.kind == "differs"
    assert verdict.counterexample.cause is None


def test_a_counterexample_is_simple():
    example = ask(*DIFFERS["look-ahead"][:3]).counterexample
    assert example.what == "the point of gradient 1"
    assert example.inputs == {
        "eta": "1",
        "gamma": "1/2",
        "theta[0]": "1",
        "g[1]": "1",
        "g[2]": "1",
    }
    assert (example.ours, example.theirs) == ("0", "-1/2")


def counterexample(ours, theirs):
    verdict = compare(ours, theirs)
    assert verdict.kind == "differs"
    return verdict.counterexample


def test_one_tensor_of_one_entry_does_where_it_shows_the_difference():
    example = counterexample(load_system("LAMB"), load_system("AdamW"))
    assert example.inputs["theta[0]"] == example.inputs["g[1]"] == "1"
    assert (example.ours, example.theirs) == ("0", "-1/2")


def test_two_tensors_are_kept_where_one_does_not_show_it():
    first, second = (
        system(f"""
optimizer Scaled
  hyper eta in [0, inf)
  theta[t] = theta[t-1] - eta*g[t]*{norm}
""")
        for norm in ("norm(g[t])", "norm(g[t], all)")
    )
    example = counterexample(first, second)
    assert example.inputs["g[1]"].count(",") == 1


def test_a_matrix_is_as_small_as_the_difference_allows():
    first, second = (
        system(f"""
optimizer Scaled
  hyper eta in [0, inf)
  theta[t] = theta[t-1] - eta*g[t]*sum(abs(g[t]), per {axis})
""")
        for axis in ("row", "column")
    )
    example = counterexample(first, second)
    assert example.inputs["g[1]"].count(",") == 1


def test_a_cause_is_not_a_condition_that_the_inputs_meet():
    """The inputs keep every hyperparameter constant, so that this explains nothing."""
    rule = load_system("LARSGuarded")
    unguarded = system("""
optimizer Unguarded extends LARS
  lambda = eta*norm(theta[t-1])/(norm(g[t]) + beta*norm(theta[t-1]))
""")
    example = counterexample(rule, unguarded)
    assert "constant" not in (example.cause or "")
