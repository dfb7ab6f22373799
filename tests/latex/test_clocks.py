"""Loops, and the clocks that count in them."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.latex import read
from tests.latex.algorithms import block, rule


@pytest.mark.parametrize(
    ("start", "head", "foot", "clock"),
    [
        ("t = 0", "", "t = t + 1", "t + 1"),
        ("t = 1", "", "t = t + 1", "t + 2"),
        ("t = 0", "t = t + 1", "", "t + 2"),
        ("k = 0", "", "k = k + 1", "t + 1"),
    ],
)
def test_a_clock_counts_where_it_stands(start: str, head: str, foot: str, clock: str) -> None:
    letter = start[0]
    latex = block(
        rf"\State ${start}$",
        rf"\While{{${letter} < T$}}",
        *([rf"\State ${head}$"] if head else []),
        rf"\State $x_{{{letter}+1}} = x_{letter} - \frac{{\eta}}{{{letter} + 2}} g_{letter}$,"
        rf"$g_{letter} = \nabla f(x_{letter})$",
        *([rf"\State ${foot}$"] if foot else []),
        r"\EndWhile",
    )
    assert rule(latex)[0] == f"theta[t] = theta[t-1] - eta/({clock})*g[t]"


def counting(*body: str) -> str:
    return block(r"\State $t \gets 0$, $m \gets 0$", r"\While{not converged}", *body, r"\EndWhile")


def test_a_clock_in_the_middle_counts_before_it_is_read() -> None:
    latex = counting(
        r"\State $g \gets \nabla f(\theta)$",
        r"\State $t \gets t + 1$",
        r"\State $m \gets \beta m + (1 - \beta) g$",
        r"\State $\theta \gets \theta - \eta m/(1 - \beta^t)$",
    )
    assert rule(latex)[-1] == "theta[t] = theta[t-1] - eta*m[t]/(1 - beta^t)"


def test_a_clock_in_the_middle_counts_after_it_was_read() -> None:
    latex = counting(
        r"\State $\eta \gets a/(t + 1)$",
        r"\State $t \gets t + 1$",
        r"\State $\theta \gets \theta - \eta \nabla f(\theta)$",
    )
    assert rule(latex)[-2] == "eta[t] = a/t"


@pytest.mark.parametrize(
    ("body", "place", "message"),
    [
        (
            [r"\State $b \gets t$", r"\State $t \gets t + 1$", r"\State $\theta \gets b t$"],
            r"t \gets t + 1",
            "read before and after it counts",
        ),
        ([r"\State $t \gets t + 1$"] * 2, r"t \gets t + 1", "counts twice"),
        (
            [r"\If{$a > 0$} \State $t \gets t + 1$ \EndIf", r"\State $\theta \gets t$"],
            r"t \gets t + 1",
            "only some of them",
        ),
    ],
)
def test_a_clock_that_counts_at_no_one_place(body: list[str], place: str, message: str) -> None:
    with pytest.raises(DiagnosticError, match=message) as caught:
        read(counting(*body))
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert found.span.text == place
    if "If" not in body[0]:
        with pytest.raises(DiagnosticError, match=message):
            read(block(r"\For{$t = 1$ to $T$}", *body, r"\EndFor"))


@pytest.mark.parametrize(
    "header",
    ["$t = 1, 3, 5, \\dots, T$", "$t = 10$ to $1$", "$t = 1$ to $T$ step 2", "$t = T$ downto $1$"],
)
def test_a_loop_that_does_not_count_one_by_one(header: str) -> None:
    with pytest.raises(DiagnosticError, match="loop is not understood"):
        read(block(rf"\For{{{header}}}", r"\State $x_t = x_{t-1} - g_t$", r"\EndFor"))
