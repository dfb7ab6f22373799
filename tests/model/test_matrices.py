"""Which kinds the operations on rows, columns and matrices have, and what their values are."""

from fractions import Fraction

import numpy as np
import pytest

from optdsl.codegen import compile_system
from optdsl.diagnostics import DiagnosticError
from optdsl.language import parse
from optdsl.model import build
from optdsl.model.arithmetic import UNDEFINED, Arithmetic, real
from optdsl.model.evaluation import Machine
from optdsl.model.expressions import Kind
from optdsl.runtime import from_layout

SHAPES = ((2, 3), (1, 4), (3, 1))


def system(body):
    (definition,) = parse(body, "<test>").definitions
    return build(definition, lambda name: None)


def kind_of(text):
    found = system(f"transform T gives u\n  x = {text}\n  u = g[t] + sum(x)")
    return found.equation("x").kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("sum(g[t], per row)", Kind.ROW),
        ("max(g[t], per column)", Kind.COLUMN),
        ("norm(g[t], per row)*norm(g[t], per column)", Kind.ENTRY),
        ("g[t].T", Kind.TURNED),
        ("g[t] @ g[t].T", Kind.ROWS),
        ("g[t].T @ g[t]", Kind.COLUMNS),
        ("g[t] @ g[t].T @ g[t]", Kind.ENTRY),
        ("g[t] @ g[t].T @ sum(g[t], per row)", Kind.ROW),
        ("sum(g[t], per column) @ (g[t].T @ g[t])", Kind.COLUMN),
        ("g[t] @ g[t].T + sum(g[t], per row)", Kind.ROWS),
        ("sum(g[t] @ g[t].T, per row)", Kind.ROW),
        ("2*eye(rows) + g[t] @ g[t].T", Kind.ROWS),
        ("matpow(eye(columns) + g[t].T @ g[t], -1/2)", Kind.COLUMNS),
    ],
)
def test_kinds_follow_from_how_a_value_is_made(text, kind):
    assert kind_of(text) is kind


@pytest.mark.parametrize(
    "text", ["g[t] @ g[t]", "g[t] + g[t].T", "sum(g[t].T, per row)", "2 @ g[t]", "eye(size)"]
)
def test_what_does_not_fit_is_refused(text):
    with pytest.raises(DiagnosticError):
        kind_of(text)


def walked(rule, target="reference", steps=3, seed=0):
    """Return theta after some steps, by kernels and to fifty digits."""
    random = np.random.default_rng(seed)
    arrays = [random.standard_normal(shape) for shape in SHAPES]
    machine = Machine(rule, lambda name, t: real(Fraction(1, 10)), Arithmetic(50), SHAPES)
    machine.start(exactly(arrays))
    optimizer = from_layout(compile_system(rule, target))(arrays)
    for _ in range(steps):
        gradients = [random.standard_normal(shape) for shape in SHAPES]
        flat = exactly(gradients)
        machine.step(lambda t, name, point, flat=flat: flat)
        optimizer.step(gradients)
    return np.concatenate([a.ravel() for a in arrays]), machine.states["theta"]


def exactly(arrays):
    return tuple(real(float(x)) for array in arrays for x in array.ravel())


RULES = {
    "vectors": """
  R[0] = C[0] = 0
  R[t] = 0.9*R[t-1] + mean(g[t]^2, per row)
  C[t] = 0.9*C[t-1] + max(abs(g[t]), per column)
  theta[t] = theta[t-1] - 0.1*g[t]/(1 + R[t]*C[t]/sum(R[t])) - 0.01*R[t-1]
""",
    "old values between passes": """
  R[0] = 1
  n = norm(g[t]/R[t-1])
  R[t] = R[t-1] + rms(g[t], per row)
  theta[t] = theta[t-1] - 0.1*g[t]*n/(R[t] + R[t-1])
""",
    "products": """
  L[0] = 0.1*eye(rows)
  L[t] = 0.5*L[t-1] + g[t] @ g[t].T
  A = L[t] @ L[t] + sum(L[t], per row)
  theta[t] = theta[t-1] - 0.01*(A @ theta[t-1] + (g[t].T @ L[t-1]).T)
""",
    "powers": """
  L[0] = 0.1*eye(columns)
  L[t] = L[t-1] + g[t].T @ g[t]
  theta[t] = theta[t-1] - 0.1*g[t] @ matpow(L[t], -1/2)
""",
    "choices and extremes": """
  r = any(g[t] > 1, per row)
  c = min(g[t], per column)
  d = dot(g[t], theta[t-1], per row)
  theta[t] = theta[t-1] - (0.1*c if r else 0.01*d)
""",
}


@pytest.mark.parametrize("target", ["reference", "numba-cpu"])
@pytest.mark.parametrize("name", RULES)
def test_kernels_compute_what_fifty_digits_say(name, target):
    ours, exact = walked(system(f"optimizer Rule{RULES[name]}"), target)
    np.testing.assert_allclose(ours, [float(x.value) for x in exact], rtol=1e-12, atol=1e-12)


def test_a_power_that_is_not_defined_is_undefined():
    rule = system("optimizer Rule\n  theta[t] = theta[t-1] - matpow(-eye(rows), 1/2) @ g[t]")
    machine = Machine(rule, lambda name, t: real(0), Arithmetic(50), ((2, 2),))
    machine.start((real(1),) * 4)
    machine.step(lambda t, name, point: (real(1),) * 4)
    assert machine.states["theta"] == (UNDEFINED,) * 4
