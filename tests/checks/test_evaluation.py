"""Stepping a system with exact and many-digit numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from optdsl.library import load_system
from optdsl.model.arithmetic import UNDEFINED, Arithmetic, Undecided, real
from optdsl.model.runs import evaluate
from optdsl.model.symbolic import to_sympy
from tests.checks.systems import system


def constant(value):
    return lambda t, name, point: tuple(real(value) for _ in point or (0,))


def theta_of(step):
    return [float(entry.value) for entry in step.outputs["theta"]]


def test_momentum_is_exact():
    steps = evaluate(
        load_system("Momentum"),
        3,
        theta=(Fraction(1), Fraction(2)),
        gradient=constant(1),
        hyper={"eta": Fraction(1, 10), "gamma": Fraction(1, 2)},
    )
    assert [s.outputs["theta"][0].value for s in steps] == [
        Fraction(9, 10),
        Fraction(3, 4),
        Fraction(23, 40),
    ]


def test_gradients_are_asked_at_the_point():
    asked = []

    def gradient(t, name, point):
        asked.append(point[0].value)
        return point

    evaluate(
        load_system("Nesterov"),
        2,
        theta=(1,),
        gradient=gradient,
        hyper={"eta": Fraction(1, 2), "gamma": Fraction(1, 2)},
    )
    assert asked == [1, Fraction(1, 4)]  # theta = v = 1/2 after one step


def test_adam_to_fifty_digits_and_numpy():
    g = [0.3, -1.5, 2.25, 1e-3]
    steps = evaluate(
        load_system("Adam"), 4, theta=(0.5,), gradient=lambda t, name, point: (real(g[t - 1]),)
    )
    m = v = 0.0
    theta = 0.5
    for t, x in enumerate(g, 1):
        m, v = 0.9 * m + 0.1 * x, 0.999 * v + 0.001 * x * x
        theta -= 0.001 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        assert theta_of(steps[t - 1])[0] == pytest.approx(theta, rel=1e-13)
    g_1 = Fraction(0.3)
    expected = Fraction(1, 2) - Fraction(1, 1000) * g_1 / (g_1 + Fraction(1, 10**8))
    assert steps[0].outputs["theta"][0].value == expected


def test_what_is_undefined_stays_so():
    steps = evaluate(
        load_system("Adagrad"), 2, theta=(1,), gradient=constant(0), hyper={"epsilon": 0}
    )
    assert steps[0].outputs["theta"] == (UNDEFINED,)
    assert steps[1].outputs["theta"] == (UNDEFINED,)


def test_the_branch_not_taken_does_not_count():
    guarded = system("""
optimizer Guarded extends SGD
  theta[t] = theta[t-1] - eta*(g[t]/abs(g[t]) if g[t] != 0 else 0)
""")
    steps = evaluate(guarded, 1, theta=(1, 1), gradient=lambda t, n, p: (real(0), real(-2)))
    assert [float(x.value) for x in steps[0].outputs["theta"]] == [1.0, 1.01]


def test_reductions_take_the_entries_of_a_tensor():
    clip = load_system("ClipByGlobalNorm")
    steps = evaluate(
        clip, 1, theta=(0, 0), gradient=lambda t, n, p: (real(3), real(4)), hyper={"c": 1}
    )
    assert [x.value for x in steps[0].outputs["u"]] == [Fraction(3, 5), Fraction(4, 5)]


def test_magnitude_tells_what_cancels():
    lossy = system("optimizer Lossy extends SGD\n  theta[t] = (theta[t-1] + 1) - 1 - eta*g[t]\n")
    (step,) = evaluate(lossy, 1, theta=(Fraction(1, 10**6),), gradient=constant(0))
    (entry,) = step.outputs["theta"]
    assert entry.value == Fraction(1, 10**6)
    assert entry.magnitude == pytest.approx(2 + 1e-6)


def test_close_numbers_are_compared_exactly_or_not_at_all():
    arithmetic = Arithmetic(30)
    third = real(Fraction(1, 3))
    assert arithmetic.compare(third, real(Fraction(1, 3))) == 0
    root = arithmetic.apply("sqrt", [real(2)])
    square = arithmetic.apply("mul", [root, root])
    with pytest.raises(Undecided):
        arithmetic.compare(square, real(2))
    assert arithmetic.same(square, real(2))
    assert not arithmetic.same(square, real(Fraction(2000000001, 1000000000)))


@pytest.mark.parametrize(
    ("operator", "arguments", "expected"),
    [
        ("div", [0, 0], UNDEFINED),
        ("div", [1, 0], UNDEFINED),
        ("sqrt", [-1], UNDEFINED),
        ("sqrt", [Fraction(9, 4)], Fraction(3, 2)),
        ("log", [0], UNDEFINED),
        ("pow", [0, 0], 1),
        ("pow", [0, -1], UNDEFINED),
        ("pow", [-8, Fraction(1, 3)], UNDEFINED),
        ("pow", [Fraction(1, 2), 3], Fraction(1, 8)),
        ("mod", [-1, 4], 3),
        ("floor", [Fraction(-1, 2)], -1),
        ("max", [1, 3, 2], 3),
        ("sign", [-5], -1),
    ],
)
def test_operators(operator, arguments, expected):
    found = Arithmetic(50).apply(operator, [real(x) for x in arguments])
    assert found is UNDEFINED if expected is UNDEFINED else found.value == expected


def test_defaults_may_be_formulas_of_t():
    schedule = system("""
optimizer Fading
  hyper eta = 1/t in [0, inf)
  theta[t] = theta[t-1] - eta*g[t]
""")
    steps = evaluate(schedule, 2, theta=(0,), gradient=constant(-1))
    assert [s.outputs["theta"][0].value for s in steps] == [1, Fraction(3, 2)]


def test_to_sympy_knows_domains():
    import sympy

    adam = load_system("Adam")
    form = to_sympy(adam.equation("vhat").value, adam)
    beta2 = sympy.Symbol("beta2", real=True, nonnegative=True)
    t = sympy.Symbol("t", integer=True, positive=True)
    assert sympy.expand(form * (1 - beta2**t)) == sympy.Symbol("v", real=True)
