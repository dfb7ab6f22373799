"""Transforms give what PyTorch and Optax give, over 50 gradients of three shapes."""

from __future__ import annotations

import numpy as np
import optax
import pytest
import torch

import optdsl
from tests.catalogue.compare import BOUNDS, SHAPES, STEPS

TARGETS = ("reference", "numba-cpu")


def gradients(dtype):
    random = np.random.default_rng(5)
    for t in range(STEPS):
        size = 10.0 ** (t % 5 - 2)
        yield [np.asarray(size * random.normal(size=shape), dtype) for shape in SHAPES]


def clipped_by_torch(clip):
    def apply(arrays):
        parameters = [torch.zeros(array.shape, dtype=torch.float64) for array in arrays]
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter.grad = torch.tensor(array, dtype=torch.float64)
        clip(parameters)
        return [parameter.grad.numpy() for parameter in parameters]

    return apply


def with_optax(transformation):
    def apply(arrays):
        state = transformation.init(arrays)
        return [np.asarray(x) for x in transformation.update(arrays, state)[0]]

    return apply


def one_by_one(apply):
    return lambda arrays: [apply([array])[0] for array in arrays]


CASES = {
    "ClipByValue, torch": (
        "ClipByValue",
        {"c": 0.5},
        clipped_by_torch(lambda p: torch.nn.utils.clip_grad_value_(p, 0.5)),
    ),
    "ClipByNorm, optax": (
        "ClipByNorm",
        {"c": 2.0},
        one_by_one(with_optax(optax.clip_by_global_norm(2.0))),
    ),
    "Sign, optax": ("Sign", {}, with_optax(optax.scale_by_sign())),
    "Unscale, NumPy": ("Unscale", {"s": 1024}, lambda arrays: [x / 1024 for x in arrays]),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CASES)
def test_gives_the_same(name, target, dtype):
    import jax

    rule, arguments, other = CASES[name]
    transform = optdsl.load(rule, target)(**arguments)
    with jax.enable_x64(True):
        for arrays in gradients(dtype):
            for got, want in zip(transform.update(arrays), other(arrays), strict=True):
                assert got.dtype == dtype
                unit = np.max(np.abs(want))
                assert np.max(np.abs(got - want)) <= BOUNDS[dtype] * unit


@pytest.mark.parametrize("target", TARGETS)
def test_unscale_hands_nothing_on_where_a_gradient_is_not_finite(target):
    unscale = optdsl.load("Unscale", target)(s=8)
    first = [np.array([8.0, 16.0]), np.array([4.0])]
    np.testing.assert_array_equal(unscale.update(first)[0], [1, 2])
    assert unscale.update([np.array([8.0, np.inf]), np.array([4.0])]) == [None, None]
    np.testing.assert_array_equal(unscale.update(first)[1], [0.5])


@pytest.mark.parametrize("target", TARGETS)
def test_accumulated_gradients_step_like_their_mean(target):
    start = np.linspace(-1, 1, 7)
    ours = start.copy()
    optimizer = optdsl.load("Accumulate(k=4) | Momentum", target)([ours], lr=0.1)
    theirs = torch.tensor(start, requires_grad=True)
    momentum = torch.optim.SGD([theirs], lr=0.1, momentum=0.9)
    random = np.random.default_rng(6)
    for t in range(1, STEPS + 1):
        g = random.normal(size=7)
        optimizer.step([g])
        (torch.from_numpy(g / 4) * theirs).sum().backward()
        if t % 4 == 0:
            momentum.step()
            momentum.zero_grad()
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=0, atol=1e-12)
