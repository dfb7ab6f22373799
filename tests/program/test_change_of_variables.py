"""Rules whose arrays hold the point of their gradient."""

import numpy as np
import pytest

from optdsl.language import parse
from optdsl.model import build
from optdsl.program.change_of_variables import (
    recover_iterate,
    store_gradient_point,
    stores_iterate,
)
from tests.codegen.interpreting import Interpreter
from tests.program.systems import system

RULE = """
optimizer Rule
  hyper eta = 0.1 in [0, inf)
  hyper gamma = 0.9 in [0, 1)
  v[0] = 0
  {lines}
  v[t] = gamma*v[t-1] - eta*g[t]
  theta[t] = theta[t-1] + v[t]
"""


def rule(*lines):
    return build(parse(RULE.format(lines="\n  ".join(lines))).definitions[0], {}.get)


def in_time(t):
    return {"eta": 0.1 / t, "gamma": 1 - 0.5 / t}


def cosine(name, points):
    return [np.cos(x) + 0.1 * x for x in points]


@pytest.mark.parametrize(
    "lines",
    [
        ["g[t] = grad(theta[t-1] + gamma*v[t-1])"],
        ["g[t] = grad(gamma*v[t-1] + theta[t-1])"],
        ["g[t] = grad(theta[t-1] - 0.1*v[t-1] + eta*v[t-1]/t)"],
        ["look = gamma*v[t-1]", "x = theta[t-1] + look", "g[t] = grad(x)"],
        ["mu = gamma*(1 - 0.5*0.96^t)", "g[t] = grad(theta[t-1] + mu*v[t-1])"],
        ["w[0] = 1", "w[t] = 0.5*w[t-1] + eta", "g[t] = grad(theta[t-1] + w[t]*v[t-1])"],
    ],
)
def test_both_forms_ask_at_the_same_points_and_give_the_same_theta(lines):
    of = rule(*lines)
    changed, recovered = store_gradient_point(of), recover_iterate(of)
    start = [np.array([0.3, -1.0])]
    theirs, ours = Interpreter(of, start, in_time), Interpreter(changed, start, in_time)
    asked = {"theirs": [], "ours": []}

    def oracle(who):
        def gradient(name, points):
            asked[who].append(points[0].copy())
            return cosine(name, points)

        return gradient

    for _ in range(6):
        theirs.step(oracle("theirs"))
        ours.step(oracle("ours"))
        head = Interpreter(recovered, ours.old["theta"], in_time)
        head.t, head.old = ours.t, dict(ours.old)
        np.testing.assert_allclose(head.step(None)["iterate"], theirs.old["theta"], atol=1e-14)
    np.testing.assert_allclose(asked["ours"], asked["theirs"], atol=1e-14)
    assert not np.allclose(ours.old["theta"], theirs.old["theta"])


@pytest.mark.parametrize(
    "point",
    [
        "2*theta[t-1]",
        "theta[t-1]*theta[t-1]",
        "theta[t-1] + theta[t-1]",
        "gamma*v[t-1]",
        "gamma*v[t-1] - theta[t-1]",
        "-theta[t-1]",
        "theta[t-1] + gamma[t+1]*v[t-1]",
    ],
)
def test_other_points_have_no_such_form(point):
    of = rule(f"g[t] = grad({point})")
    assert store_gradient_point(of) is None
    assert recover_iterate(of) is None


def test_a_first_point_that_is_not_the_start_has_no_such_form():
    assert store_gradient_point(rule("g[t] = grad(theta[t-1] + gamma*v[t-1] - 0.3)")) is None
    moving = rule("w[0] = 1", "w[t] = 0.5*w[t-1]", "g[t] = grad(theta[t-1] + w[t-1])")
    assert store_gradient_point(moving) is None


def test_rules_whose_gradient_is_at_theta_need_no_change():
    assert stores_iterate(system("adam"))
    assert not stores_iterate(system("nesterov"))


def test_several_gradients_have_no_single_point():
    assert store_gradient_point(system("extragradient")) is None


def test_names_of_the_author_are_not_taken():
    of = rule("iterate = 2*eta", "g[t] = grad(theta[t-1] + iterate*v[t-1])")
    names = [each.name for each in store_gradient_point(of).equations]
    assert len(names) == len(set(names))
    assert "true_iterate" in names
