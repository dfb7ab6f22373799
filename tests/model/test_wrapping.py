"""Rules handed to rules are written out into one system."""

from __future__ import annotations

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.model.expressions import Step, walk
from optdsl.program import lower
from tests.model.test_build import codes, system

WRAPPERS = """
optimizer Lookahead(inner)
  hyper k     = 5   in 1..inf
  hyper alpha = 0.5 in [0, 1]
  slow[0] = theta[0]
  fast = inner(theta[t-1])
  sync = mod(t, k) == 0
  slow[t] = slow[t-1] + alpha*(fast - slow[t-1]) if sync
  theta[t] = slow[t] if sync else fast

optimizer SAM(inner)
  hyper rho = 0.05 in [0, inf)
  n = norm(g[t], all)
  s = grad(theta[t-1] + rho*g[t]/n if n > 0 else theta[t-1])
  theta[t] = inner(theta[t-1], s)

optimizer Rate(inner)
  theta[t] = inner(theta[t-1]) - inner.eta*theta[t-1]
"""


def test_a_wrapper_and_its_rule_are_one_program() -> None:
    built = system(WRAPPERS + "\noptimizer Made = Lookahead(Adam, k=3)\n")
    assert [s.name for s in built.states] == ["slow", "m", "v"]
    assert [g.name for g in built.gradients] == ["g"]
    program = lower(built, "ready")
    assert program is not None
    assert len(program.passes) == 1
    assert not any(isinstance(n, Step) for e in built.equations for n in walk(e.value))


def test_a_rule_is_handed_its_gradient() -> None:
    built = system(WRAPPERS + "\noptimizer Made = SAM(ClipByGlobalNorm | Adam)\n")
    assert [g.name for g in built.gradients] == ["g", "s"]
    assert {h.owner for h in built.hyperparameters} == {"SAM", "ClipByGlobalNorm", "Adam"}


def test_wrappers_nest() -> None:
    built = system(WRAPPERS + "\noptimizer Made = SAM(Lookahead(AdamW), rho=0.1, lr=0.2)\n")
    assert [h.owner for h in built.hyperparameters if h.local_name == "eta"] == ["AdamW"]
    assert [s.name for s in built.states] == ["slow", "m", "v"]


def test_a_wrapper_of_a_rule_with_several_gradients() -> None:
    built = system(WRAPPERS + "\noptimizer Made = Lookahead(SAM(Momentum), k=2)\n")
    assert built.gradients[0].name == "g"
    assert len(built.gradients) == 2
    assert lower(built, "function") is not None


def test_a_wrapper_reads_the_hyperparameters_of_its_rule() -> None:
    built = system(WRAPPERS + "\noptimizer Made = Rate(Momentum)\n")
    assert "eta" in {h.name for h in built.hyperparameters}


def test_sgd_stands_in_for_a_rule_that_is_not_given() -> None:
    assert {h.owner for h in system(WRAPPERS, "SAM").hyperparameters} == {"SAM", "SGD"}


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ("SAM(Nesterov)", "gradient-handed-in"),
        ("SAM", "rule-needed"),
        ("SAM(Adam, Adam)", "rule-needed"),
        ("SAM(Cosine)", "wrong-family"),
        ("Rate(Adadelta)", "unknown-hyperparameter"),
    ],
)
def test_what_cannot_be_handed_in_says_why(made: str, code: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        system(WRAPPERS + f"\noptimizer Made = {made}\n")
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == [code]


def test_a_rule_steps_once_a_step() -> None:
    found = codes("""
optimizer Twice(inner)
  theta[t] = inner(theta[t-1]) + inner(theta[t-1] + 1)
""")
    assert found == ["stepped-twice"]
