"""No small change goes unnoticed, and no rewriting is taken for a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from optdsl.checks.equivalence import compare
from optdsl.checks.equivalence.induction import Proof
from optdsl.checks.equivalence.question import Question
from optdsl.library import load_system
from optdsl.model.expressions import Value
from tests.checks.mutants import mutants, runs_agree
from tests.checks.systems import system
from tests.checks.test_pairs import AMSGRAD, EFFICIENT, LENGTHS, LOOKING_AHEAD

QUICK = ["SGD", "Momentum"]
SLOWER = ["Nesterov", "RMSprop", "Adagrad", "Adam", "AdamW", "Adadelta"]
SCHEDULES = ["Exponential", "Cosine", "WarmRestarts"]


def check(name, ours, words, theirs):
    verdict = compare(ours, theirs, explain=False)
    if verdict.kind != "differs":
        assert runs_agree(ours, theirs, 200, {}), f"{name}, {words}: {verdict}"


@pytest.mark.parametrize("name", QUICK)
def test_mutants(name):
    ours = load_system(name)
    for words, theirs in mutants(ours):
        check(name, ours, words, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SLOWER, "ClipByGlobalNorm", *SCHEDULES])
def test_more_mutants(name):
    ours = load_system(name)
    for words, theirs in mutants(ours):
        check(name, ours, words, theirs)


def unproved(ours, constant=frozenset()):
    """The prover alone, without the trials that refute, must not prove a mutant."""
    for words, theirs in mutants(ours):
        maps = {state.name: Value(state.name, state.kind) for state in theirs.states}
        if Proof(Question(ours, theirs, constant), maps).holds():
            verdict = compare(ours, theirs, constant=constant, explain=False)
            assert verdict.kind == "proved", f"{words}: {verdict}"
            assert runs_agree(ours, theirs, 200, {}), words


@pytest.mark.parametrize("name", [*QUICK, "Nesterov", "RMSprop", "Adagrad"])
def test_the_prover_alone_refuses_mutants(name):
    unproved(load_system(name))


@pytest.mark.slow
@pytest.mark.parametrize(
    "ours",
    [load_system("Adadelta"), EFFICIENT, AMSGRAD, LENGTHS, LOOKING_AHEAD,
     *map(load_system, SCHEDULES)],
    ids=lambda ours: ours.name,
)  # fmt: skip
@pytest.mark.parametrize("constant", [False, True])
def test_the_prover_alone_refuses_more_mutants(ours, constant):
    names = frozenset(h.name for h in ours.hyperparameters) if constant else frozenset()
    unproved(ours, names)


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
    theirs = renamed(ours)
    assert compare(ours, theirs).kind == "proved"


def renamed(ours):
    from optdsl.checks.equivalence.reverse import rewritten
    from optdsl.model.expressions import transform

    names = {state.name: f"{state.name}_other" for state in ours.states}

    def change(node):
        if isinstance(node, Value) and node.name in names:
            return replace(node, name=names[node.name])
        return None

    changed = rewritten(ours, lambda expression: transform(expression, change))
    return replace(
        changed,
        states=tuple(replace(s, name=names[s.name]) for s in reversed(changed.states)),
        equations=tuple(replace(e, name=names.get(e.name, e.name)) for e in changed.equations),
    )
