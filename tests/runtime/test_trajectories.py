"""Shipped optimizers walk as PyTorch and Optax do, where these implement the same equations."""

import functools

import numpy as np
import pytest
import torch

import optdsl

STEPS = 200
SHAPES = [(3, 5), (), (0,), (1,), (2, 0, 3), (7,), (2, 3, 4), (61, 67)]
TOLERANCE = {np.float64: 1e-9, np.float32: 1e-5}


@functools.cache
def rule(name, target="numba-cpu"):
    return optdsl.load(name, target)


def start(dtype):
    random = np.random.default_rng(7)
    return [np.array(random.standard_normal(shape), dtype=dtype) for shape in SHAPES]


def pull(dtype):
    """Return for each array where it is pulled to: gradients are of points, not of steps alone."""
    random = np.random.default_rng(8)
    return [np.array(random.standard_normal(shape), dtype=dtype) for shape in SHAPES]


def gradients(points, targets, step):
    """Return gradients of the points in float64; in float32, of the step alone.

    There a difference of one rounding between two points would be magnified where gradients
    come near zero and rules divide by them: the problem would be measured, not the step.
    """
    if targets[0].dtype == np.float32:
        random = np.random.default_rng(step)
        return [np.array(random.standard_normal(q.shape), dtype=np.float32) for q in targets]
    scale = 0.1 + (step % 7)
    return [np.array(np.tanh(p - q) * scale) for p, q in zip(points, targets, strict=True)]


def compare(ours, theirs, dtype):
    for mine, other in zip(ours, theirs, strict=True):
        largest = np.max(np.abs(other), initial=0.0)
        np.testing.assert_allclose(mine, other, rtol=0, atol=TOLERANCE[dtype] * max(largest, 1e-3))


TORCH = {
    "SGD": (lambda p: torch.optim.SGD(p, lr=0.05), {"lr": 0.05}),
    "Momentum": (
        lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
        {"lr": 0.01, "momentum": 0.9},
    ),
    "Nesterov": (
        lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
        {"lr": 0.01, "momentum": 0.9},
    ),
    "Adadelta": (
        lambda p: torch.optim.Adadelta(p, lr=1.0, rho=0.95, eps=1e-4),
        {"rho": 0.95, "eps": 1e-4},
    ),
    "Adam": (
        lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-6),
        {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6},
    ),
    "AdamW": (
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
        {"lr": 0.01, "weight_decay": 0.1},
    ),
    "ClipByGlobalNorm | Momentum": (
        lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
        {"lr": 0.01, "momentum": 0.9, "max_norm": 2.0},
    ),
    "WeightDecay | Adam": (
        lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
        {"lr": 0.01, "weight_decay": 0.1},
    ),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", TORCH)
def test_torch(name, dtype):
    make, hyperparameters = TORCH[name]
    ours, theirs = start(dtype), [torch.from_numpy(array) for array in start(dtype)]
    opt, other, targets = rule(name)(ours, **hyperparameters), make(theirs), pull(dtype)
    for step in range(STEPS):
        opt.step(gradients(ours, targets, step))
        found = gradients([tensor.numpy() for tensor in theirs], targets, step)
        for tensor, gradient in zip(theirs, found, strict=True):
            tensor.grad = torch.from_numpy(gradient)
        if "max_norm" in hyperparameters:
            # Its own clipping adds 1e-6 to the norm, which our equation does not.
            norm = torch.sqrt(sum((tensor.grad.double() ** 2).sum() for tensor in theirs))
            for tensor in theirs:
                tensor.grad *= min(1.0, float(hyperparameters["max_norm"] / norm))
        other.step()
    compare(ours, [tensor.numpy() for tensor in theirs], dtype)


OPTAX = {
    "Adagrad": (
        lambda optax: optax.adagrad(0.05, initial_accumulator_value=0.0, eps=1e-6),
        {"lr": 0.05, "eps": 1e-6},
    ),
    "RMSprop": (
        lambda optax: optax.rmsprop(0.005, decay=0.9, eps=1e-6),
        {"lr": 0.005, "alpha": 0.9, "eps": 1e-6},
    ),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", OPTAX)
def test_optax(name, dtype):
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    make, hyperparameters = OPTAX[name]
    with jax.enable_x64(True):
        ours, theirs = start(dtype), [jax.numpy.asarray(array) for array in start(dtype)]
        opt, other, targets = rule(name)(ours, **hyperparameters), make(optax), pull(dtype)
        state, update = other.init(theirs), jax.jit(other.update)
        for step in range(STEPS):
            opt.step(gradients(ours, targets, step))
            found = gradients([np.asarray(array) for array in theirs], targets, step)
            changes, state = update(found, state, theirs)
            theirs = optax.apply_updates(theirs, changes)
        assert all(array.dtype == dtype for array in theirs)
        compare(ours, [np.asarray(array) for array in theirs], dtype)


def test_warm_restarts_of_torch_drive_adam_alike():
    ours, theirs = start(np.float64), [torch.from_numpy(array) for array in start(np.float64)]
    schedule = rule("WarmRestarts")(eta_max=0.05, eta_min=0.001, T_0=5, T_mult=2)
    opt, other = rule("Adam")(ours, lr=schedule), torch.optim.Adam(theirs, lr=0.05)
    rates = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(other, 5, 2, eta_min=0.001)
    targets = pull(np.float64)
    for step in range(STEPS):
        opt.step(gradients(ours, targets, step))
        found = gradients([tensor.numpy() for tensor in theirs], targets, step)
        for tensor, gradient in zip(theirs, found, strict=True):
            tensor.grad = torch.from_numpy(gradient)
        other.step()
        rates.step()
    compare(ours, [tensor.numpy() for tensor in theirs], np.float64)
