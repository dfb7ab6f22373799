"""No small change goes unnoticed, and no rewriting is taken for a change."""

from __future__ import annotations

import pytest

from optdsl.checks.equivalence import compare
from optdsl.library import load_system, single_rules
from tests.checks.long_runs import long_runs
from tests.checks.mutants import mutants
from tests.checks.pairs import AMSGRAD, EFFICIENT, LENGTHS, LOOKING_AHEAD
from tests.checks.rewrites import renamed
from tests.checks.soundness import (
    GROUPS,
    MUTANTS_A_RULE,
    REWRITES_A_RULE,
    Counts,
    changes_nothing,
    group,
    judge_mutants,
    judge_rewrites,
    proved_alone,
    sampled_mutants,
    sampled_rewrites,
)
from tests.checks.systems import system

QUICK = ["SGD", "Momentum", "DecayedSGD", "Exponential", "ClipByValue", "SignSGD"]
SLOWER = ["Nesterov", "RMSprop", "Adagrad", "Adam", "AdamW", "Adadelta"]
SCHEDULES = ["Exponential", "Cosine", "WarmRestarts"]


def counts_of(judge, names, *arguments):
    total = Counts()
    for name in names:
        total.add(judge(name, *arguments))
    return total


@pytest.mark.parametrize("name", QUICK)
def test_mutants(name):
    """Every small change of a short rule is refuted, or shown to change nothing."""
    counts = judge_mutants(name, 1000)
    assert counts.refuted > 5
    assert not counts.wrong
    assert not counts.wrongly_proved


@pytest.mark.slow
@pytest.mark.parametrize("number", range(GROUPS))
def test_mutants_of_all_that_is_shipped(number, record_property):
    """Neither the checker nor the prover alone takes a changed rule for the same rule."""
    counts = counts_of(judge_mutants, group(number))
    record_property("counts", str(counts))
    assert not counts.wrong, counts.wrong
    assert not counts.wrongly_proved, counts.wrongly_proved


@pytest.mark.parametrize("name", QUICK)
def test_rewrites(name):
    counts = judge_rewrites(name, 100)
    assert counts.proved == counts.rewrites


@pytest.mark.slow
def test_rewrites_of_all_that_is_shipped(record_property):
    """No rewriting is refuted, and at least nine of ten are proved."""
    counts = counts_of(judge_rewrites, single_rules())
    record_property("counts", str(counts))
    assert not counts.wrongly_refuted, counts.wrongly_refuted
    assert counts.proved >= 0.9 * counts.rewrites, counts.unproved


@pytest.mark.slow
def test_there_are_enough_of_both():
    systems = {name: load_system(name) for name in single_rules()}
    changed = sum(len(sampled_mutants(n, s, MUTANTS_A_RULE)) for n, s in systems.items())
    same = sum(len(sampled_rewrites(n, s, REWRITES_A_RULE)) for n, s in systems.items())
    assert changed >= 1000
    assert same >= 300


@pytest.mark.slow
@pytest.mark.parametrize(
    "ours",
    [load_system("Adadelta"), EFFICIENT, AMSGRAD, LENGTHS, LOOKING_AHEAD,
     *map(load_system, SCHEDULES)],
    ids=lambda ours: ours.name,
)  # fmt: skip
def test_the_prover_alone_refuses_mutants_where_all_is_constant(ours):
    names = frozenset(h.name for h in ours.hyperparameters)
    for words, theirs in mutants(ours):
        if proved_alone(ours, theirs, names):
            verdict = compare(ours, theirs, constant=names, explain=False)
            assert verdict.kind == "proved", f"{words}: {verdict}"
            assert changes_nothing(long_runs(ours, theirs, constant=True)), words


# ---------------------------------------------------------------- rewritings

ADAM = """
optimizer Other
  hyper eta in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  hyper epsilon in [0, inf)
"""

REWRITTEN_ADAMS = {
    "expanded": """
  m[0] = v[0] = 0
  m[t] = beta1*m[t-1] + g[t] - g[t]*beta1
  v[t] = beta2*v[t-1] + g[t]*g[t] - beta2*g[t]*g[t]
  theta[t] = theta[t-1] - eta*(m[t]/(1 - beta1^t))/(sqrt(v[t]/(1 - beta2^t)) + epsilon)
""",
    "renamed and reordered": """
  second[0] = first[0] = 0
  theta[t] = theta[t-1] - eta*a/(epsilon + b)
  b = sqrt(second[t]/(1 - beta2^t))
  a = first[t]/(1 - beta1^t)
  second[t] = (1 - beta2)*g[t]^2 + beta2*second[t-1]
  first[t] = g[t] + beta1*(first[t-1] - g[t])
""",
    "roots factored": """
  m[0] = v[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  c = sqrt(1 - beta2^t)
  theta[t] = theta[t-1] - eta*c*m[t]/((1 - beta1^t)*(sqrt(v[t]) + epsilon*c))
""",
    "products kept": """
  m[0] = v[0] = 0
  p[0] = 1
  p[t] = p[t-1]
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  theta[t] = theta[t-1] - p[t]*eta*(m[t]/(1 - beta1^t))/(sqrt(v[t]/(1 - beta2^t)) + epsilon)
""",
    "states scaled": """
  m[0] = v[0] = 0
  m[t] = beta1*m[t-1] + 3*(1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + 9*(1 - beta2)*g[t]^2
  theta[t] = theta[t-1] - eta*(m[t]/(1 - beta1^t))/(sqrt(v[t]/(1 - beta2^t)) + 3*epsilon)
""",
    "a power for the root": """
  m[0] = v[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  theta[t] = theta[t-1] - eta*(m[t]/(1 - beta1^t))*((v[t]/(1 - beta2^t))^0.5 + epsilon)^(-1)
""",
    "the first step written out": """
  m[1] = (1 - beta1)*g[t]
  v[1] = (1 - beta2)*g[t]^2
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2
  theta[t] = theta[t-1] - eta*(m[t]/(1 - beta1^t))/(sqrt(v[t]/(1 - beta2^t)) + epsilon)
""",
}


@pytest.mark.parametrize("name", REWRITTEN_ADAMS)
def test_rewritten_adams_are_proved(name):
    verdict = compare(load_system("Adam"), system(ADAM + REWRITTEN_ADAMS[name]))
    assert verdict.kind == "proved", str(verdict)


@pytest.mark.parametrize("name", [*QUICK, *SLOWER])
def test_renamed_states_in_another_order_are_proved(name):
    ours = load_system(name)
    assert compare(ours, renamed(ours)).kind == "proved"
