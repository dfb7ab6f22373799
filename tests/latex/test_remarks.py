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
        (r"\Comment{$g_t \gets 2 g_t$}", [r"$g_t \gets 2 g_t$"]),
        (r"($\|g_t\| \leq 1$)", [r"$\|g_t\| \leq 1$"]),
        (r"\Comment{so far $g_t$}", ["so far $g_t$"]),
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


def test_what_is_given_or_promised_may_say_what_is_done() -> None:
    head = r"\Require weights are clipped to $[-1, 1]$ after each step, decay $\beta$"
    promise = r"\Ensure $\|\theta_t\| \leq 1$"
    text = block(head, promise, *LOOP, STEP, r"\EndFor")
    found = parse_manuscript("x", text, "x.tex").document.remarks(["display-1"])
    said = [one.span.text for one in found if one.span]
    assert [one.split()[0] for one in said] == ["weights", r"$\|\theta_t\|"]


@pytest.mark.parametrize("what", [r"the best $\theta$ seen", r"an averaged $\theta_t$"])
def test_a_choice_among_the_steps_is_not_returned(what: str) -> None:
    with pytest.raises(DiagnosticError, match="more than the last value"):
        rule(block(*LOOP, STEP, r"\EndFor", rf"\State \Return {what}"))


def test_a_value_that_is_called_old_is_asked_for() -> None:
    with pytest.raises(DiagnosticError, match="the value of the step before"):
        rule(r"m_{new} = \beta m_{old} + g_t \\ \theta_t = \theta_{t-1} - m_{new}")
