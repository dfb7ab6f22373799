"""Rules of rules: extends, pipes, arguments, schedules as values."""

from __future__ import annotations

import numpy as np
import pytest

from optdsl.codegen import compile_system
from optdsl.diagnostics import DiagnosticError
from optdsl.library import load_rule, load_system
from optdsl.model.expressions import Kind, Value, values
from optdsl.runtime.facts import Facts
from tests.model.test_build import codes, system


def test_extends_replaces_by_name_and_drops_what_is_unread() -> None:
    built = system("""
optimizer Plain extends Momentum
  theta[t] = theta[t-1] - eta*g[t]
""")
    assert [h.name for h in built.hyperparameters] == ["eta"]
    assert [e.name for e in built.equations] == ["theta"]
    assert built.states == ()


def test_extends_takes_over_starts_of_replaced_equations() -> None:
    built = system("""
optimizer Outside extends Momentum
  v[t] = gamma*v[t-1] + g[t]
  theta[t] = theta[t-1] - eta*v[t]
""")
    assert [s.name for s in built.states] == ["v"]
    assert [h.name for h in built.hyperparameters] == ["eta", "gamma"]


def test_adamw_is_adam_with_one_hyperparameter_more() -> None:
    adam, adamw = load_system("Adam"), load_system("AdamW")
    assert len(adamw.hyperparameters) == len(adam.hyperparameters) + 1
    assert adamw.equation("mhat").value == adam.equation("mhat").value


def test_a_pipe_hands_on_what_the_transform_gives() -> None:
    built = load_system("ClipByGlobalNorm(c=2) | SGD(eta=0.5)")
    defaults = {h.name: h.default for h in built.hyperparameters}
    assert {name: d.value for name, d in defaults.items() if d is not None} == {  # type: ignore[union-attr]
        "c": 2,
        "eta": 0.5,
    }
    read = {value.name for value in values(built.equation("theta").value)}
    assert read == {"theta", "eta", "u"}


def test_clashing_names_of_a_transform_are_prefixed() -> None:
    built = load_system("WeightDecay | AdamW")
    assert {h.name: h.owner for h in built.hyperparameters if h.local_name == "lambda"} == {
        "WeightDecay_lambda": "WeightDecay",
        "lambda": "AdamW",
    }


def test_what_follows_a_skip_has_a_clock_of_its_own() -> None:
    built = load_system("SkipNonfinite | Adam")
    assert [skip.part for skip in built.skips] == [0]
    assert {e.name: e.part for e in built.equations}["m"] == 1
    assert {s.part for s in built.states} == {1}
    assert built.parts == 2


def test_every_gradient_passes_through_a_transform_without_states() -> None:
    built = system("""
optimizer Two
  s = grad(theta[t-1] - 0.1*g[t])
  theta[t] = theta[t-1] - s

optimizer Clipped = ClipByGlobalNorm | Two
""")
    assert [h.name for h in built.hyperparameters] == ["c"]
    assert sum(1 for e in built.equations if e.kind is Kind.ALL) == 2
    asked = {value.name for value in values(built.gradients[1].point or built.equations[0].value)}
    assert "g" not in asked


def test_a_schedule_is_a_value() -> None:
    built = system("""
optimizer Scheduled
  theta[t] = theta[t-1] - 0.1*Cosine(T=100)*g[t]
""")
    assert Value("Cosine", Kind.STEP) in values(built.equation("theta").value)
    assert {h.name: h.owner for h in built.hyperparameters} == {
        "Cosine_eta_max": "Cosine",
        "Cosine_eta_min": "Cosine",
        "Cosine_T": "Cosine",
    }


def test_schedules_add_up() -> None:
    built = system("schedule Sum = 0.1*Cosine(T=100) + Cosine(T=10)\n")
    assert built.family == "schedule"
    assert sum(1 for h in built.hyperparameters if h.local_name == "T") == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Adam | SGD", "wrong-family"),
        ("ClipByGlobalNorm | Cosine", "wrong-family"),
        ("Adamm", "unknown-definition"),
        ("Adam(beta3=1)", "unknown-hyperparameter"),
        ("Adam(0.1)", "bad-arguments"),
        ("Adam(beta1=2)", "default-outside-domain"),
    ],
)
def test_what_cannot_be_composed_says_why(text: str, code: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        load_system(text)
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == [code]


def test_a_definition_cannot_be_made_of_itself() -> None:
    assert codes("optimizer A = B\noptimizer B = A\n") == ["cyclic-definition"]
    assert codes("optimizer A extends A\n  theta[t] = theta[t-1]\n") == ["cyclic-definition"]


@pytest.mark.parametrize(
    ("condition", "otherwise"),
    [
        ("rows <= columns", "rows > columns"),
        ("2*rows - 1 > columns", "2*rows - 1 <= columns"),
        ("not ndim == 2", "ndim == 2"),
        ('ndim >= 2 and not named("*embed*")', 'ndim < 2 or named("*embed*")'),
        ("ndim == 1 or sqrt(rows - 3) > 1", "ndim != 1 and not sqrt(rows - 3) > 1"),
    ],
)
def test_the_other_rule_is_taken_where_the_opposite_holds(condition: str, otherwise: str) -> None:
    rule = load_rule(f"SGD if {condition} else Lion")
    assert [case.title for case in rule.cases] == [f"where {condition}", f"where {otherwise}"]
    accepting = [case.accepts for case in compile_system(rule, "reference").cases]
    for shape in ((), (4,), (2, 3), (3, 2), (2, 2)):
        for name in ("embed", "w"):
            with np.errstate(invalid="ignore"):
                taken = [bool(accepts(Facts(shape, name))) for accepts in accepting]
            assert sorted(taken) == [False, True], (shape, name)
