"""Values of schedules as other libraries give them.

Ours count steps from 1, theirs from 0: the value of our step t is theirs at t - 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import numpy.typing as npt
import torch

STEPS = 10_000

Numbers = npt.NDArray[np.float64]


def torch_values(make: Callable[[Any], Any], start: float = 0.1, steps: int = STEPS) -> Numbers:
    """Return the rates of the first steps of a scheduler of torch.

    It warns unless its optimizer has taken a step. What it says does not depend on further ones.
    """
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=start)
    scheduler = make(optimizer)
    optimizer.step()
    found = []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0]["lr"]))
        scheduler.step()
    return np.array(found)


def optax_values(schedule: Callable[[Any], Any], steps: int = STEPS) -> Numbers:
    """Return the first values of a schedule of Optax, computed in float64."""
    with jax.enable_x64(True):
        return np.asarray(jax.vmap(schedule)(np.arange(steps, dtype=np.float64)))


def loop(value: Callable[[int], float], steps: int = STEPS) -> Numbers:
    """Return the first values of a formula of a paper, whose t counts from 1."""
    return np.array([value(t) for t in range(1, steps + 1)])


def check(ours: Numbers, theirs: Numbers, boundaries: tuple[int, ...] = ()) -> None:
    """Compare value by value, the first, the last and those around each boundary by name.

    A boundary is the number of the first step of a new piece.
    """
    assert len(ours) == len(theirs)
    scale = float(np.max(np.abs(theirs)))
    named = {1, 2, len(ours)} | {t + d for t in boundaries for d in (-2, -1, 0, 1, 2)}
    for t in sorted(named):
        if 1 <= t <= len(ours):
            assert abs(ours[t - 1] - theirs[t - 1]) <= 1e-12 * scale, f"step {t}"
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * scale)
