"""Algorithms that are set as a table of rows, as the documentation of libraries has them."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.language import format_expression, syntax
from optdsl.latex import read, to_definition
from optdsl.latex.documents import parse_document

TABLE = r"""
\begin{aligned}
  &\rule{110mm}{0.4pt} \\
  &\textbf{input} : \gamma \text{ (lr)}, \: \mu \text{ (momentum)}, \\
  &\hspace{13mm} \lambda \text{ (weight decay)}, \: \textit{nesterov} \\
  &\textbf{initialize} : m_0 \leftarrow 0 \text{ (first average)}, \\
  &\hspace{13mm} v_0 \leftarrow 1 \text{ (second moment)} \\[-1.ex]
  &\rule{110mm}{0.4pt} \\
  &\textbf{for} \: t=1 \: \textbf{to} \: \ldots \: \textbf{do} \\
  &\hspace{5mm} g_t \leftarrow \nabla_{\theta} f_t (\theta_{t-1}) \\
  &\hspace{5mm}\textbf{if} \: \lambda \neq 0 : \\
  &\hspace{10mm} g_t \leftarrow g_t + \lambda \theta_{t-1} \\
  &\hspace{5mm}\textbf{if} \: \mu \neq 0 \\
  &\hspace{10mm}\textbf{if} \: t > 1 \\
  &\hspace{15mm} \textbf{b}_t \leftarrow \mu \textbf{b}_{t-1} + g_t \\
  &\hspace{10mm}\textbf{else} \\
  &\hspace{15mm} \textbf{b}_t \leftarrow g_t \\
  &\hspace{10mm}\textbf{if} \: \textit{nesterov} \\
  &\hspace{15mm} g_t \leftarrow g_{t} + \mu \textbf{b}_t \\
  &\hspace{10mm}\textbf{else} \\[0.1.ex]
  &\hspace{15mm} g_t \leftarrow \textbf{b}_t \\
  &\hspace{5mm} m_t \leftarrow \beta m_{t-1} \\
  &\hspace{11mm} + (1 - \beta) g_t /(1-\prod_{i=1}^{t} \rho_{i}) \\
  &\hspace{5mm} v_t \leftarrow v_{t-1} + g_t^2 \\
  &\hspace{5mm} \theta_t \leftarrow \theta_{t-1} - \gamma m_t/v_t \\
  &\rule{110mm}{0.4pt} \\
  &\bf{return} \: \theta_t \\[-1.ex]
\end{aligned}
"""


def test_a_table_may_be_cited() -> None:
    text = f"\\begin{{equation}} \\label{{docs}}{TABLE}\\end{{equation}}"
    found = parse_document("paper", text).equations(["docs"])
    assert [one.statement for one in found] == [one.statement for one in read(TABLE)]


def test_a_table_is_an_algorithm() -> None:
    found = to_definition(read(TABLE)).definition.statements
    lines = [
        " = ".join(format_expression(side) for side in (*one.targets, one.value))
        for one in found
        if isinstance(one, syntax.Equation)
    ]
    assert lines == [
        "m[0] = 0",
        "v[0] = 1",
        "prod_rho[0] = 1",
        "b[0] = 0",
        "g_v1[t] = grad(theta[t-1])",
        "g_v2[t] = g_v1[t] + lambda*theta[t-1] if lambda != 0 else g_v1[t]",
        "b[t] = (mu*b[t-1] + g_v2[t] if t > 1 else g_v2[t]) if mu != 0",
        "g_t[t] = (g_v2[t] + mu*b[t] if nesterov != 0 else b[t]) if mu != 0 else g_v2[t]",
        "m[t] = beta*m[t-1] + (1 - beta)*g_t[t]/(1 - prod_rho[t])",
        "prod_rho[t] = prod_rho[t-1]*rho[t]",
        "v[t] = v[t-1] + g_t[t]^2",
        "theta[t] = theta[t-1] - gamma*m[t]/v[t]",
    ]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (r"&\hspace{5mm}\textbf{if} \: \lambda \neq 0 :", r"&\hspace{5mm}\textbf{else}", "else"),
        (r"(first average)", "(then decayed)", r"\text{ (then decayed)}"),
        (r"\lambda \neq 0 :", r"the weights decay", "the weights decay"),
        (r"v_t \leftarrow v_{t-1} + g_t^2", r"\textbf{apply decay}", r"\textbf{apply decay}"),
        (r"v_{t-1} + g_t^2", r"\textbf{b}_t", r"\textbf{b}_t \leftarrow"),
        (r"\bf{return}", r"x_t \leftarrow", r"x_t"),
    ],
)  # fmt: skip
def test_a_table_with_what_is_not_understood(old: str, new: str, place: str) -> None:
    assert old in TABLE
    with pytest.raises(DiagnosticError) as caught:
        to_definition(read(TABLE.replace(old, new)))
    found = caught.value.diagnostics[0]
    assert found.span is not None
    assert found.span.text.startswith(place)
