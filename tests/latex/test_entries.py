"""Loops over the entries of a tensor, and values of the next step."""

import pytest

from optdsl.diagnostics import DiagnosticError
from tests.latex.algorithms import block, rule

RPROP = (
    r"\State $q^0 \gets 0$",
    r"\For{$t=1$ to $T$}",
    r"\State $g_t \gets \nabla f(x_{t-1})$",
    r"\For{$i = 1, \dots, d$}",
    r"\If{$q^i g_{t,i} < 0$}",
    r"\State $g_{t,i} \gets 0$",
    r"\EndIf",
    r"\State $x_t(i) \gets x_{t-1}(i) - \eta g_{t,i}$",
    r"\EndFor",
    r"\State $q \gets g_t$",
    r"\EndFor",
)


def test_what_is_said_of_every_entry_is_said_of_the_tensor() -> None:
    assert rule(block(*RPROP)) == [
        "q[0] = 0",
        "g_v1[t] = grad(theta[t-1])",
        "g_t[t] = 0 if q[t-1]*g_v1[t] < 0 else g_v1[t]",
        "theta[t] = theta[t-1] - eta*g_t[t]",
        "q[t] = g_t[t]",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"\eta g_{t,i}", r"\beta^i g_{t,i}", "an entry, or a power"),
        (r"\eta g_{t,i}", r"\|g_{t,i}\|", "of one entry, or of all"),
        (r"$i = 1, \dots, d$", r"$i = 1, 3, \dots, d$", "loop is not understood"),
    ],
)
def test_what_may_be_more_than_an_entry(old: str, new: str, message: str) -> None:
    with pytest.raises(DiagnosticError, match=message):
        rule(block(*RPROP).replace(old, new))


def test_a_value_of_the_next_step_may_be_set_beside_this_ones() -> None:
    lines = [
        r"\For{$t=1$ to $T$}",
        r"\State $\mu_t \gets \beta (1 - 0.96^{t \psi})$",
        r"\State $\mu_{t+1} \gets \beta (1 - 0.96^{(t+1) \psi})$",
        r"\State $x_t \gets x_{t-1} - \mu_{t+1} \nabla f(x_{t-1})$",
        r"\EndFor",
    ]
    assert rule(block(*lines))[-1] == "theta[t] = theta[t-1] - mu[t+1]*grad(theta[t-1])"
    lines[2] = lines[2].replace("0.96", "0.69")
    with pytest.raises(DiagnosticError, match="a second equation for `mu`"):
        rule(block(*lines))
