"""Walks of shipped rules beside those of others: 50 steps, three shapes, float64 and float32.

How to use it. Write the comparisons of a group of rules into `tests/catalogue/of_GROUP.py`, as a
tuple `CASES`, and a test file that checks them; the table of the docs finds every file of
that name:

    CASES = (
        Case("Adam", {"lr": 0.01}, "torch.optim.Adam", torch(lambda p: Adam(p, lr=0.01))),
        Case("Lion", {"lr": 0.01}, "optax.lion", optax(lambda: lion(0.01))),
        Case("LocalGains", {"lr": 0.01}, "NumPy", numpy(local_gains)),
    )

The second entry is given to the class of ours, the last one says how the other walks:
- `torch(make)`: `make(parameters)` returns an optimizer of PyTorch, or one and a scheduler.
- `optax(make)`: `make()` returns a transformation.
- `numpy(loop)`: a plain loop for one tensor, written from the paper and not from the spec. It is a
  generator: `g = yield theta` hands out the point of the next gradient and takes that gradient.
- any function from a `Landscape` to an iterator of lists of arrays, one list a step.

`Case(..., function=True)` hands our rule a function of gradients, for rules that ask for several
or elsewhere. `loss=` is a function of the point, for rules that read the loss. `evaluated=`
compares the points of evaluation. `shapes=` replaces the three shapes; `note=` says in the table
what is worth knowing.

`check(case, dtype)` asserts that both walks are the same: in float64 to 1e-9 of the displacement,
in float32 to 1e-5 of the largest entry. `largest(case, dtype)` returns the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch as pytorch

import optdsl
from tests.numerics.walks import Gap, Landscape, with_optax, with_torch

Array = Any
Walk = Iterator[list[Array]]
Peer = Callable[[Landscape], Walk]

STEPS = 50
SHAPES = ((7,), (5, 3), (2, 3, 4))
#: What two walks may part by, in the units of `Gap`.
BOUNDS = {"float64": 1e-9, "float32": 1e-5}


@dataclass(frozen=True)
class Case:
    """A rule of ours, and one who walks by the same equations."""

    rule: str
    arguments: dict[str, Any]
    beside: str
    peer: Peer
    function: bool = False
    shapes: tuple[tuple[int, ...], ...] = SHAPES
    note: str = ""
    loss: Callable[[list[Array]], float] | None = None
    evaluated: bool = False

    def __str__(self) -> str:
        return f"{self.rule}, {self.beside}"


def torch(make: Callable[[list[Any]], Any]) -> Peer:
    """Walk with an optimizer of PyTorch."""

    def walk(land: Landscape) -> Walk:
        steps = with_torch(make, land)
        while True:
            # Some keep numbers beside their tensors, in the default format.
            before = pytorch.get_default_dtype()
            pytorch.set_default_dtype(getattr(pytorch, land.dtype.name))
            try:
                point = next(steps, None)
            finally:
                pytorch.set_default_dtype(before)
            if point is None:
                return
            yield point

    return walk


def optax(make: Callable[[], Any]) -> Peer:
    """Walk with a transformation of Optax."""
    return lambda land: with_optax(make, land)


def numpy(loop: Callable[[Array], Generator[Array, Array, None]]) -> Peer:
    """Walk with a loop for one tensor."""

    def walk(land: Landscape) -> Walk:
        loops = [loop(start.copy()) for start in land.start]
        points = [next(each) for each in loops]
        for gradient in land.steps():
            pairs = zip(loops, gradient(points), strict=True)
            points = [np.asarray(each.send(g), land.dtype) for each, g in pairs]
            yield points

    return walk


def ours(case: Case, land: Landscape, target: str) -> Walk:
    """Yield our arrays after each step."""
    arrays = [array.copy() for array in land.start]
    optimizer = optdsl.load(case.rule, target)(arrays, **case.arguments)
    for gradient in land.steps():
        if case.loss is not None:
            loss, at = case.loss(arrays), gradient(arrays)
            optimizer.step(at, loss=loss)
        else:
            optimizer.step(gradient if case.function else gradient(arrays))
        yield optimizer.evaluation() if case.evaluated else arrays


def largest(case: Case, dtype: str, target: str = "reference", steps: int = STEPS) -> float:
    """Return the largest difference between the two walks; see `Gap` for its unit."""
    land = Landscape(case.shapes, dtype)
    gap = Gap(land, dtype)
    walks = zip(ours(case, land, target), case.peer(land), strict=True)
    for mine, theirs in islice(walks, steps):
        gap.widen(mine, theirs)
    return gap.worst


def check(case: Case, dtype: str, target: str = "reference", steps: int = STEPS) -> None:
    """Assert that our rule walks like the other."""
    found = largest(case, dtype, target, steps)
    assert found <= BOUNDS[dtype], f"{case}: they part by {found:.1e} in {dtype}"
