"""Indices other than t in a document: members, rounds of a loop, and values set one by one."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.language import format_expression, syntax
from optdsl.latex import Reading, read, to_definition

AGGMO = (
    r"v_t^{(i)} = \beta^{(i)} v_{t-1}^{(i)} - g_t \\ "
    r"\theta_t = \theta_{t-1} + \frac{\gamma_t}{K} \sum_{i=1}^{K} v_t^{(i)}"
)


def equations(reading: Reading) -> list[str]:
    return [
        " = ".join(format_expression(side) for side in (*one.targets, one.value))
        for one in reading.definition.statements
        if isinstance(one, syntax.Equation)
    ]


def rule(latex: str, **numbers: int) -> list[str]:
    return equations(to_definition(read(latex), numbers=numbers))


def block(*lines: str) -> str:
    return "\n".join([r"\begin{algorithmic}", *lines, r"\end{algorithmic}"])


def steps(*lines: str) -> str:
    return block(r"\For{$t = 1$ to $T$}", *lines, r"\EndFor")


def test_members_are_written_out_as_the_language_names_them() -> None:
    reading = to_definition(read(AGGMO), numbers={"K": 2})
    assert equations(reading) == [
        "v_1[0] = 0",
        "v_2[0] = 0",
        "v_1[t] = beta_1*v_1[t-1] - g[t]",
        "v_2[t] = beta_2*v_2[t-1] - g[t]",
        "theta[t] = theta[t-1] + gamma[t]/2*(v_1[t] + v_2[t])",
    ]
    assert reading.bounds == {"K"}
    assert reading.members["beta_2"] == "beta"
    assert reading.assumed_domains["beta_1"].high == syntax.Number("1")


def test_a_range_that_nothing_gives_is_asked_for() -> None:
    with pytest.raises(DiagnosticError) as caught:
        rule(AGGMO)
    (found,) = caught.value.diagnostics
    assert "K has no number" in found.message
    assert found.hint == "say it in the claim: `where $K$ = 3`"


def test_the_document_may_give_the_range() -> None:
    assert rule(AGGMO + r", \text{ where } K = 2") == [
        "v_1[0] = 0",
        "v_2[0] = 0",
        "v_1[t] = beta_1*v_1[t-1] - g[t]",
        "v_2[t] = beta_2*v_2[t-1] - g[t]",
        "theta[t] = theta[t-1] + gamma[t]/2*(v_1[t] + v_2[t])",
        "K[t] = 2",
    ]


def test_starts_and_single_members() -> None:
    latex = (
        r"v_0^{(i)} = 1 \\ v_t^{(i)} = \frac{1}{2} v_{t-1}^{(i)}, \quad i \in \{1, \dots, 2\} \\ "
        r"\theta_t = \theta_{t-1} - v_{1,t} - v_t^{(2)}"
    )
    assert rule(latex) == [
        "v_1[0] = 1",
        "v_2[0] = 1",
        "v_1[t] = 1/2*v_1[t-1]",
        "v_2[t] = 1/2*v_2[t-1]",
        "theta[t] = theta[t-1] - v_1[t] - v_2[t]",
    ]


NEWTON_SCHULZ = r"X_0 = \frac{g_t}{\|g_t\|_F} \\ X_k = a X_{k-1} + b X_{k-1} X_{k-1}^\top X_{k-1}"
WRITTEN = [
    "X_0[t] = g[t]/norm(g[t])",
    "X_1[t] = a*X_0[t] + b*X_0[t]@X_0[t].T@X_0[t]",
    "X_2[t] = a*X_1[t] + b*X_1[t]@X_1[t].T@X_1[t]",
    "theta[t] = theta[t-1] - eta*X_2[t]",
]


@pytest.mark.parametrize(
    "said",
    [r"\quad k = 1, \ldots, 2", r", \quad \text{for } k = 1, \dots, 2", r", k \in \{1, \dots, 2\}"],
)
def test_an_iteration_of_fixed_length(said: str) -> None:
    assert rule(rf"{NEWTON_SCHULZ}{said} \\ \theta_t = \theta_{{t-1}} - \eta X_2") == WRITTEN


def test_the_rounds_of_a_loop_come_one_after_the_other() -> None:
    latex = steps(
        r"\State $X_0 \gets g_t/\|g_t\|_F$",
        r"\For{$k = 1$ to $2$ \textbf{do}}",
        r"\State $X_k \gets a X_{k-1} + b X_{k-1} X_{k-1}^\top X_{k-1}$",
        r"\EndFor",
        r"\State $\theta_t \gets \theta_{t-1} - \eta X_2$",
    )
    assert rule(latex) == WRITTEN


def test_a_loop_may_set_one_name_again_and_again() -> None:
    latex = steps(
        r"\State $X \gets g_t/\|g_t\|_F$",
        r"\For{$k = 1, \dots, N$}",
        r"\State $A \gets X X^\top$",
        r"\State $X \gets a X + b A X$",
        r"\EndFor",
        r"\State $\theta_t \gets \theta_{t-1} - \eta X$",
    )
    assert rule(latex, N=2) == [
        "X_v1[t] = g[t]/norm(g[t])",
        "A_v1[t] = X_v1[t] @ X_v1[t].T",
        "X_v2[t] = a*X_v1[t] + b*A_v1[t]@X_v1[t]",
        "A[t] = X_v2[t] @ X_v2[t].T",
        "X[t] = a*X_v2[t] + b*A[t]@X_v2[t]",
        "theta[t] = theta[t-1] - eta*X[t]",
    ]


def test_a_product_over_a_range() -> None:
    latex = r"\theta_t = \theta_{t-1} - \left(\prod_{i=1}^{3} \beta_i\right) g_t"
    assert rule(latex) == ["theta[t] = theta[t-1] - beta_1*beta_2*beta_3*g[t]"]


def test_the_parameter_may_be_moved_twice_in_a_step() -> None:
    latex = (
        r"\theta_t \gets \theta_{t-1} - \eta g_t \\ \theta_t \gets \theta_t - \lambda \theta_{t-1}"
    )
    assert rule(latex) == [
        "theta_v1[t] = theta[t-1] - eta*g[t]",
        "theta[t] = theta_v1[t] - lambda*theta[t-1]",
    ]


def test_a_letter_that_counts_steps_is_no_index() -> None:
    said = ["theta[t] = theta[t-1] - eta*grad(theta[t-1])"]
    assert rule(r"x_{k+1} = x_k - \eta \nabla f(x_k), \quad k = 1, \dots, K") == said
    assert rule(r"x_{t+1} = x_t - \eta \nabla f(x_t) \text{ for } t = 1, \dots, T") == said


REFUSED = [
    # the corrected moment, or the one before?
    (r"m_t \gets \beta m_{t-1} + g_t \\ m_t \gets m_t/2 \\ \theta_t \gets \theta_{t-1} - m_t",
     "m_{t-1}", "more than once"),
    (r"u \gets \beta u + g_t \\ u \gets u/2 \\ \theta_t \gets \theta_{t-1} - u",
     "u", "more than once"),
    (r"u \gets g_t \\ u \gets 2 g_t \\ \theta_t \gets \theta_{t-1} - u", "u", "second equation"),
    (r"u = g_t \\ u = u/2 \\ \theta_t = \theta_{t-1} - u", "u", "second equation"),
    (r"v_t^{(i)} = g_t, \quad i = 1, \dots, 3 \\ \theta_t = \theta_{t-1} - v_t^{(i)}",
     "v_t^{(i)}", "which member"),
    (r"v_t^{(i)} = v_{t-1}^{(i)} + g_t, \quad i = 1, \dots, 3 \\ \theta_t = \theta_{t-1} - v_t",
     "v_t", "which member"),
    (r"v_0 = 1 \\ v_t^{(i)} = v_{t-1}^{(i)} + g_t, \quad i = 1, \dots, 3 \\ "
     r"\theta_t = \theta_{t-1} - v_t^{(2)}", "v_0", "a time, or an index"),
    (r"v_t^{(i)} = g_t, \quad i = 3, \dots, 1 \\ \theta_t = \theta_{t-1} - v_t^{(2)}",
     r"i = 3, \dots, 1", "from 3 to 1"),
    (r"x_{t+1} = x_t - \eta \nabla f(x_t), \quad t = 2, \dots, T", "2", "from 1"),
]  # fmt: skip


@pytest.mark.parametrize(("latex", "place", "message"), REFUSED)
def test_what_is_refused(latex: str, place: str, message: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        to_definition(read(latex))
    (found,) = caught.value.diagnostics
    assert message in found.message
    assert found.span is not None
    assert found.span.text == place
