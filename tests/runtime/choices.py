"""What tests of rules that choose share."""

import numpy as np
import torch

SHAPES = [(4, 3), (3,), (5, 4), (2,), (2, 3, 2)]


def arrays(seed, shapes=SHAPES, scale=1.0):
    rng = np.random.default_rng(seed)
    return [scale * rng.standard_normal(shape) for shape in shapes]


def as_torch(parameters):
    return [torch.tensor(p.copy(), requires_grad=True) for p in parameters]


def give(parameters, gradients):
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.tensor(gradient)


def assert_same(ours, theirs, within=1e-12):
    for mine, other in zip(ours, theirs, strict=True):
        other = other.detach().numpy() if isinstance(other, torch.Tensor) else other
        np.testing.assert_allclose(mine, other, rtol=within, atol=within)


def quadratic(parameters):
    return [p * (1 + n) for n, p in enumerate(parameters)]
