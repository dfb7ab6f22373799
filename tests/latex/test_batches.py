"""Means over a batch: the mean of gradients is the gradient, any other sum of them is refused."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.language import format_expression, syntax
from optdsl.latex import read, to_definition

READ = [
    r"\frac{1}{|\mathcal{B}_t|} \sum_{i \in \mathcal{B}_t} \nabla f_i(x_t)",
    r"\frac{1}{B} \sum_{b \in B} \nabla f_b(x_t)",
    r"\frac{1}{b} \sum_{z \in \mathcal{B}} \nabla_x \ell(x_t; z)",
    r"\frac{1}{n} \sum_{i=1}^{n} \nabla f_i(x_t)",
    r"\frac{1}{n} \cdot \sum_{i=1}^n \nabla_x \ell(x_t; y_i, z_i)",
    r"\nabla_x \frac{1}{n} \sum_{i=1}^n f_i(x_t)",
    r"+\frac{1}{m} \nabla_x \sum_i L(h(y^{(i)}; x_t), z^{(i)})",
    r"\frac{1}{|S_t|} \sum_{s_t \in S_t} \nabla \ell(x_t, s_t)",
    r"\frac{1}{m} \sum_{(y, z) \in M} \nabla \ell(x_t; y, z)",
]


def rule(gradient: str) -> list[str]:
    latex = rf"g_t = {gradient} \\ x_{{t+1}} = x_t - \eta g_t"
    found = to_definition(read(latex)).definition.statements
    return [format_expression(one.value) for one in found if isinstance(one, syntax.Equation)]


@pytest.mark.parametrize("latex", READ)
def test_the_mean_of_gradients_is_the_gradient(latex: str) -> None:
    assert rule(latex)[0] == "grad(theta[t-1])"


def test_what_the_mean_is_multiplied_by_stays() -> None:
    latex = r"x_{t+1} = x_t - 2 \frac{\eta}{n} \sum_{i=1}^n \nabla f_i(x_t)"
    (step,) = to_definition(read(latex)).definition.statements[-1:]
    assert isinstance(step, syntax.Equation)
    assert format_expression(step.value) == "theta[t-1] - 2*eta*grad(theta[t-1])"


@pytest.mark.parametrize(
    ("latex", "message"),
    [
        (r"\sum_{i \in B} \nabla f_i(x_t)", "and not their mean"),
        (r"\frac{1}{n} \sum_{i=1}^m \nabla f_i(x_t)", "and not their mean"),
        (r"\frac{1}{|A|} \sum_{i \in B} \nabla f_i(x_t)", "and not their mean"),
        (r"\frac{1}{n} \sum_{i=2}^n \nabla f_i(x_t)", None),
        (r"\frac{1}{n} \sum_{i=1}^n \nabla f_i(x_t)^2", None),
        (r"\frac{1}{n} \sum_{i=1}^n \nabla f_i(x_t^i)", None),
        (r"\frac{1}{n} \sum_{i=1}^n \nabla f(x_t)", None),
        (r"\frac{1}{n} \sum_{i \in B} g_i", "over a set"),
    ],
)
def test_any_other_sum_over_a_batch_is_refused(latex: str, message: str | None) -> None:
    with pytest.raises(DiagnosticError, match=message):
        rule(latex)
