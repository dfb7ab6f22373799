"""Diagonal matrices of vectors: products with them and powers of them go by entries."""

import pytest

from optdsl.diagnostics import DiagnosticError
from tests.latex.algorithms import rule

ROWS = r"v_t = \beta v_{t-1} + (1 - \beta) g_t^2 \\ \theta_{t+1} = \theta_t - \eta STEP"


@pytest.mark.parametrize(
    ("latex", "ours"),
    [
        (r"\mathrm{diag}(v_t)^{-1/2} g_t", "eta*v[t]^(-1/2)*g[t]"),
        (r"(\operatorname{diag}(v_t) + \epsilon I)^{-1} g_t", "eta*(v[t] + epsilon)^(-1)*g[t]"),
        (r"\text{diag}(\sqrt{v_t})^{-1} g_t", "eta*sqrt(v[t])^(-1)*g[t]"),
        (r"\mathrm{diag}(g_t g_t^\top) g_t", "eta*g[t]^2*g[t]"),
    ],
)
def test_a_diagonal_matrix_works_by_entries(latex: str, ours: str) -> None:
    found = rule(ROWS.replace("STEP", latex))[-1].removeprefix("theta[t] = theta[t-1] - ")
    assert found.replace("-(1/2)", "(-1/2)").replace("^-1", "^(-1)") == ours


def test_a_matrix_may_be_made_of_a_vector() -> None:
    rows = ROWS.replace("STEP", r"V_t^{-1/2} g_t") + r" \\ V_t = \mathrm{diag}(v_t)"
    assert rule(rows)[-1] == "V[t] = v[t]"


@pytest.mark.parametrize(
    ("latex", "message"),
    [
        (r"\mathrm{diag}(G_t)^{-1/2} g_t", "diagonal of a matrix"),
        (r"\mathrm{diag}(v_t) A_t A_t^\top g_t", "beside a diagonal matrix"),
    ],
)
def test_a_diagonal_of_or_beside_a_matrix_is_refused(latex: str, message: str) -> None:
    with pytest.raises(DiagnosticError, match=message):
        rule(ROWS.replace("STEP", latex))
