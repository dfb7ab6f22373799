"""Every shipped rule takes the same steps under Optax as on our own arrays."""

import pytest

from optdsl.library import shipped
from tests.optax.walking import ARGUMENTS, gap, with_arrays, with_optax

BOUNDS = {"float64": 1e-9, "float32": 1e-5}
OPTIMIZERS = [name for name, each in shipped().items() if each.family == "optimizer"]
#: One of each kind: numbers of t, rows and columns, a point ahead, draws, losses.
QUICK = ("Adam", "Adafactor", "Nesterov", "SGLD", "StochasticPolyak")


def check(rule, dtype):
    arguments = ARGUMENTS.get(rule, {})
    ours = with_arrays(rule, dtype, arguments)
    theirs = with_optax(rule, dtype, arguments)
    assert gap(ours, theirs, dtype) <= BOUNDS[dtype]


@pytest.mark.parametrize("rule", QUICK)
def test_the_walk_is_that_of_the_arrays(rule):
    check(rule, "float64")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_every_walk_is_that_of_the_arrays(rule, dtype):
    check(rule, dtype)
