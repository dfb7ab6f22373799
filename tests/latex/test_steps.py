"""Where the steps begin: `t = 0, 1, \\dots` beside an equation, and loops that count from 0."""

import pytest

from optdsl.diagnostics import DiagnosticError
from tests.latex.algorithms import block, rule


@pytest.mark.parametrize(
    ("behind", "clock"),
    [
        (r"t = 0, 1, 2, \dots", "t - 1"),
        (r"t = 1, 2, \ldots.", "t"),
        (r"t = 0, \dots, T - 1", "t - 1"),
        (r"t \geq 1", "t"),
        (r"t \ge 0", "t - 1"),
    ],
)
def test_an_equation_may_say_where_its_steps_begin(behind: str, clock: str) -> None:
    latex = rf"\theta_{{t+1}} = \theta_t - \eta \cos(t) g_t, \quad {behind}"
    assert rule(latex) == [f"theta[t] = theta[t-1] - eta*cos({clock})*g[t]"]


def test_what_nothing_sets_has_its_own_number_in_a_loop_from_0() -> None:
    step = r"\State $\theta_{t+1} = \theta_t - \eta_t g_t$"
    latex = block(r"\For{$t = 0$ to $T$}", step, r"\EndFor")
    assert rule(latex) == ["theta[t] = theta[t-1] - eta[t]*g[t]"]


@pytest.mark.parametrize(
    ("behind", "message"),
    [
        (r"t = 1, 3, 5, \dots", "expected"),
        (r"t \geq 10", "expected `=`"),
        (r"t = 0, 1, \dots \\ v_t = g_t, \quad t = 1, 2, \dots", "the steps begin at t = 0"),
    ],
)
def test_steps_that_begin_elsewhere(behind: str, message: str) -> None:
    with pytest.raises(DiagnosticError, match=message):
        rule(rf"\theta_{{t+1}} = \theta_t - \eta g_t, \quad {behind}")
