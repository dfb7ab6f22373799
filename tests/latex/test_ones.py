"""Vectors of ones: beside numbers they say nothing, beside matrices they add up."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.language import format_expression, syntax
from optdsl.latex import read, to_definition


def value(latex: str) -> str:
    """What the first row sets, beside a step that moves X by it."""
    found = to_definition(read(rf"u_t = {latex} \\ X_t = X_{{t-1}} - \nabla f(X_{{t-1}}) u_t"))
    first = next(one for one in found.definition.statements if isinstance(one, syntax.Equation))
    return format_expression(first.value)


@pytest.mark.parametrize(
    ("latex", "ours"),
    [
        (r"\sqrt{b} + \epsilon \mathbf{1}", "sqrt(b) + epsilon"),
        (r"\boldsymbol{1}_d - \beta", "1 - beta"),
        (r"\mathbb{1} \odot a", "a"),
        (r"\eta_t \mathbf{1}_{m \times n}", "eta[t]"),
        (r"(G_t^2 + \epsilon 1_n 1_m^\top) 1_m", "sum(G[t]^2 + epsilon, per row)"),
        (r"(1 - \beta) 1_n^\top (G_t \odot G_t)", "(1 - beta)*sum(G[t]*G[t], per column)"),
        (r"(G_t \odot G_t) \cdot \mathbf{1}_m", "sum(G[t]*G[t], per row)"),
        (r"\mathbf{1}^\top h_t", "sum(h[t], all)"),
        (r"\mathbb{1}[a > 0]", "1 if a > 0 else 0"),
        (r"\beta \mathbf{1}_{a > 0}", "beta*(1 if a > 0 else 0)"),
    ],
)
def test_ones(latex: str, ours: str) -> None:
    assert value(latex) == ours


def test_what_is_a_value_a_row_has_one_sum() -> None:
    rows = r"R_t = R_{t-1} + G_t^2 1_m \\ V_t = R_t / 1_n^\top R_t \\ X_t = X_{t-1} - G_t / V_t \\"
    (*_, last) = read(rows + r"G_t = \nabla f(X_{t-1})")[:2]
    assert format_expression(last.value) == "R[t]/sum(R[t])"


@pytest.mark.parametrize(
    "latex",
    [r"h_t \mathbf{1}", r"A_t B_t 1_m", r"1_n A_t", r"A_t 1_n^\top", r"1_n^\top A_t 1_m B_t"],
)
def test_over_what_ones_add_up_must_be_plain(latex: str) -> None:
    with pytest.raises(DiagnosticError, match="over what do these ones add up"):
        value(latex)
