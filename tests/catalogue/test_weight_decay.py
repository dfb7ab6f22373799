"""Weight decay of some tensors only, beside PyTorch with groups of parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import optdsl

SHAPES = {"layer.weight": (5, 3), "layer.bias": (5,), "norm.scale": (1, 4), "kernel": (2, 3, 2)}
NO_BIAS = """
optimizer Named(inner) extends DecoupledWeightDecay
  decay = lambda if not (named("*.bias") or named("norm.*")) else 0
  theta[t] = inner(theta[t-1]) - inner.eta*decay*theta[t-1]

optimizer NamedAdam = Named(Adam)

transform NamedPenalty extends WeightDecay
  u = g[t] + lambda*theta[t-1] if not (named("*.bias") or named("norm.*")) else g[t]

optimizer PenalisedMomentum = NamedPenalty | Momentum
"""
MATRICES = {"layer.weight", "norm.scale", "kernel"}
OTHERS = {"layer.weight", "kernel"}
SETTINGS = {"lr": 0.03, "weight_decay": 0.2}


def start():
    random = np.random.default_rng(1)
    return {name: random.normal(size=shape) for name, shape in SHAPES.items()}


def walk_of_ours(rule, steps=20, **settings):
    parameters = start()
    optimizer = optdsl.load(rule, "reference")(parameters, **{**SETTINGS, **settings})
    for t in range(steps):
        optimizer.step({name: np.cos(3 * array + t) for name, array in parameters.items()})
    return parameters


def walk_of_torch(make, decayed, steps=20):
    """Two groups: one decays, one does not."""
    parameters = {name: torch.tensor(array) for name, array in start().items()}
    groups = [
        {"params": [p for name, p in parameters.items() if name in decayed]},
        {"params": [p for name, p in parameters.items() if name not in decayed],
         "weight_decay": 0.0},
    ]  # fmt: skip
    optimizer = make(groups)
    for t in range(steps):
        for parameter in parameters.values():
            parameter.grad = torch.cos(3 * parameter + t)
        optimizer.step()
    return {name: parameter.numpy() for name, parameter in parameters.items()}


def adamw(groups):
    return torch.optim.AdamW(groups, **SETTINGS)


def sgd(groups):
    return torch.optim.SGD(groups, momentum=0.9, **SETTINGS)


@pytest.fixture
def named(tmp_path):
    path = tmp_path / "named.opt"
    path.write_text(NO_BIAS)
    return lambda rule: f"{path}:{rule}"


def compare(ours, theirs):
    for name in SHAPES:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-10, atol=1e-12)


def test_everything_decays():
    compare(walk_of_ours("DecoupledWeightDecay(Adam)"), walk_of_torch(adamw, set(SHAPES)))


def test_decoupled_by_number_of_dimensions():
    compare(walk_of_ours("MaskedDecoupledWeightDecay(Adam)"), walk_of_torch(adamw, MATRICES))


def test_decoupled_of_cubes_alone():
    ours = walk_of_ours("MaskedDecoupledWeightDecay(Adam)", min_ndim=3)
    compare(ours, walk_of_torch(adamw, {"kernel"}))


def test_decoupled_by_name(named):
    compare(walk_of_ours(named("NamedAdam")), walk_of_torch(adamw, OTHERS))


def test_a_penalty_by_number_of_dimensions():
    compare(walk_of_ours("MaskedWeightDecay | Momentum"), walk_of_torch(sgd, MATRICES))


def test_a_penalty_by_name(named):
    compare(walk_of_ours(named("PenalisedMomentum")), walk_of_torch(sgd, OTHERS))


def test_groups_of_parameters_do_the_same():
    """Without a mask, groups set the strength, as in PyTorch."""
    parameters = start()
    decayed = {name: array for name, array in parameters.items() if name in MATRICES}
    rest = {name: array for name, array in parameters.items() if name not in MATRICES}
    AdamW = optdsl.load("AdamW", "reference")
    optimizer = AdamW([{"params": decayed}, {"params": rest, "weight_decay": 0.0}], **SETTINGS)
    for t in range(20):
        optimizer.step({name: np.cos(3 * array + t) for name, array in parameters.items()})
    compare(parameters, walk_of_torch(adamw, MATRICES))
