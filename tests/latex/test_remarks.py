"""Remarks: what may do something is refused, or shown to whoever reads the document."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.latex import read
from optdsl.latex.manuscripts import parse_manuscript
from tests.latex.algorithms import block, rule

LOOP = (r"\For{$t=1$ to $T$}", r"\State $g_t = \nabla f(\theta_{t-1})$")
STEP = r"\State $\theta_t = \theta_{t-1} - \eta g_t$"


@pytest.mark.parametrize(
    ("remark", "place"),
    [
        ("freeze the embedding", "freeze"),
        ("flip the sign", "flip"),
        ("zero out small entries", "zero out"),
        ("round it to bfloat16", "round"),
        ("enfold all of it", "enfold"),  # no word that anybody listed
        ("inject noise", "inject"),
        ("symmetrize", "symmetrize"),
    ],
)
def test_a_remark_that_does_something_is_refused(remark: str, place: str) -> None:
    with pytest.raises(DiagnosticError, match="no formula of this line") as caught:
        read(block(*LOOP, f"{STEP} ({remark})", r"\EndFor"))
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert found.span.text == place


@pytest.mark.parametrize(
    ("aside", "shown"),
    [
        (r"\Comment{reset when the loss rises}", ["reset when the loss rises"]),
        (r"\Comment{freeze the embedding}", ["freeze the embedding"]),
        (r"$\triangleright$ the update, projected", ["the update, projected"]),
        ("(enforce sparsity)", ["enforce sparsity"]),
        (r"\Comment{the update of the parameters}", []),
        ("(update the biased first moment)", []),
        (r"\Comment{see line 7 of Algorithm 1}", []),
    ],
)
def test_a_remark_that_may_say_more_is_shown(aside: str, shown: list[str]) -> None:
    text = block(*LOOP, f"{STEP} {aside}", r"\EndFor")
    found = parse_manuscript("x", text, "x.tex").document.remarks(["display-1"])
    assert [one.span.text.strip() for one in found if one.span] == shown
    assert {one.severity for one in found} <= {"warning"}


def test_words_beside_a_row_are_shown() -> None:
    text = r"\[ \theta_t = \theta_{t-1} - \eta g_t \text{ (sparse only)} \]"
    (found,) = parse_manuscript("x", text, "x.tex").document.remarks(["display-1"])
    assert found.span is not None
    assert found.span.text == "sparse only"


def test_a_line_behind_a_percent_sign_is_not_there() -> None:
    latex = block(*LOOP, r"% \State $g_t = 2 g_t$", f"{STEP} % $g_t \\gets g_t/2$", r"\EndFor")
    assert rule(latex) == ["g[t] = grad(theta[t-1])", "theta[t] = theta[t-1] - eta*g[t]"]


def test_two_steps_without_times_may_be_two_rules() -> None:
    latex = r"\theta \gets \theta - \eta g \\ \theta \gets \theta - \lambda \theta"
    with pytest.raises(DiagnosticError, match="a second step, or another rule"):
        rule(latex)
    lines = [rf"\State ${line}$" for line in latex.split(r" \\ ")]
    assert len(rule(block(r"\For{$t=1$ to $T$}", *lines, r"\EndFor"))) == 2
