"""Pairs of systems with their verdicts, worked out by hand."""

from __future__ import annotations

import pytest

from optdsl.checks.equivalence import compare
from optdsl.library import load_system
from tests.checks.systems import over, system

ADAM = load_system("Adam")
MOMENTUM = load_system("Momentum")
NESTEROV = load_system("Nesterov")
RMSPROP = load_system("RMSprop")
SGD = load_system("SGD")

OUTSIDE = system("""
optimizer MomentumOutside extends Momentum
  v[t] = gamma*v[t-1] + g[t]
  theta[t] = theta[t-1] - eta*v[t]
""")
AVERAGED = system("""
optimizer Averaged
  hyper rate in [0, inf)
  hyper gamma in [0, 1)
  m[0] = 0
  m[t] = gamma*m[t-1] + (1 - gamma)*g[t]
  theta[t] = theta[t-1] - rate*m[t]
""")
SGDW = system("""
optimizer SGDW extends Momentum
  hyper lambda as weight_decay = 0.01 in [0, inf)
  theta[t] = theta[t-1] - v[t] - eta*lambda*theta[t-1]
""")
PENALISED_MOMENTUM = system("""
optimizer PenalisedMomentum extends Momentum
  hyper lambda as weight_decay = 0.01 in [0, inf)
  v[t] = gamma*v[t-1] + eta*(g[t] + lambda*theta[t-1])
""")
PENALISED = system("""
optimizer Penalised extends SGD
  hyper lambda as weight_decay = 0.01 in [0, inf)
  theta[t] = theta[t-1] - eta*(g[t] + lambda*theta[t-1])
""")
SHRINKING = system("""
optimizer Shrinking extends SGD
  hyper w = 0.99
  theta[t] = w*theta[t-1] - eta*g[t]
""")
EFFICIENT = system("""
optimizer Efficient
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilonhat in [0, inf)
  m[0] = v[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  rate = eta*sqrt(1 - beta2^t)/(1 - beta1^t)
  theta[t] = theta[t-1] - rate*m[t]/(sqrt(v[t]) + epsilonhat)
""")
ROOTS_WRITTEN_OUT = system("""
optimizer RootsWrittenOut
  hyper gamma in [0, 1)
  hyper epsilon in [0, inf)
  G[0] = D[0] = 0
  G[t] = gamma*G[t-1] + (1 - gamma)*g[t]^2
  d = -sqrt(D[t-1] + epsilon)/sqrt(G[t] + epsilon)*g[t]
  D[t] = gamma*D[t-1] + (1 - gamma)*d^2
  theta[t] = theta[t-1] + d
""")
ROOTS_NAMED = system("""
optimizer RootsNamed
  hyper gamma in [0, 1)
  hyper epsilon in [0, inf)
  G[0] = D[0] = 0
  R[0] = sqrt(epsilon)
  G[t] = gamma*G[t-1] + (1 - gamma)*g[t]^2
  d = -R[t-1]/sqrt(G[t] + epsilon)*g[t]
  D[t] = gamma*D[t-1] + (1 - gamma)*d^2
  R[t] = sqrt(D[t] + epsilon)
  theta[t] = theta[t-1] + d
""")
ADABELIEF = system("""
optimizer AdaBelief extends Adam
  v[t] = beta2*v[t-1] + (1 - beta2)*(g[t] - m[t])^2 + epsilon
""")
LOOKING_AHEAD = system("""
optimizer LookingAhead
  hyper eta in [0, inf)
  hyper gamma in [0, 1)
  v[0] = 0
  v[t] = gamma*v[t-1] + eta*g[t]
  theta[t] = theta[t-1] - gamma*v[t] - eta*g[t]
""")
LOOKING_AT_NEXT = system("""
optimizer LookingAtNext extends LookingAhead
  theta[t] = theta[t-1] - gamma[t+1]*v[t] - eta*g[t]

optimizer LookingAhead
  hyper eta in [0, inf)
  hyper gamma in [0, 1)
  v[0] = 0
  v[t] = gamma*v[t-1] + eta*g[t]
  theta[t] = theta[t-1] - gamma[t+1]*v[t] - eta*g[t]
""")
ADAGRAD_OUTSIDE = system("""
optimizer AdagradOutside extends Adagrad
  theta[t] = theta[t-1] - eta/(sqrt(G[t]) + epsilon)*g[t]
""")
AMSGRAD = system("""
optimizer AMSGrad
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilon in [0, inf)
  m[0] = v[0] = vhat[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  vhat[t] = max(vhat[t-1], v[t])
  theta[t] = theta[t-1] - eta/(sqrt(vhat[t]) + epsilon)*m[t]
""")
AMSGRAD_MAX_FIRST = system("""
optimizer MaxFirst
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilon in [0, inf)
  m[0] = v[0] = vhat[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  vhat[t] = max(vhat[t-1], v[t])
  theta[t] = theta[t-1] - eta*m[t]/(1 - beta1^t)/(sqrt(vhat[t]/(1 - beta2^t)) + epsilon)
""")
AMSGRAD_MAX_LAST = system("""
optimizer MaxLast
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilon in [0, inf)
  m[0] = v[0] = vhat[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  vhat[t] = max(vhat[t-1], v[t]/(1 - beta2^t))
  theta[t] = theta[t-1] - eta*m[t]/(1 - beta1^t)/(sqrt(vhat[t]) + epsilon)
""")
AMSGRAD_BY_CASES = system("""
optimizer ByCases
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilon in [0, inf)
  a[0] = b[0] = c[0] = 0
  a[t] = beta1*a[t-1] + (1 - beta1)*g[t]
  b[t] = beta2*b[t-1] + (1 - beta2)*g[t]^2
  c[t] = b[t] if b[t] > c[t-1]
  theta[t] = theta[t-1] - eta/(sqrt(c[t]) + epsilon)*a[t]
""")
AMSGRAD_PROSE = system("""
optimizer Prose
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilon in [0, inf)
  m[0] = v[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  theta[t] = theta[t-1] - eta/(sqrt(max(v[t-1], v[t])) + epsilon)*m[t]
""")
HALVING = system("""
schedule Halving gives eta
  hyper eta_0 in [0, inf)
  eta[0] = eta_0
  eta[t] = eta[t-1]/2
""")
EXPONENTIAL = system("""
schedule Decay gives eta
  hyper eta_0 in [0, inf)
  hyper k in [0, inf)
  eta[t] = eta_0*exp(-k*t)
""")
LENGTHS = system("""
optimizer Clipped extends SGD
  n = norm(g[t])
  theta[t] = theta[t-1] - eta*(g[t]/n if n > 1 else g[t])
""")
SQUARED_LENGTHS = system("""
optimizer ClippedBySquares extends SGD
  n = sum(g[t]^2)
  theta[t] = theta[t-1] - (eta*g[t] if n <= 1 else eta*g[t]/sqrt(n))
""")

ALL_ADAM = ("eta", "beta1", "beta2", "epsilon")

PROVED = {
    "itself": (ADAM, ADAM, {}),
    "decay of nothing": (SGDW, MOMENTUM, {"fixed": {"lambda": "0"}}),
    "AdamW without decay": (load_system("AdamW"), ADAM, {"fixed": {"lambda": "0"}}),
    "no momentum": (MOMENTUM, SGD, {"fixed": {"gamma": "0"}}),
    "no momentum, looking ahead": (NESTEROV, SGD, {"fixed": {"gamma": "0"}}),
    "step size outside": (OUTSIDE, MOMENTUM, {"constant": ["eta"]}),
    "step size inside": (MOMENTUM, OUTSIDE, {"constant": ["eta"]}),
    "average": (
        MOMENTUM,
        AVERAGED,
        {"constant": ["eta", "gamma"], "mapping": {"rate": "eta/(1 - gamma)"}},
    ),
    "penalty": (PENALISED, SHRINKING, {"mapping": {"w": "1 - eta*lambda"}}),
    "SGDW without momentum": (SGDW, PENALISED_MOMENTUM, {"fixed": {"gamma": "0"}}),
    "efficient order": (ADAM, EFFICIENT, {"mapping": {"epsilonhat": "epsilon*sqrt(1 - beta2^t)"}}),
    "roots written out": (ROOTS_NAMED, ROOTS_WRITTEN_OUT, {"constant": ["epsilon"]}),
    "roots named": (ROOTS_WRITTEN_OUT, ROOTS_NAMED, {"constant": ["epsilon"]}),
    "Adadelta": (load_system("Adadelta"), ROOTS_NAMED, {}),
    "Adagrad without epsilon": (
        load_system("Adagrad"),
        ADAGRAD_OUTSIDE,
        {"fixed": {"epsilon": "0"}},
    ),
    "look-ahead": (
        NESTEROV,
        LOOKING_AHEAD,
        {"constant": ["gamma"], "mapping": {"theta": "theta[t] - gamma*v[t]"}},
    ),
    "look-ahead with the next gamma": (
        NESTEROV,
        LOOKING_AT_NEXT,
        {"mapping": {"theta": "theta[t] - gamma[t+1]*v[t]"}},
    ),
    "maximum by cases": (AMSGRAD, AMSGRAD_BY_CASES, {}),
    "halving": (
        HALVING,
        EXPONENTIAL,
        {"mapping": {"k": "log(2)"}, "constant": ["eta_0"]},
    ),
    "lengths": (LENGTHS, SQUARED_LENGTHS, {}),
}

DIFFERS = {
    "look-ahead": (MOMENTUM, NESTEROV, {}, 2),
    "step size outside": (OUTSIDE, MOMENTUM, {}, 2),
    "average": (MOMENTUM, AVERAGED, {"mapping": {"rate": "eta"}}, 1),
    "average, varying": (MOMENTUM, AVERAGED, {"mapping": {"rate": "eta/(1 - gamma)"}}, 2),
    "penalty in momentum": (SGDW, PENALISED_MOMENTUM, {}, 2),
    "small w for large": (PENALISED, SHRINKING, {"mapping": {"w": "lambda"}}, 1),
    "epsilon": (load_system("Adagrad"), ADAGRAD_OUTSIDE, {}, 1),
    "efficient order": (ADAM, EFFICIENT, {"mapping": {"epsilonhat": "epsilon"}}, 1),
    "roots written out, varying": (ROOTS_NAMED, ROOTS_WRITTEN_OUT, {}, 1),
    "belief": (ADAM, ADABELIEF, {}, 1),
    "look-ahead without a map": (NESTEROV, LOOKING_AHEAD, {}, 1),
    "look-ahead, varying": (
        NESTEROV,
        LOOKING_AHEAD,
        {"mapping": {"theta": "theta[t] - gamma*v[t]"}},
        2,
    ),
    "no maximum": (AMSGRAD, AMSGRAD_MAX_FIRST, {}, 1),
    "maximum before and after the correction": (AMSGRAD_MAX_FIRST, AMSGRAD_MAX_LAST, {}, 2),
    "maximum of two values": (AMSGRAD, AMSGRAD_PROSE, {}, 3),
    "halving": (HALVING, EXPONENTIAL, {"mapping": {"k": "1"}}, 1),
}


def ask(ours, theirs, options):
    given = dict(options)
    for name in ("mapping", "fixed"):
        if name in given:
            given[name] = over(ours, **given[name])
    return compare(ours, theirs, **given)


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
