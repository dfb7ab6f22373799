"""What is true of one entry says nothing of the others.

A proof looks at one entry, case by case. What a reduction takes in, and where a gradient is
taken, depend on all entries: no case may reach into them.
"""

from __future__ import annotations

import pytest

from optdsl.checks.equivalence import compare
from tests.checks.soundness import proved_alone
from tests.checks.systems import system

HEADER = """
optimizer Rule
  hyper eta in [0, inf)
  hyper rho in (0, inf)
  v[0] = q[0] = 0
  v[t] = v[t-1] + g[t]
  q[t] = abs(v[t])
"""

DIFFERENT = {
    "a gradient taken elsewhere": (
        """
  s = grad(theta[t-1] + rho*g[t])
  theta[t] = theta[t-1] - eta*s + 0*q[t-1]
""",
        """
  s = grad(theta[t-1] + rho*g[t])
  theta[t] = theta[t-1] - eta*(s if g[t] != 0 else g[t]) + 0*q[t-1]
""",
    ),
    "a state that others tell": (
        """
  n = sum(q[t-1])
  theta[t] = theta[t-1] - eta*n
""",
        """
  n = sum(q[t-1])
  theta[t] = theta[t-1] - eta*(0*n if v[t-1] == 0 else n)
""",
    ),
    "the sign of a state": (
        """
  theta[t] = theta[t-1] - eta*sum(q[t-1])
""",
        """
  n = sum(v[t-1])
  m = sum(q[t-1])
  theta[t] = theta[t-1] - eta*(n if v[t-1] > 0 else m)
""",
    ),
    "a sum that one entry is equal to": (
        """
  n = sum(g[t])
  theta[t] = theta[t-1] - eta*sum(n*g[t]) + 0*q[t-1]
""",
        """
  n = sum(g[t])
  theta[t] = theta[t-1] - eta*(sum(g[t]^2) if g[t] == n else sum(n*g[t])) + 0*q[t-1]
""",
    ),
    "a choice with a name": (
        """
  p = 2*g[t] if theta[t-1] > 0 else g[t]
  theta[t] = theta[t-1] - eta*sum(p) + 0*q[t-1]
""",
        """
  p = 2*g[t] if theta[t-1] > 0 else g[t]
  theta[t] = theta[t-1] - eta*(2*sum(g[t]) if theta[t-1] > 0 else sum(p)) + 0*q[t-1]
""",
    ),
    "a state that is undefined in one entry": (
        """
  w[0] = 1
  w[t] = g[t]/g[t]
  theta[t] = theta[t-1] + 0/g[t] - eta*sum(w[t-1]) + 0*q[t-1]
""",
        """
  w[0] = 1
  w[t] = 1 + 0*g[t]
  theta[t] = theta[t-1] + 0/g[t] - eta*sum(w[t-1]) + 0*q[t-1]
""",
    ),
    "the larger entry": (
        """
  theta[t] = theta[t-1] - eta*sum(max(g[t], theta[t-1])) + 0*q[t-1]
""",
        """
  n = sum(max(g[t], theta[t-1]))
  theta[t] = theta[t-1] - eta*(sum(g[t]) if g[t] > theta[t-1] else n) + 0*q[t-1]
""",
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_case_of_one_entry_is_not_that_of_all(name):
    one, other = (system(HEADER + rest.lstrip("\n")) for rest in DIFFERENT[name])
    assert compare(one, other, explain=False).kind == "differs"
    assert not proved_alone(one, other)
    assert not proved_alone(other, one)


def test_conditions_are_not_exchanged_where_one_guards_the_other():
    one, other = (
        system(f"""
optimizer Guarded
  hyper eta in [0, inf)
  n = norm(g[t])
  theta[t] = theta[t-1] - eta*(g[t] if {condition} else 0)
""")
        for condition in ("n > 0 and g[t]/n > 1/2", "g[t]/n > 1/2 and n > 0")
    )
    assert compare(one, other, explain=False).kind == "differs"
    assert not proved_alone(one, other)


def test_what_is_true_of_a_tensor_is_true_of_its_entries():
    one, other = (
        system(f"""
optimizer Clipped
  hyper eta in [0, inf)
  n = norm(g[t])
  u = {clipped}
  theta[t] = theta[t-1] - eta*u/(1 + norm(u))
""")
        for clipped in ("g[t]/n if n > 1 else g[t]", "g[t] if n <= 1 else g[t]/norm(g[t])")
    )
    assert compare(one, other).kind == "proved"


def test_a_second_gradient_at_the_same_point_is_the_same_where_that_is_sure():
    one, other = (
        system(f"""
optimizer Twice
  hyper eta in [0, inf)
  n = norm(g[t], all)
  s = grad(theta[t-1] + g[t]/n if n > 0 else theta[t-1])
  theta[t] = theta[t-1] - eta*{taken}
""")
        for taken in ("s", "(s if n > 0 else g[t])")
    )
    assert compare(one, other).kind == "proved"
