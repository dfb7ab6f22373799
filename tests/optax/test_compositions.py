"""Compositions under Optax take the steps that they take on arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optdsl
import optdsl.optax
from tests.optax.walking import gap, gradients, start, with_arrays, with_optax

QUICK = (
    "ClipByGlobalNorm(c=1) | (Momentum for 2 then Adam)",
    "Accumulate(k=2) | SGD(eta=Cosine(T=3))",
    'ClipByGlobalNorm(c=1) | (MuonNesterov if ndim == 2 and not named("c") else SGD)',
    "SAM(Momentum) if ndim == 2 else SGD",
)
OTHERS = (
    "Momentum for 2 then (Adam for 2 then SGD)",
    "NAdam for 3 then Lion",
    "SkipNonfinite | Adam",
    "Lookahead(Adam, k=2)",
    "GradientNoise | SGD",
)
SLOW = [pytest.param(rule, marks=pytest.mark.slow) for rule in OTHERS]


@pytest.mark.parametrize("rule", [*QUICK, *SLOW])
def test_a_composition_walks_alike(rule):
    ours = with_arrays(rule, "float64", {})
    assert gap(ours, with_optax(rule, "float64", {}), "float64") <= 1e-9


@pytest.mark.slow
def test_a_rule_that_looks_ahead_and_ends_asks_for_its_gradients():
    rule = "Nesterov for 3 then SGD"
    ours = with_arrays(rule, "float64", {}, asks=True)
    assert gap(ours, with_optax(rule, "float64", {}), "float64") <= 1e-9


def test_a_schedule_of_the_spec_hears_its_input():
    rule, heard = "SGD(eta=Plateau(patience=0))", {2: 1.0, 3: 2.0, 5: 3.0}
    inputs = {t: {"metric": value} for t, value in heard.items()}
    ours = with_arrays(rule, "float64", {}, inputs=inputs)
    assert gap(ours, with_optax(rule, "float64", {}, inputs=inputs), "float64") <= 1e-9


@pytest.mark.slow
def test_a_schedule_of_the_spec_gives_way_to_a_number():
    rule, given = "SGD(eta=Cosine(T=4))", {"lr": 0.3}
    ours = with_arrays("SGD", "float64", given)
    assert gap(ours, with_optax(rule, "float64", given), "float64") <= 1e-9


def test_a_step_that_is_skipped_moves_nothing():
    rule = optdsl.optax.transformation("SkipNonfinite | Adam")
    params = {"a": jnp.ones(2), "b": jnp.ones(3)}
    state = rule.init(params)
    poisoned = {"a": jnp.ones(2), "b": jnp.array([1.0, jnp.nan, 1.0])}
    updates, after = jax.jit(rule.update)(poisoned, state, params)
    assert all(not jnp.any(each) for each in jax.tree.leaves(updates))
    assert after.steps.tolist() == [[1, 0]]
    assert jax.tree.map(jnp.array_equal, after.tensors, state.tensors) == {
        "m": {"a": True, "b": True}, "v": {"a": True, "b": True},
    }  # fmt: skip


@pytest.mark.slow
def test_draws_are_those_of_the_kernels():
    rule = "SGLD"
    ours = with_arrays(rule, "float32", {"seed": 2**63 + 5}, steps=2)
    theirs = with_optax(rule, "float32", {"seed": 2**63 + 5}, steps=2)
    assert gap(ours, theirs, "float32") <= 1e-5
    other = with_optax(rule, "float32", {"seed": 6}, steps=1)
    assert gap(ours[:1], other, "float32") > 1e-3


@pytest.mark.parametrize(
    "name",
    [pytest.param("AveragedSGD", marks=pytest.mark.slow), "ScheduleFreeSGD", "Nesterov"],
)
def test_the_point_of_evaluation_is_that_of_the_arrays(name):
    params = start("float64")
    ours = optdsl.load(name, "reference")(params)
    with jax.enable_x64(True):
        theirs = optdsl.optax.transformation(name)
        point = {key: jnp.asarray(array) for key, array in start("float64").items()}
        state = theirs.init(point)
        assert optdsl.optax.evaluation(theirs, state, point)["a"].tolist() == point["a"].tolist()
        for t in range(1, 4):
            given = gradients(params, t)
            ours.step(given)
            updates, state = theirs.update(given, state, point)
            point = optax.apply_updates(point, updates)
        found = optdsl.optax.evaluation(theirs, state, point)
    expected = ours.evaluation()
    for key in params:
        np.testing.assert_allclose(np.asarray(found[key]), expected[key], rtol=1e-12)
        assert not np.allclose(expected[key], params[key], rtol=1e-6)


def test_a_transform_stands_in_a_chain():
    mine = optax.chain(optdsl.optax.transformation("ClipByGlobalNorm(c=0.5)"), optax.adam(0.1))
    theirs = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(0.1))
    params = {"w": jnp.array([1.0, -2.0]), "b": jnp.array([3.0])}
    first, second = mine.init(params), theirs.init(params)
    my_step, their_step = jax.jit(mine.update), jax.jit(theirs.update)
    for _ in range(3):
        one, first = my_step(params, first)
        other, second = their_step(params, second)
        assert jnp.allclose(one["w"], other["w"], rtol=1e-5)
        assert jnp.allclose(one["b"], other["b"], rtol=1e-5)
