"""Schedules and the clip, beside PyTorch, Optax and the formula of the paper."""

import jax
import numpy as np
import optax
import pytest
import torch

import optdsl

N = 400


def torch_values(make):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    scheduler = make(optimizer)
    found = []
    for _ in range(N):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(found)


def optax_values(schedule):
    with jax.enable_x64(True):
        return np.array([float(schedule(np.float64(step))) for step in range(N)])


def check(ours, theirs):
    np.testing.assert_allclose(ours, theirs[: len(ours)], rtol=0, atol=1e-12 * np.max(theirs))


LR = torch.optim.lr_scheduler


def test_constant():
    check(optdsl.load("Constant")(eta_0=0.1).values(N), np.full(N, 0.1))


def test_exponential():
    ours = optdsl.load("Exponential")(eta_0=0.1, k=0.03).values(N)
    decay = float(np.exp(-0.03))
    check(ours / decay, torch_values(lambda o: LR.ExponentialLR(o, decay)))
    check(ours / decay, optax_values(optax.exponential_decay(0.1, 1, decay)))


@pytest.mark.parametrize("low", [0.0, 0.01])
def test_cosine(low):
    ours = optdsl.load("Cosine")(eta_max=0.1, eta_min=low, T=300).values(N)
    check(ours, optax_values(optax.cosine_decay_schedule(0.1, 300, alpha=low / 0.1)))
    # torch's goes up again after T steps; ours and Optax's stay.
    check(ours[:301], torch_values(lambda o: LR.CosineAnnealingLR(o, 300, eta_min=low)))


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("first", [1, 7, 50])
def test_warm_restarts(first, factor):
    ours = optdsl.load("WarmRestarts")(eta_max=0.1, eta_min=0.01, T_0=first, T_mult=factor)
    theirs = torch_values(lambda o: LR.CosineAnnealingWarmRestarts(o, first, factor, 0.01))
    check(ours.values(N), theirs)


@pytest.mark.parametrize(("width", "warm_up"), [(512, 4000), (512, 50), (64, 1)])
def test_transformer(width, warm_up):
    # Vaswani et al., Attention Is All You Need, eq 3. Neither library has it.
    steps = np.arange(1, N + 1, dtype=np.float64)
    expected = width**-0.5 * np.minimum(steps**-0.5, steps * warm_up**-1.5)
    check(optdsl.load("Transformer")(d_model=width, warmup_steps=warm_up).values(N), expected)


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
