"""The loss, as rules read it: one number a step, taken where the gradient is."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from optdsl.runtime.engine import Engine
from optdsl.runtime.errors import StepError
from optdsl.runtime.layout import Layout

_HANDED_IN = "give it too, as in `loss=0.7`"


def read_loss(engine: Engine, gradient: str, loss: Any, how: str) -> None:
    """Put the loss that comes with `gradient` where the rule reads it; others are let pass.

    `how` tells a user the way to hand one in.

    Raises:
        StepError: the rule reads the loss, and there is none, or it is not a number.
    """
    for stream, slot in engine.layout.losses:
        if stream == gradient:
            engine.tensors.everything[slot] = _number(loss, engine.layout.name, how)


def read_ready_loss(engine: Engine, loss: Any) -> None:
    """Put the loss that comes with ready-made gradients where the rule reads it.

    Raises:
        StepError: as `read_loss`.
    """
    for stream, _ in engine.layout.losses:
        read_loss(engine, stream, loss, _HANDED_IN)


def check_ready_loss(layout: Layout, loss: Any) -> None:
    """Raise what `read_ready_loss` would raise.

    Raises:
        StepError: as `read_loss`.
    """
    if layout.losses:
        _number(loss, layout.name, _HANDED_IN)


def _number(loss: Any, owner: str, how: str) -> float:
    if loss is None:
        raise StepError(f"{owner} reads the loss at the point of the gradient: {how}")
    if np.ndim(loss) == 0 and not isinstance(loss, bool | np.bool_):
        number = loss.item() if hasattr(loss, "item") else loss
        if isinstance(number, numbers.Real):
            return float(number)
    raise StepError(
        f"the loss is {loss!r}, of type {type(loss).__name__}: give one number for all parameters"
    )
