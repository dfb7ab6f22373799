"""The clip, beside PyTorch and Optax."""

import jax
import numpy as np
import optax
import pytest
import torch

import optdsl

SHAPES = ((0,), (), (1,), (7,), (17, 19), (3, 5, 7))


def clipped(size, c, dtype):
    random = np.random.default_rng(5)
    given = [np.array(size * random.normal(size=shape), dtype) for shape in SHAPES]
    return given, optdsl.load("ClipByGlobalNorm")(c=c).update(given)


@jax.jit
def clipped_by_optax(given):
    return optax.clip_by_global_norm(2.0).update(given, optax.EmptyState())[0]


@pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 1e-14), (np.float32, 5e-7)])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e5])
def test_clip_beside_optax(size, dtype, bound):
    given, ours = clipped(size, 2.0, dtype)
    with jax.enable_x64(True):
        theirs = clipped_by_optax(given)
        for x, y in zip(ours, map(np.asarray, theirs), strict=True):
            assert x.dtype == y.dtype == dtype
            np.testing.assert_allclose(x, y, rtol=bound, atol=0)


def test_clip_beside_torch():
    # torch scales by c/(n + 1e-6), which is the same to 1e-12 for a norm above 1e6.
    given, ours = clipped(1e6, 2.0, np.float64)
    parameters = [torch.zeros(array.shape, dtype=torch.float64) for array in given]
    for parameter, g in zip(parameters, given, strict=True):
        parameter.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_(parameters, 2.0)
    for x, parameter in zip(ours, parameters, strict=True):
        np.testing.assert_allclose(x, parameter.grad.numpy(), rtol=1e-12, atol=0)
