"""Shipped rules that draw random numbers, and how draws go through compositions and checkpoints."""

import numpy as np
import pytest

import optdsl
from optdsl.codegen.support import draws

TARGETS = ("reference", "numba-cpu")


def zeros(*sizes):
    return [np.zeros(size) for size in sizes]


def normal(count, t, *, identity=0, number=0, seed=0):
    """Return the numbers of one draw, from the generator alone."""
    return draws.standard_normal(np.zeros(count), 0, identity, float(t), number, float(seed), 0.0)


@pytest.mark.parametrize("target", TARGETS)
def test_sgld_is_half_a_gradient_step_and_noise_whose_variance_is_the_step_size(target):
    arrays = [np.array([1.0, -2.0, 0.5]), np.array([3.0])]
    expected = [array.copy() for array in arrays]
    optimizer = optdsl.load("SGLD", target=target)(arrays, lr=lambda t: 0.1 / t, seed=7)
    for t in range(1, 5):
        optimizer.step([2 * array for array in arrays])
        for identity, array in enumerate(expected):
            epsilon = 0.1 / t
            noise = normal(array.size, t, identity=identity, seed=7)
            array += -epsilon / 2 * (2 * array) + np.sqrt(epsilon) * noise
    for array, other in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-12)


def test_sgld_samples_the_normal_distribution_of_a_quadratic_loss():
    # theta <- (1 - e/2) theta + sqrt(e) z has the stationary variance e/(1 - (1 - e/2)^2).
    epsilon, array = 0.5, np.zeros(20_000)
    optimizer = optdsl.load("SGLD")([array], lr=epsilon)
    for _ in range(40):
        optimizer.step([array.copy()])
    expected = epsilon / (1 - (1 - epsilon / 2) ** 2)
    assert abs(array.var() / expected - 1) < 0.06
    assert abs(array.mean()) < 0.05


@pytest.mark.parametrize("target", TARGETS)
def test_gradient_noise_has_the_variance_of_its_schedule(target):
    transform = optdsl.load("GradientNoise", target=target)(noise_scale=0.3, noise_decay=0.55)
    for t in range(1, 5):
        (noise,) = transform.update(zeros(50_000))
        variance = 0.3 / (1 + t) ** 0.55
        assert abs(noise.var() / variance - 1) < 5 * np.sqrt(2 / noise.size)
        np.testing.assert_allclose(noise, np.sqrt(variance) * normal(noise.size, t), rtol=1e-12)


def test_noise_before_sgd_is_the_noise_of_the_transform():
    (array,) = zeros(100)
    optimizer = optdsl.load("GradientNoise | SGD")([array], lr=1.0, seed=3)
    transform = optdsl.load("GradientNoise")(seed=3)
    total = np.zeros(100)
    for _ in range(3):
        optimizer.step(zeros(100))
        total -= transform.update(zeros(100))[0]
    np.testing.assert_allclose(array, total, rtol=1e-12)


def test_two_rules_that_draw_do_not_draw_the_same_numbers():
    (array,) = zeros(5000)
    both = optdsl.load("GradientNoise(noise_decay=0, noise_scale=1) | GradientNoise | SGD")
    optimizer = both([array], lr=1.0, noise_decay=0, noise_scale=1)
    optimizer.step(zeros(5000))
    assert abs(array.var() - 2) < 0.25  # the same numbers twice would have variance 4


def test_noise_behind_a_skip_counts_the_steps_that_were_taken():
    (array,), bad = zeros(50), np.full(50, np.nan)
    optimizer = optdsl.load("SkipNonfinite | GradientNoise | SGD")([array], lr=1.0)
    for gradient in (np.zeros(50), bad, bad, np.zeros(50)):
        optimizer.step([gradient])
    expected = sum(np.sqrt(0.3 / (1 + t) ** 0.55) * normal(50, t) for t in (1, 2))
    np.testing.assert_allclose(array, -expected, rtol=1e-12)


def test_a_tensor_that_sat_out_draws_by_its_own_clock():
    arrays = zeros(20, 20)
    optimizer = optdsl.load("SGLD")(arrays, lr=1.0)
    optimizer.step([np.zeros(20), None])
    optimizer.step(zeros(20, 20))
    np.testing.assert_allclose(arrays[1], normal(20, 1, identity=1), rtol=1e-12)
    np.testing.assert_allclose(arrays[0], normal(20, 1) + normal(20, 2), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_resumed_run_goes_on_with_the_same_numbers(tmp_path, dtype):
    rule = optdsl.load("GradientNoise | Adam")
    whole, broken = (np.ones(300, dtype) for _ in range(2))
    unbroken, first = rule([whole], seed=2**40 + 5), rule([broken], seed=2**40 + 5)
    for _ in range(3):
        unbroken.step([whole.copy()])
        first.step([broken.copy()])
    first.save(tmp_path / "state")
    second = rule([broken])
    second.load(tmp_path / "state")
    assert second.seed == 2**40 + 5
    for _ in range(3):
        unbroken.step([whole.copy()])
        second.step([broken.copy()])
    assert np.array_equal(whole, broken)


def test_a_new_transform_takes_the_seed_of_a_stored_state():
    first, second = (optdsl.load("GradientNoise")(seed=seed) for seed in (9, 0))
    first.update(zeros(10))
    second.load_state_dict(first.state_dict())
    assert np.array_equal(first.update(zeros(10))[0], second.update(zeros(10))[0])


def test_the_seed_is_in_the_signature_and_the_docstring():
    rule = optdsl.load("SGLD")
    assert "seed=0" in str(rule.__signature__)
    assert "seed: fixes the random numbers" in rule.__doc__
