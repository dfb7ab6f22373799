"""What definitions mean: names, time, kinds, starts."""

from __future__ import annotations

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.language import parse
from optdsl.library import load_system, lookup_in, single_rules
from optdsl.model import System, build
from optdsl.model.expressions import Apply, Clock, Kind, Number, Value, values


def system(text: str, name: str | None = None) -> System:
    file = parse(text, "test.opt")
    found = {definition.name: definition for definition in file.definitions}
    definition = found[name] if name else file.definitions[-1]
    return build(definition, lookup_in(file))


def codes(text: str) -> list[str]:
    with pytest.raises(DiagnosticError) as caught:
        system(text)
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


def test_every_shipped_definition_has_a_system() -> None:
    for name in single_rules():
        built = load_system(name)
        assert built.name == name
        assert {e.name for e in built.equations} >= set(built.outputs), name


def test_a_name_whose_past_is_read_is_a_state() -> None:
    adam = load_system("Adam")
    assert [(s.name, s.kind) for s in adam.states] == [("m", Kind.ENTRY), ("v", Kind.ENTRY)]
    assert all(isinstance(s.start, Number) and s.start.value == 0 for s in adam.states)


def test_equations_may_stand_in_any_order() -> None:
    built = system("""
optimizer Upside
  theta[t] = theta[t-1] - 0.1*b
  b = 2*a
  a = g[t]
""")
    assert [e.name for e in built.equations] == ["a", "b", "theta"]


def test_the_authors_order_of_operations_is_kept() -> None:
    built = system("""
optimizer Kept
  theta[t] = (theta[t-1] + g[t]) - theta[t-1]
""")
    value = built.equation("theta").value
    assert isinstance(value, Apply)
    assert value.operator == "sub"
    assert isinstance(value.arguments[0], Apply)
    assert value.arguments[0].operator == "add"


@pytest.mark.parametrize(
    ("equation", "kind"),
    [
        ("x = 1 - 0.9^t", Kind.STEP),
        ("x = norm(g[t], all)", Kind.ALL),
        ("x = norm(g[t])", Kind.TENSOR),
        ("x = norm(g[t])*norm(g[t], all)", Kind.TENSOR),
        ("x = g[t]*norm(g[t])", Kind.ENTRY),
        ("x = 1 if norm(g[t]) > 1 else 2", Kind.TENSOR),
    ],
)
def test_kinds_follow_from_what_is_read(equation: str, kind: Kind) -> None:
    built = system(f"optimizer K\n  {equation}\n  theta[t] = theta[t-1] - x*g[t]\n")
    assert built.equation("x").kind is kind


def test_the_kind_of_a_state_is_a_least_fixed_point() -> None:
    built = system("""
optimizer Fixed
  b[0] = 0
  a[t] = 0.5*b[t-1]
  b[t] = a[t] + norm(g[t])
  theta[t] = theta[t-1] - a[t]*g[t]
""")
    assert built.state("b").kind is Kind.TENSOR
    assert built.equation("a").kind is Kind.TENSOR


def test_a_past_gradient_and_a_past_hyperparameter_are_remembered() -> None:
    built = system("""
optimizer Past
  hyper eta = 0.1
  g[0] = 0
  eta[0] = 1
  theta[t] = theta[t-1] - eta[t-1]*(g[t] - g[t-1])
""")
    kinds = {s.name: s.kind for s in built.states}
    assert kinds == {"last_g": Kind.ENTRY, "last_eta": Kind.STEP}
    assert built.equation("last_g").value == Value("g", Kind.ENTRY)
    assert built.equation("last_eta").value == Value("eta", Kind.STEP)


def test_two_steps_back_take_two_states() -> None:
    built = system("""
optimizer HeavyBall
  theta[-1] = theta[0]
  theta[t] = theta[t-1] - 0.1*g[t] + 0.9*(theta[t-1] - theta[t-2])
""")
    assert [(s.name, s.start) for s in built.states] == [
        ("last_theta", Value("theta", Kind.ENTRY, -1))
    ]
    assert built.equation("last_theta").value == Value("theta", Kind.ENTRY, -1)


def test_a_hyperparameter_and_a_formula_of_t_can_be_read_ahead() -> None:
    built = system("""
optimizer Ahead
  hyper eta = 0.1
  mu = eta/t
  theta[t] = theta[t-1] - (eta[t+1] + mu[t+1])*g[t]
""")
    ahead = built.equation("next_mu").value
    assert ahead == Apply("div", (Value("eta", Kind.STEP, 1), Clock(0, 1)), Kind.STEP)


def test_a_value_at_one_stands_in_for_the_first_step() -> None:
    built = system("""
optimizer First
  v[1] = g[t]
  v[t] = 0.9*v[t-1] + 0.1*g[t]
  theta[t] = theta[t-1] - v[t]
""")
    value = built.equation("v").value
    assert isinstance(value, Apply)
    assert value.operator == "select"
    assert value.arguments[1] == Value("g", Kind.ENTRY)
    assert built.state("v").start is None


def test_a_branch_that_t_rules_out_needs_no_start() -> None:
    built = system("""
optimizer Guarded
  d = g[t] - g[t-1] if t > 1 else 0
  theta[t] = theta[t-1] - d
""")
    assert built.state("last_g").start is None
    assert codes("""
optimizer Unguarded
  d = g[t] - g[t-1] if t > 0 else 0
  theta[t] = theta[t-1] - d
""") == ["missing-start"]


def test_the_starting_point_can_be_read_at_every_step() -> None:
    built = system("""
optimizer Anchored
  theta[t] = theta[t-1] - 0.1*g[t] - 0.01*(theta[t-1] - theta[0])
""")
    assert built.state("start_theta").start == Value("theta", Kind.ENTRY, -1)
    assert built.equation("start_theta").value == Value("start_theta", Kind.ENTRY, -1)


def test_an_if_without_else_keeps_the_last_value() -> None:
    built = system("""
optimizer Keep
  v[0] = 0
  v[t] = g[t] if g[t] > 0 else -g[t] if g[t] < -1
  theta[t] = theta[t-1] - v[t]
""")
    value = built.equation("v").value
    assert isinstance(value, Apply)
    inner = value.arguments[2]
    assert isinstance(inner, Apply)
    assert inner.arguments[2] == Value("v", Kind.ENTRY, -1)


def test_gradients_are_asked_in_the_order_in_which_their_points_are_known() -> None:
    built = system("""
optimizer Twice
  theta[t] = theta[t-1] - 0.1*s
  s = grad(theta[t-1] + 0.05*g[t]/norm(g[t], all))
""")
    assert [gradient.name for gradient in built.gradients] == ["g", "s"]


def test_a_gradient_within_an_expression_is_called_g() -> None:
    built = system("""
optimizer Inside
  v[0] = 0
  v[t] = 0.9*v[t-1] + 0.1*grad(theta[t-1] - 0.9*v[t-1])
  theta[t] = theta[t-1] - v[t]
""")
    assert [gradient.name for gradient in built.gradients] == ["g"]
    point = built.gradients[0].point
    assert point is not None
    assert Value("v", Kind.ENTRY, -1) in values(point)


def test_theta_one_step_ahead_means_the_same() -> None:
    ahead = system("optimizer A\n  theta[t+1] = theta[t] - 0.1*g[t]\n")
    now = system("optimizer A\n  theta[t] = theta[t-1] - 0.1*g[t]\n")
    assert ahead.equations[0].value == now.equations[0].value


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert codes("""
optimizer Wrong
  hyper eta = 2 in [0, 1]
  m[t] = 0.9*m[t-1] + gg[t]
  theta[t] = theta[t-1] - eta*m[t] if m[t] else 0
""") == ["default-outside-domain", "missing-start", "undefined-name", "not-a-condition"]
