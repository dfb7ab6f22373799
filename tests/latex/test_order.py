"""Which value of a name a line reads: the one that is set above it, in its own branch."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.language import format_expression, syntax
from optdsl.latex import read, to_definition

BRANCH = r"\If{$t > 9$} BODY \EndIf"


def rule(*lines: str) -> list[str]:
    """The equations of a loop over steps with these lines."""
    body = "\n".join(rf"\State ${line}$" if "If" not in line else line for line in lines)
    latex = rf"\begin{{algorithmic}}\For{{$t = 1$ to $T$}}{body}\EndFor\end{{algorithmic}}"
    return [
        " = ".join(format_expression(side) for side in (*one.targets, one.value))
        for one in to_definition(read(latex)).definition.statements
        if isinstance(one, syntax.Equation) and "0" not in str(one.targets[0].indices)
    ]


def branch(*lines: str) -> str:
    return BRANCH.replace("BODY", "".join(rf"\State ${line}$" for line in lines))


READ = {
    "the branch reads what is set above it": (
        [r"u \gets \beta m + g", branch(r"u \gets 2u"), r"m \gets u", r"x \gets x - u"],
        ["u_v1[t] = beta*m[t-1] + g[t]", "u[t] = 2*u_v1[t] if t > 9 else u_v1[t]"],
    ),
    "a line between reads what is set above it": (
        [r"u_t = m_{t-1} + g_t", r"m_t = u_t", branch(r"u_t = g_t"), r"x_t = x_{t-1} - u_t"],
        ["u_v1[t] = m[t-1] + g[t]", "m[t] = u_v1[t]", "u[t] = g[t] if t > 9 else u_v1[t]"],
    ),
    "a line between changes what the value reads": (
        [r"u \gets m", r"m \gets m + g", branch(r"u \gets g"), r"x \gets x - u"],
        ["u_v1[t] = m[t-1]", "m[t] = m[t-1] + g[t]", "u[t] = g[t] if t > 9 else u_v1[t]"],
    ),
    "the parameter": (
        [r"g \gets \nabla f(x)", r"x \gets x - g", branch(r"x \gets x/2")],
        [
            "g[t] = grad(theta[t-1])",
            "x_v1[t] = theta[t-1] - g[t]",
            "theta[t] = x_v1[t]/2 if t > 9 else x_v1[t]",
        ],
    ),
    "what is set again below keeps its value": (
        [branch(r"x \gets x - m"), r"m \gets m + \nabla f(x)", r"x \gets x - m"],
        [
            "x_v1[t] = theta[t-1] - m[t-1] if t > 9 else theta[t-1]",
            "m[t] = m[t-1] + grad(x_v1[t])",
            "theta[t] = x_v1[t] - m[t]",
        ],
    ),
    "a condition reads what its branch sets": (
        [r"g \gets \nabla f(x)", r"\If{$g > 1$} \State $g \gets g/2$ \EndIf", r"x \gets x - g"],
        ["g_v1[t] = grad(theta[t-1])", "g_t[t] = g_v1[t]/2 if g_v1[t] > 1 else g_v1[t]"],
    ),
    "a branch changes what the value reads": (
        [
            r"u \gets m + g",
            r"\If{$t > 9$} \State $m \gets 0$ \State $u \gets g$"
            r"\ElsIf{$t > 5$} \State $m \gets 1$ \EndIf",
            r"x \gets x - u",
        ],
        ["u_v1[t] = m[t-1] + g[t]", "m[t] = 0 if t > 9 else 1 if t > 5"],
    ),
    "branches that set in an order of their own": (
        [
            r"\If{$t > 9$} \State $x \gets x - g$"
            r"\Else \State $m \gets m + g$ \State $x \gets x - m$ \EndIf",
        ],
        [
            "m[t] = m[t-1] if t > 9 else m[t-1] + g[t]",
            "x[t] = x[t-1] - g[t] if t > 9 else x[t-1] - m[t]",
        ],
    ),
    "the gradient is changed in place": (
        [r"g_t \gets g_t + \lambda \theta_{t-1}", r"\theta_t \gets \theta_{t-1} - g_t"],
        ["g_t[t] = g[t] + lambda*theta[t-1]", "theta[t] = theta[t-1] - g_t[t]"],
    ),
    "a point that is made anew is no parameter": (
        [r"y \gets x", r"y \gets y - \nabla f(y)", r"x \gets x + \alpha(y - x)"],
        ["y_v1[t] = x[t-1]", "y[t] = y_v1[t] - grad(y_v1[t])"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "ours"), READ.values(), ids=READ)
def test_reads(lines: list[str], ours: list[str]) -> None:
    assert rule(*lines)[: len(ours)] == ours


REFUSED = [
    (
        [
            r"\If{$t > 9$} \State $a \gets b$ \State $b \gets g$"
            r"\Else \State $b \gets 2g$ \State $a \gets b$ \EndIf",
            r"x \gets x - a",
        ],
        "another order",
    ),
    ([r"m \gets m + g", r"c \gets m", branch(r"m \gets g"), r"x \gets x - c"], "more than once"),
    (
        [
            r"\If{$c > 9$} \State $m_t = m_{t-1} + g_t$ \State $u_t = m_t$"
            r"\Else \State $u_t = g_t$ \EndIf",
            r"c \gets c + 1", r"x_t = x_{t-1} - u_t",
        ],
        "where the condition does not hold",
    ),
    ([branch(r"\eta \gets \eta/2"), r"x_t = x_{t-1} - \eta g_t"], "from 0 it would not move"),
    ([r"g \gets \beta g + n", r"\theta_t \gets \theta_{t-1} - g"], "an average that is called so"),
    ([r"g_t \gets g_t + n_t", r"\theta_t \gets \theta_{t-1} - g_t + g_{t-1}"], "the gradient, or"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "message"), REFUSED)
def test_is_refused(lines: list[str], message: str) -> None:
    with pytest.raises(DiagnosticError, match=message):
        rule(*lines)


def test_what_stands_before_the_loop_is_computed_once() -> None:
    latex = (
        r"\begin{algorithmic} \State $b \gets 1$ \State $a \gets b + 1$ \For{$t = 1$ to $T$}"
        r"\State $b \gets b/2$ \State $x \gets x - a b g$ \EndFor \end{algorithmic}"
    )
    with pytest.raises(DiagnosticError, match="the loop changes `b`"):
        to_definition(read(latex))


def test_rows_without_times_are_read_from_above() -> None:
    rows = read(r"g = g + \lambda \theta \\ m = \beta m + g \\ \theta = \theta - \eta m")
    found = to_definition(rows).definition.statements
    assert [format_expression(one.value) for one in found if isinstance(one, syntax.Equation)] == [
        "0", "g[t] + lambda*theta[t-1]", "beta*m[t-1] + g_t[t]", "theta[t-1] - eta*m[t]",
    ]  # fmt: skip


def test_a_line_reads_nothing_that_a_line_below_it_sets() -> None:
    below = r"m_t = \beta m_{t-1} + \nabla f(\theta_{t-1})"
    with pytest.raises(DiagnosticError, match="`m_t` is read above the line that sets it"):
        rule(r"\theta_t = \theta_{t-1} - \eta m_t", below)


def test_what_stands_behind_where_is_made_first() -> None:
    found = rule(r"\theta \gets \theta - \eta u$, where $u \gets \nabla f(\theta)/2")
    assert found == ["u[t] = grad(theta[t-1])/2", "theta[t] = theta[t-1] - eta*u[t]"]
