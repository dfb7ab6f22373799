"""Rules that skip steps: a step that is skipped leaves every state, and the clock, as they were."""

import pytest

from optdsl.checks.equivalence import compare
from optdsl.checks.equivalence.induction import Proof
from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.unskipped import unskipped
from optdsl.model import evaluation
from optdsl.model.arithmetic import real
from tests.checks.systems import system

SKIPPING = """
transform Skip gives u
  hyper c in [0, inf)
  u = g[t]
  skip when {condition}
optimizer Skipping = Skip | {inner}
"""
GUARDED_ADAM = """
optimizer Guarded
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilon in [0, inf)
  hyper c in [0, inf)
  ok = {condition}
  n[0] = m[0] = v[0] = 0
  n[t] = n[t-1] + 1 if ok
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t] if ok
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2 if ok
  mhat = m[t]/(1 - beta1^{clock})
  theta[t] = theta[t-1] - eta*mhat/(sqrt(v[t]/(1 - beta2^{clock})) + epsilon) if ok
"""
GUARDED_SGD = """
optimizer Guarded
  hyper eta in [0, inf)
  hyper c in [0, inf)
  theta[t] = theta[t-1] if {condition} else theta[t-1] - eta*g[t]
"""
TWICE = """
transform First gives u
  hyper c in [0, inf)
  u = g[t]
  skip when norm(g[t], all) > c
transform Second gives u
  hyper d in [0, inf)
  u = g[t]
  skip when norm(g[t], all) < d
optimizer Twice = First | Second | Momentum
"""
ONCE = """
transform Once gives u
  hyper c in [0, inf)
  hyper d in [0, inf)
  u = g[t]
  skip when norm(g[t], all) < d or norm(g[t], all) > c
optimizer Other = Once | Momentum
"""
ACCUMULATED = """
transform Other gives u
  hyper k in 1..inf
  a[0] = 0
  a[t] = g[t]/k + (a[t-1] if mod(t - 1, k) != 0 else 0)
  u = a[t]
  skip when not mod(t, k) == 0
optimizer Sums = Other | Adam
"""
GIVING = """
transform Giving gives u
  hyper c in [0, inf)
  u = {value}
  skip when {condition}
"""


def skipping(condition, inner="SGD"):
    return system(SKIPPING.format(condition=condition, inner=inner))


def guarded(template, condition, **other):
    return system(template.format(condition=condition, **other))


PROVED = {
    "a guard for each state, and a clock of its own": (
        skipping("norm(g[t], all) > c", "Adam"),
        guarded(GUARDED_ADAM, "norm(g[t], all) <= c", clock="n[t]"),
    ),
    "a condition written otherwise": (
        skipping("norm(g[t], all) > c"),
        guarded(GUARDED_SGD, "sum(g[t]^2, all) > c^2"),
    ),
    "each tensor by itself": (
        skipping("norm(g[t]) > c"),
        guarded(GUARDED_SGD, "not norm(g[t]) <= c"),
    ),
    "a condition on all entries": (
        skipping("any(g[t] > c or g[t] < -c, all)", "AMSGrad"),
        skipping("any(-g[t] > c, all) or any(not 2*g[t] <= 2*c, all)", "AMSGrad"),
    ),
    "what is not finite": (
        system("optimizer A = SkipNonfinite | Momentum\n"),
        system("""
optimizer B extends Momentum
  bad = any(not finite(g[t]), all)
  v[t] = v[t-1] if bad else gamma*v[t-1] + eta*g[t]
  theta[t] = theta[t-1] - v[t] if not bad
"""),
    ),
    "two skips and one": (system(TWICE), system(ONCE)),
    "what is handed on": (
        system(GIVING.format(value="2*g[t]", condition="norm(g[t], all) > c")),
        system(GIVING.format(value="g[t] + g[t]", condition="not norm(g[t], all) <= c")),
    ),
    "noise of a tensor's own steps": (
        skipping("norm(g[t]) > c", "SGLD"),
        skipping("c < norm(g[t])", "SGLD"),
    ),
}

DIFFERS = {
    "the clock goes on": (
        skipping("norm(g[t], all) > c", "Adam"),
        guarded(GUARDED_ADAM, "norm(g[t], all) <= c", clock="t"),
        2,
    ),
    "equality": (skipping("norm(g[t], all) > c"), skipping("norm(g[t], all) >= c"), 1),
    "a tensor and all": (skipping("norm(g[t]) > c"), skipping("norm(g[t], all) > c"), 1),
    "0 and nothing": (
        system(GIVING.format(value="g[t]", condition="norm(g[t], all) > c")),
        system("""
transform Giving gives u
  hyper c in [0, inf)
  u = 0 if norm(g[t], all) > c else g[t]
"""),
        1,
    ),
}


@pytest.mark.parametrize("name", PROVED)
def test_skipped_steps_are_proved(name):
    ours, theirs = PROVED[name]
    verdict = compare(ours, theirs)
    assert verdict.kind == "proved", str(verdict)


def test_gradients_are_collected_in_two_ways():
    ours = system("optimizer A = Accumulate | Adam\n")
    verdict = compare(ours, system(ACCUMULATED), constant=["k"], explain=False)
    assert verdict.kind == "proved", str(verdict)
    assert compare(ours, system(ACCUMULATED), explain=False).kind == "differs"


@pytest.mark.parametrize("name", DIFFERS)
def test_skipped_steps_are_told_apart(name):
    ours, theirs, step = DIFFERS[name]
    verdict = compare(ours, theirs, explain=False)
    assert verdict.kind == "differs", str(verdict)
    assert verdict.counterexample.step == step


def test_nothing_is_told_as_nothing():
    ours, theirs, _ = DIFFERS["0 and nothing"]
    told = compare(ours, theirs).counterexample
    assert (told.what, told.ours, told.theirs) == ("u[1]", "nothing", "0")
    assert told.equation is None or "goes on" not in told.equation


def test_an_undefined_condition_is_a_difference():
    ours, theirs = skipping("1/norm(g[t], all) > c"), skipping("norm(g[t], all)*c < 1")
    assert compare(ours, theirs, explain=False).kind == "differs"
    question = unskipped(Question(ours, theirs))
    assert not Proof(question, {}).holds()


@pytest.mark.parametrize("inner", ["Adam", "AveragedSGD", "SGLD"])
def test_what_takes_every_step_walks_as_what_skips(inner):
    """One tensor: the evaluation of systems that skip is not that of systems that are rewritten."""
    skips = skipping("norm(g[t], all) > c", inner)
    rewritten = unskipped(Question(skips, skips)).ours
    walks = []
    for each in (skips, rewritten):
        machine = evaluation.Machine(each, lambda name, t: real(1 if name == "c" else 0.5))
        machine.start((real(1), real(2)))
        steps = [
            machine.step(lambda t, name, point: (real((0.5, 3, 0.25, 2, -0.5)[t - 1]), real(0.25)))
            for _ in range(5)
        ]
        walks.append([step.outputs["theta"] for step in steps])
    assert all(
        machine.arithmetic.same(a, b)
        for one, other in zip(*walks, strict=True)
        for a, b in zip(one, other, strict=True)
    )
    assert walks[0][1] == walks[0][0] != walks[0][2]
