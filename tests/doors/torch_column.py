"""The column of PyTorch: every shipped definition, really tried."""

from __future__ import annotations

import numpy as np
import torch

import optdsl
import optdsl.torch
from optdsl.diagnostics import DiagnosticError
from optdsl.runtime import RuntimeRefusal

TITLE = "PyTorch"
STEPS = 3
BOUND = 1e-12  # of the largest entry, in float64
SHAPES = {"a": (3, 2), "b.bias": (4,), "c": (2, 3)}
#: What schedules must be given.
ARGUMENTS = {"steps": 10, "total_steps": 10, "step_size": 5, "stable": 5, "decay": 5}


def cell(name: str, family: str) -> str:
    """Return whether the door takes the steps of the arrays, or why it refuses."""
    try:
        if family == "schedule":
            return _walked("SGD", "works: as a hyperparameter", lr=_schedule(name))
        if family == "transform":
            return _walked(f"{name} | SGD", f"works: `{name} \\| ...`")
        return _walked(name, "works")
    except (DiagnosticError, RuntimeRefusal) as error:
        return f"refused: {str(error).splitlines()[0]}"


def _schedule(name: str) -> object:
    made = optdsl.load(name)
    asked = [slot for slot in made.layout.hyperparameters if slot.default is None]
    return made(**{slot.alias: ARGUMENTS[slot.alias] for slot in asked})


def _walked(what: str, found: str, **settings: object) -> str:
    made = optdsl.torch.optimizer(what)
    random = np.random.default_rng(0)
    arrays = {name: random.uniform(1, 2, shape) for name, shape in SHAPES.items()}
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    theirs, ours = made(tensors.items(), **settings), made.rules.first(arrays, **settings)
    names = [slot.known_as for slot in ours.layout.inputs]
    names += [name for group in ours.groups for each in settings for name in _inputs(group[each])]
    for t in range(1, STEPS + 1):
        inputs = dict.fromkeys(names, 1.0 / t)
        target = 3.0 + random.normal()
        if ours.layout.ready is None:
            theirs.step(lambda: _closure(theirs, tensors, target), **inputs)  # noqa: B023
            ours.step(lambda points: _gradients(points, target), **inputs)  # noqa: B023
            continue
        loss = _closure(theirs, tensors, target)
        theirs.step(loss=loss, **inputs)
        ours.step(_gradients(arrays, target), loss=loss.item(), **inputs)
    largest = max(np.abs(array).max() for array in arrays.values())
    gaps = [np.abs(tensors[n].detach().numpy() - arrays[n]).max() for n in arrays]
    assert max(gaps) <= BOUND * largest, f"{what}: {max(gaps):.1e}"
    if ours.layout.losses:
        return "works: with a closure, or with `loss=`"
    return "works: with a closure" if ours.layout.ready is None else found


def _inputs(value: object) -> tuple[str, ...]:
    return getattr(value, "inputs", ())


def _closure(
    optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor], target: float
) -> torch.Tensor:
    optimizer.zero_grad()
    loss = sum(((tensor - target) ** 2).sum() for tensor in tensors.values())
    loss.backward()
    return loss.detach()


def _gradients(points: dict[str, np.ndarray], target: float) -> dict[str, np.ndarray]:
    return {name: 2 * (point - target) for name, point in points.items()}
