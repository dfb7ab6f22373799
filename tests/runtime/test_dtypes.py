"""Parameters of several dtypes side by side in one optimizer, as models of mixed precision have."""

import ml_dtypes
import numpy as np
import pytest

import optdsl
from optdsl.runtime import CheckpointError, GradientTypeError

FORMS = [
    ((7,), np.float32),
    ((3, 5), ml_dtypes.bfloat16),
    ((40,), np.float64),
    ((4, 2), np.float32),
]


def arrays(seed, forms=FORMS):
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape).astype(dtype) for shape, dtype in forms]


def wide(given):
    return [array.astype(np.float64) for array in given]


def assert_near(found, expected, steps):
    """Each is as near as its dtype allows after so many roundings of numbers about 1."""
    for array, other in zip(found, expected, strict=True):
        bound = steps * float(ml_dtypes.finfo(array.dtype).eps)
        np.testing.assert_allclose(array.astype(np.float64), other, rtol=bound, atol=bound)


@pytest.mark.parametrize("rule", ["Adam", "LAMB", "Adafactor"])
def test_each_is_stepped_as_beside_others_of_its_dtype(load, rule):
    step_together_and_alone(load(rule), rule)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["Adafactor", "AdamW if ndim == 1 else MuonNesterov"])
def test_compiled_kernels_step_them_too(rule):
    step_together_and_alone(optdsl.load(rule), rule)


def step_together_and_alone(Rule, rule):
    mixed, apart = arrays(0), arrays(0)
    needed = {} if rule != "LAMB" else {"lr": 0.1}
    together = Rule(mixed, **needed)
    alone = [Rule([array], **needed) for array in apart]
    for seed in range(1, 4):
        gradients = arrays(seed)
        gradients[1] = gradients[1] if seed != 2 else None
        together.step(gradients)
        for opt, gradient in zip(alone, gradients, strict=True):
            opt.step([gradient])
    for array, other in zip(mixed, apart, strict=True):
        np.testing.assert_array_equal(array, other)


@pytest.mark.parametrize("target", ["reference", pytest.param("numba-cpu", marks=pytest.mark.slow)])
def test_one_norm_is_made_of_all(target):
    mixed = arrays(0)
    expected = wide(mixed)
    opt = optdsl.load("ClipByGlobalNorm(c=1) | SGD", target)(mixed, lr=0.5)
    for seed in (1, 2):
        gradients = arrays(seed)
        opt.step(gradients)
        norm = np.sqrt(sum(np.square(g).sum() for g in wide(gradients)))
        for array, gradient in zip(expected, wide(gradients), strict=True):
            array -= 0.5 * gradient / max(norm, 1)
    assert_near(mixed, expected, 4)


def test_gradients_at_points_and_infinities_of_one_dtype(load):
    forms = [FORMS[0], FORMS[2]]
    mixed, opposite = arrays(0, forms), wide(arrays(0, forms))
    rule = load("SharpnessAwareSGD")
    for given in (mixed, opposite):
        opt = rule(given, lr=0.1, rho=0.1)
        for _ in range(2):
            opt.step(lambda points: [np.asarray(2 * p, p.dtype) for p in points])
    for array, other in zip(mixed, opposite, strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-6)
    mixed, gradients = arrays(0), arrays(1)
    gradients[1][0, 0] = np.inf
    skipping = load("SkipNonfinite | Adam")(mixed)
    before = wide(mixed)
    assert skipping.step(gradients).skipped
    assert all(map(np.array_equal, wide(mixed), before))


def test_states_are_stored_and_taken_up_again(load, tmp_path):
    Rule = load("ClipByGlobalNorm(c=1) | AdamW")
    mixed, again = arrays(0), arrays(0)
    opt, other = Rule(mixed), Rule(again)
    opt.step(arrays(1))
    kept = opt.state_dict()["entries"]["m"]
    assert [kept[str(i)].dtype for i in range(4)] == [
        np.float32,
        np.float32,
        np.float64,
        np.float32,
    ]
    opt.save(tmp_path / "state")
    for array, now in zip(again, mixed, strict=True):
        array[...] = now
    other.load(tmp_path / "state")
    for each in (opt, other):
        each.step(arrays(2))
    assert all(map(np.array_equal, wide(mixed), wide(again)))
    forms = [(shape, np.float32 if dtype == np.float64 else dtype) for shape, dtype in FORMS]
    opposite = Rule(arrays(0, forms))
    with pytest.raises(CheckpointError, match=r"float64 at place 2, but here it is float32"):
        opposite.load(tmp_path / "state")


def test_a_gradient_has_the_dtype_of_its_parameter(load):
    opt = load("Adam")(arrays(0))
    with pytest.raises(GradientTypeError, match="holds float32, but the parameter float64"):
        opt.step([None, None, np.ones(40, np.float32), None])


def test_a_transform_takes_them_too(load):
    clip = load("ClipByGlobalNorm")(c=1)
    gradients = arrays(1)
    found = clip.update(gradients)
    assert [each.dtype for each in found] == [each.dtype for each in gradients]
    norm = np.sqrt(sum(np.square(g).sum() for g in wide(gradients)))
    assert_near(found, [g / norm for g in wide(gradients)], 2)
