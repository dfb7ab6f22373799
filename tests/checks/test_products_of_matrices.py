"""The laws of products of matrices: which hold between two rules, and which do not."""

import pytest

from optdsl.checks.equivalence import compare
from tests.checks.systems import system

HEAD = """
optimizer Rule
  hyper eta in [0, inf)
  hyper a in [0, 1)
  hyper x
  M[0] = 0
  M[t] = a*M[t-1] + g[t]
  L = g[t] @ g[t].T
  K = M[t] @ M[t].T
"""


def rule(step):
    return system(f"{HEAD}  theta[t] = theta[t-1] - eta*({step} + 0*M[t] + 0*(L + K) @ g[t])\n")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("(g[t] @ g[t].T) @ g[t]", "g[t] @ (g[t].T @ g[t])"),
        ("(L @ K).T @ g[t]", "K @ L @ g[t]"),
        ("((g[t]/2).T @ (4*L)).T", "2*L @ g[t]"),
        ("(L + x*K) @ (g[t] - M[t])", "L @ g[t] - L @ M[t] + x*(K @ g[t] - K @ M[t])"),
        ("(L - K) @ (L - K) @ g[t]", "(L @ L - L @ K - K @ L + K @ K) @ g[t]"),
        ("(2*L + 3*L) @ g[t]", "5*L @ g[t]"),
        ("1.5*g[t] - 0.5*L @ g[t]", "(3*g[t] - g[t] @ g[t].T @ g[t])/2"),
        ("g[t] + (L @ g[t]).T.T", "L @ g[t] + g[t]"),
    ],
)
def test_proved(ours, theirs):
    verdict = compare(rule(ours), rule(theirs), explain=False)
    assert verdict.kind == "proved", str(verdict)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("(L @ K) @ g[t]", "(K @ L) @ g[t]"),
        ("(L @ K).T @ g[t]", "(L @ K) @ g[t]"),
        ("(L + K) @ (L + K) @ g[t]", "(L @ L + 2*L @ K + K @ K) @ g[t]"),
        ("(L @ g[t])*(K @ g[t])", "(L @ K) @ (g[t]*g[t])"),
        ("(L - L) @ (1/g[t])", "0*(K @ g[t])"),
        ("L @ (g[t]*g[t])", "(L @ g[t])*g[t]"),
    ],
)
def test_differs(ours, theirs):
    assert compare(rule(ours), rule(theirs), explain=False).kind == "differs"
