"""What Optax and JAX expect of a transformation."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optdsl
import optdsl.optax
from optdsl.diagnostics import DiagnosticError
from optdsl.runtime.errors import (
    CheckpointError,
    HyperparameterError,
    ParameterError,
    StepError,
)
from tests.optax.walking import gap, with_arrays, with_optax


def walk(rule, params, slope, steps):
    """Return the parameters after some steps in one loop of JAX."""

    def step(carry, _):
        params, state = carry
        updates, state = rule.update(slope(params), state, params, value=0.0)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(step, (params, rule.init(params)), None, length=steps)[0][0]


def bowl(params):
    return jax.tree.map(lambda x: 2 * (x - 3), params)


class Layer(NamedTuple):
    weight: jax.Array
    bias: jax.Array


# ---------------------------------------------------------------- transformations


def test_one_step_is_the_same_compiled_or_not():
    rule = optdsl.optax.transformation("RMSprop")
    params = jnp.array([1.0, -2.0])
    state = rule.init(params)
    plain, compiled = (f(params, state, params)[0] for f in (rule.update, jax.jit(rule.update)))
    np.testing.assert_allclose(plain, compiled, rtol=1e-6)


def test_runs_are_mapped_over():
    def run(rate, point):
        return walk(optdsl.optax.transformation("Adam", lr=rate), point, bowl, 5)

    rates, points = jnp.array([0.01, 0.1]), jnp.array([[1.0, 2.0], [-1.0, 0.5]])
    together = jax.jit(jax.vmap(run))(rates, points)
    alone = [run(float(rate), point) for rate, point in zip(rates, points, strict=True)]
    np.testing.assert_allclose(together, jnp.stack(alone), rtol=1e-5)


@pytest.mark.parametrize("name", ["rate", pytest.param("decay", marks=pytest.mark.slow)])
def test_a_loss_is_differentiated_through_the_optimizer(name):
    def final(given):
        values = {"rate": jnp.asarray(0.05), "decay": jnp.asarray(0.8), name: given}
        rule = optdsl.optax.transformation(
            "ClipByGlobalNorm(c=2) | Adam", lr=values["rate"], betas=(values["decay"], 0.99)
        )
        end = walk(rule, {"w": jnp.array([1.0, -1.0])}, bowl, 8)
        return jnp.sum((end["w"] - 3) ** 2)

    with jax.enable_x64(True):
        at = {"rate": 0.05, "decay": 0.8}[name]
        found = jax.jit(jax.grad(final))(jnp.asarray(at))
        run, h = jax.jit(final), 1e-5
        expected = (run(jnp.asarray(at + h)) - run(jnp.asarray(at - h))) / (2 * h)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert abs(float(found)) > 1e-3


def test_any_tree_has_its_shape():
    params = {"layers": [Layer(jnp.ones((2, 3)), jnp.zeros(3))], "scale": (jnp.ones(()), None)}
    rule = optdsl.optax.transformation("Momentum if ndim == 2 else Adam")
    state = rule.init(params)
    updates, state = jax.jit(rule.update)(params, state, params)
    assert jax.tree.structure(updates) == jax.tree.structure(params)
    assert isinstance(state.tensors["m"]["layers"][0].weight, optax.MaskedNode)
    assert state.tensors["m"]["layers"][0].bias.shape == (3,)


def test_names_are_the_paths_in_the_tree():
    params = {"head": {"bias": jnp.ones(2), "weight": jnp.ones(2)}}
    rule = optdsl.optax.transformation('SGD(lr=1) if named("head.bias") else SGD(lr=0)')
    updates, _ = rule.update(params, rule.init(params), params)
    assert updates["head"]["bias"].tolist() == [-1.0, -1.0]
    assert updates["head"]["weight"].tolist() == [0.0, 0.0]


def test_it_stands_among_the_parts_of_optax():
    params = {"a": jnp.ones(2), "b": jnp.ones(3)}
    parts = {
        "chain": optax.chain(optax.clip(0.1), optdsl.optax.transformation("Momentum")),
        "masked": optax.masked(optdsl.optax.transformation("Adam"), {"a": True, "b": False}),
        "partition": optax.partition(
            {"ours": optdsl.optax.transformation("Lion"), "theirs": optax.sgd(0.1)},
            {"a": "ours", "b": "theirs"},
        ),
        "steps": optax.MultiSteps(optdsl.optax.transformation("SGD"), 2),
    }
    for name, whole in parts.items():
        state = whole.init(params)
        updates, state = jax.jit(whole.update)(params, state, params)
        assert jax.tree.structure(updates) == jax.tree.structure(params), name


# ---------------------------------------------------------------- hyperparameters


def rates(**given):
    """Return the rates of six steps of SGD on a gradient of 1."""
    rule = optdsl.optax.transformation("SGD", **given)
    params = jnp.zeros(())
    state, found = rule.init(params), []
    step = jax.jit(rule.update)
    for _ in range(6):
        update, state = step(jnp.ones(()), state, params)
        found.append(-float(update))
    return found


def test_a_function_is_a_schedule_of_optax():
    falling = optax.linear_schedule(1.0, 0.0, 4)
    assert rates(lr=falling) == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0, 0.0])
    assert rates(lr=lambda count: 1.0 / (1 + count))[:3] == pytest.approx([1, 1 / 2, 1 / 3])


def test_a_function_of_t_says_so():
    assert rates(lr=optdsl.optax.of_t(lambda t: 1.0 / t))[:3] == pytest.approx([1, 1 / 2, 1 / 3])
    with pytest.raises(HyperparameterError, match="of_t"):
        rates(lr=lambda t: 1.0 / t)


def test_a_schedule_of_ours_is_one_of_optax():
    falling = optdsl.optax.schedule("Linear", eta_0=1.0, eta_1=0.0, T=4)
    assert rates(lr=falling) == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0, 0.0])
    optax.sgd(falling).init(jnp.zeros(()))
    with pytest.raises(DiagnosticError, match="no function of the count"):
        optdsl.optax.schedule("Plateau")


def test_a_schedule_that_runs_on_arrays_is_refused():
    with pytest.raises(HyperparameterError, match="runs on NumPy"):
        rates(lr=optdsl.load("Cosine", "reference")(T=3))


def test_a_factory_takes_hyperparameters_by_name():
    with pytest.raises(HyperparameterError, match=r"by name: give lr=0\.1"):
        optdsl.optax.factory("Adam")(0.1)
    with pytest.raises(HyperparameterError, match=r"by name: give lr=0\.1"):
        optdsl.optax.transformation("Adam", 0.1)
    with pytest.raises(HyperparameterError, match="by name: give start=1"):
        optdsl.optax.schedule("Linear", 1)


def test_optax_injects_hyperparameters():
    rule = optax.inject_hyperparams(optdsl.optax.factory("SGD"))(lr=0.5)
    params = jnp.zeros(())
    state = rule.init(params)
    first, state = rule.update(jnp.ones(()), state, params)
    state.hyperparams["lr"] = jnp.asarray(0.25)
    second, state = rule.update(jnp.ones(()), state, params)
    assert (float(first), float(second)) == (-0.5, -0.25)


# ----------------------------------------------------------------------- formats


def test_bfloat16_is_computed_in_float32():
    rule = optdsl.optax.transformation("Adam", lr=0.1)
    params = {"w": jnp.ones(3, jnp.bfloat16)}
    state = rule.init(params)
    updates, state = jax.jit(rule.update)(params, state, params)
    assert updates["w"].dtype == jnp.bfloat16
    assert state.tensors["m"]["w"].dtype == jnp.float32
    np.testing.assert_allclose(np.asarray(updates["w"], np.float32), -0.1, rtol=1e-2)


def test_states_are_stored_as_the_spec_says(tmp_path):
    spec = tmp_path / "small.opt"
    spec.write_text("optimizer Small extends Momentum\n  state v : bfloat16\n", encoding="utf-8")
    rule = optdsl.optax.transformation(spec)
    state = rule.init(jnp.ones(3))
    assert state.tensors["v"].dtype == jnp.bfloat16
    given = with_arrays(str(spec), "float32", {})
    assert gap(given, with_optax(str(spec), "float32", {}), "float32") <= 1e-5


# ---------------------------------------------------------------------- refusals


def test_what_a_step_lacks_is_said():
    params = {"w": jnp.ones(2)}
    for name, kind, message in (
        ("Adam", ParameterError, r"update\(gradients, state, params\)"),
        ("Polyak(f_min=0)", StepError, "value=loss"),
        ("SAM", StepError, "grad_fn=f"),
    ):
        rule = optdsl.optax.transformation(name)
        state = rule.init(params)
        given = () if kind is ParameterError else (params,)
        with pytest.raises(kind, match=message):
            rule.update(params, state, *given)


@pytest.mark.parametrize(
    ("rule", "given", "kind", "message"),
    [
        ("Adam", {"lr": -1.0}, HyperparameterError, "outside its domain"),
        ("Adam", {"rate": 1.0}, HyperparameterError, "no hyperparameter"),
        ("Adam", {"lr": jnp.ones(2)}, HyperparameterError, "jax.vmap"),
        ("Accumulate", {}, DiagnosticError, "skips steps"),
        ("Cosine", {}, DiagnosticError, "is a schedule"),
    ],
)
def test_what_cannot_be_is_refused(rule, given, kind, message):
    with pytest.raises(kind, match=message):
        optdsl.optax.transformation(rule, **given)


def test_parameters_that_are_not_real_are_refused():
    rule = optdsl.optax.transformation("SGD")
    with pytest.raises(ParameterError, match="`count` is of type int32"):
        rule.init({"count": jnp.arange(3)})


@pytest.mark.parametrize(
    ("gradients", "message"),
    [
        ({"v": jnp.ones((2, 3))}, "gradients are not a tree like the parameters"),
        ({"w": jnp.ones((3, 2))}, r"the gradient of `w` has shape \(3, 2\), but the parameter"),
        ({"w": jnp.ones((2, 3)) * 1j}, "the gradient of `w` is of type complex64"),
        ({"w": None}, "the gradient of `w` is None"),
    ],
)
def test_gradients_that_do_not_fit_are_refused(gradients, message):
    rule = optdsl.optax.transformation("SGD")
    params = {"w": jnp.ones((2, 3))}
    with pytest.raises(ValueError, match=message):
        rule.update(gradients, rule.init(params), params)


def test_states_that_belong_elsewhere_are_refused():
    params = {"w": jnp.ones(2)}
    rule = optdsl.optax.transformation("AdamW")
    wider, other = rule.init({"w": jnp.ones(3)}), rule.init({"v": jnp.ones(2)})
    for state, message in (
        (None, "is no state of AdamW"),
        (optax.adam(0.1).init(params), "is no state of AdamW"),
        (optdsl.optax.transformation("Lion").init(params), "it has `m`, and AdamW keeps `m`, `v`"),
        (wider, r"`m` of `w` has shape \(3,\), and here it is \(2,\)"),
        (other, "not one of parameters like these"),
    ):
        with pytest.raises(CheckpointError, match=message):
            rule.update(params, state, params)


def test_numbers_of_python_and_numpy_are_those_of_jax():
    params = {"a": 1.0, "b": np.ones(2)}
    rule = optdsl.optax.transformation("Adam")
    updates, state = rule.update(params, rule.init(params), params)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves((updates, state.tensors))} == {"float32"}


def test_a_schedule_that_gives_no_number_is_refused():
    params = jnp.ones(2)
    for given in (jnp.ones(2), None):
        rule = optdsl.optax.transformation("SGD", lr=lambda count, given=given: given)
        with pytest.raises(HyperparameterError, match=r"`eta` .*one number"):
            rule.update(params, rule.init(params), params)
