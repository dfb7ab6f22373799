"""Transforms that give a number and read no gradient, on every target."""

import jax.numpy as jnp
import numpy as np
import pytest

import optdsl
import optdsl.optax

NUMBER = """
transform Number gives u
  hyper c = 4 in (0, inf)
  u = 1 - 1/c
"""


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "number.opt"
    path.write_text(NUMBER, encoding="utf-8")
    return path


@pytest.mark.parametrize("target", ["reference", "numba-cpu"])
def test_every_entry_gets_the_number(spec, target):
    (given,) = optdsl.load(spec, target=target)().update([np.ones((2, 3), np.float32)])
    np.testing.assert_array_equal(given, np.full((2, 3), 0.75, np.float32))


def test_in_jax(spec):
    rule = optdsl.optax.transformation(str(spec))
    gradients = [jnp.ones((2, 3), jnp.float32)]
    (given,), _ = rule.update(gradients, rule.init(gradients))
    np.testing.assert_array_equal(given, np.full((2, 3), 0.75, np.float32))
