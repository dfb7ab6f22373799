"""The rules that see a tensor as a matrix, beside others at the same equations."""

from __future__ import annotations

import math
from typing import Any
from unittest import mock

import jax
import optax as ox
import pytorch_optimizer as po
import torch
from optax import contrib

from tests.catalogue.compare import Case, Peer, Walk, optax
from tests.catalogue.compare import torch as pytorch
from tests.numerics.walks import Landscape

MATRICES = ((4, 6), (6, 4), (5, 5))
MIXED = ((4, 6), (7,), (6, 4))


class WideMuon(torch.optim.Muon):
    """Muon of PyTorch, whose iteration keeps the precision of its parameters."""

    def step(self, closure: Any = None) -> Any:
        with mock.patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
            return super().step(closure)


class Both:
    """One optimizer for the matrices among some parameters, and one for the rest."""

    def __init__(self, first: torch.optim.Optimizer, second: torch.optim.Optimizer) -> None:
        self.optimizers = (first, second)

    def step(self) -> None:
        for each in self.optimizers:
            each.step()

    def zero_grad(self) -> None:
        for each in self.optimizers:
            each.zero_grad()


def muon_and_adamw(parameters: list[Any]) -> Both:
    matrices = [p for p in parameters if p.ndim == 2]
    rest = [p for p in parameters if p.ndim != 2]
    return Both(
        WideMuon(matrices, lr=0.05, weight_decay=0, eps=1e-30),
        torch.optim.AdamW(rest, lr=0.01, weight_decay=0.1),
    )


def larger_for_tall() -> ox.GradientTransformation:
    """Multiply by the root of rows over columns, where that is more than 1."""

    def scaled(updates: Any, parameters: Any) -> Any:
        return jax.tree.map(lambda u: u * math.sqrt(max(1, u.shape[0] / u.shape[1])), updates)

    return ox.stateless(scaled)


def turned(peer: Peer) -> Peer:
    """Walk with someone to whom a unit is a column."""

    class Turned(Landscape):
        def __init__(self, whole: Landscape) -> None:
            super().__init__((), whole.dtype)
            self.whole = whole
            self.start = [array.T.copy() for array in whole.start]

        def steps(self) -> Any:
            for gradient in self.whole.steps():
                yield lambda points, g=gradient: [x.T for x in g([x.T for x in points])]

    def walk(land: Landscape) -> Walk:
        for point in peer(Turned(land)):
            yield [array.T for array in point]

    return walk


def scale_by_muon() -> ox.GradientTransformation:
    def plain(parameters: Any) -> Any:
        return jax.tree.map(lambda _: contrib.MuonDimensionNumbers(), parameters)

    return contrib.scale_by_muon(nesterov=False, eps=0, weight_dimension_numbers=plain)


CASES = (
    Case("Adafactor", {"lr": 0.05}, "torch.optim.Adafactor",
         pytorch(lambda p: torch.optim.Adafactor(p, lr=0.05, eps=(1e-30, 1e-3))), shapes=MIXED),
    Case("Muon", {"lr": 0.05, "eps": 0}, "optax.contrib.scale_by_muon",
         optax(lambda: ox.chain(scale_by_muon(), larger_for_tall(), ox.scale(-0.05))),
         shapes=MATRICES),
    Case("Muon", {"lr": 0.05, "eps": 0}, "torch.optim.Muon",
         pytorch(lambda p: WideMuon(p, lr=0.05, weight_decay=0, nesterov=False, eps=1e-30)),
         shapes=MATRICES, note="its iteration in full precision"),
    Case("MuonNesterov", {"lr": 0.05, "eps": 0}, "torch.optim.Muon",
         pytorch(lambda p: WideMuon(p, lr=0.05, weight_decay=0, eps=1e-30)),
         shapes=MATRICES, note="its iteration in full precision"),
    Case("Muon if rows > 4 else MuonNesterov", {"lr": 0.05, "eps": 0}, "torch.optim.Muon",
         pytorch(lambda p: Both(
             WideMuon([x for x in p if len(x) > 4], lr=0.05, weight_decay=0, nesterov=False,
                      eps=1e-30),
             WideMuon([x for x in p if len(x) <= 4], lr=0.05, weight_decay=0, eps=1e-30))),
         shapes=MATRICES, note="a choice among choices"),
    Case("MuonWithAdamW",
         {"MuonNesterovWide.lr": 0.05, "MuonNesterovTall.lr": 0.05, "MuonNesterovWide.eps": 0,
          "MuonNesterovTall.eps": 0, "AdamW.lr": 0.01, "AdamW.weight_decay": 0.1},
         "torch.optim.Muon, AdamW", pytorch(muon_and_adamw), shapes=MIXED),
    Case("Shampoo", {"lr": 0.05, "eps": 0.1}, "pytorch_optimizer.Shampoo",
         pytorch(lambda p: po.Shampoo(p, lr=0.05, momentum=0, weight_decay=0, matrix_eps=0.1,
                                      preconditioning_compute_steps=1)), shapes=MATRICES),
    Case("AdaptiveClip | SGD", {"lr": 0.05, "clipping": 0.3}, "optax.adaptive_grad_clip",
         turned(optax(lambda: ox.chain(ox.adaptive_grad_clip(0.3), ox.sgd(0.05)))), shapes=MIXED,
         note="which takes columns for units"),
    Case("Centralize | SGD", {"lr": 0.05}, "optax.centralize",
         optax(lambda: ox.chain(ox.centralize(), ox.sgd(0.05))), shapes=((4, 6), (7,), (2, 3, 4))),
)  # fmt: skip
