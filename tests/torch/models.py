"""Small models and loops for the tests of the door, and rules compiled once."""

from __future__ import annotations

import copy
from functools import cache

import torch

import optdsl.torch


@cache
def made(what):
    return optdsl.torch.optimizer(what)


def net(dtype=torch.float64, seed=0):
    torch.manual_seed(seed)
    layers = (torch.nn.Linear(5, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    return torch.nn.Sequential(*layers).to(dtype)


def twins(dtype=torch.float64, seed=0):
    first = net(dtype, seed)
    return first, copy.deepcopy(first)


def batches(count, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(8, 5, generator=generator, dtype=torch.float64).to(dtype),
            torch.randn(8, 2, generator=generator, dtype=torch.float64).to(dtype),
        )
        for _ in range(count)
    ]


def loss_of(model, batch):
    return ((model(batch[0]) - batch[1]) ** 2).mean()


def train(model, optimizer, given, after=None):
    """Take one step a batch; return the losses."""
    losses = []
    for batch in given:
        optimizer.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        optimizer.step()
        if after is not None:
            after()
        losses.append(loss.item())
    return losses


def train_with_closure(model, optimizer, given):
    """Take one step a batch with a closure; return the losses."""
    losses = []
    for batch in given:

        def closure(batch=batch):
            optimizer.zero_grad()
            loss = loss_of(model, batch)
            loss.backward()
            return loss

        losses.append(optimizer.step(closure).item())
    return losses


def apart(first, second):
    """Return the largest difference between the parameters, over the largest entry."""
    pairs = list(zip(first.parameters(), second.parameters(), strict=True))
    largest = max(p.abs().max().item() for p, _ in pairs)
    return max((p.double() - q.double()).abs().max().item() for p, q in pairs) / largest


class Scale(torch.nn.Module):
    """One number: of two processes, one holds it and the other nothing."""

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.factor


def scaled_net():
    return net().append(Scale().double())
