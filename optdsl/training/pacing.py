"""Pacing: how much of a curriculum is open, from the easiest example on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from optdsl.training.checking import check_state, whole, within
from optdsl.training.early_stopping import EarlyStopping
from optdsl.training.errors import TrainingError

Pacing: TypeAlias = Callable[[int], float]  # an epoch, from 0 on, to a share in (0, 1]


@dataclass(frozen=True)
class LinearPacing:
    """Open the same share more every epoch.

        c[e] = min(1, c0 + (1 - c0) e/E)

    Arguments:
        start: the share c0 in (0, 1] that is open in epoch 0.
        epochs: the epoch E from which on all is open.

    Raises:
        TrainingError: a setting outside its domain.

    >>> [LinearPacing(start=0.25, epochs=3)(epoch) for epoch in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]

    Source: Platanios et al. 2019, Competence-based curriculum learning (from memory).
    """

    start: float
    epochs: int

    def __post_init__(self) -> None:
        check_pacing(self.start, self.epochs)

    def __call__(self, epoch: int) -> float:
        """Return the share that is open in `epoch`."""
        return min(1.0, self.start + (1 - self.start) * epoch / self.epochs)


@dataclass(frozen=True)
class RootPacing:
    """Open less and less every epoch, so that each example is new for about as long.

        c[e] = min(1, sqrt(c0^2 + (1 - c0^2) e/E))

    Arguments:
        start: the share c0 in (0, 1] that is open in epoch 0.
        epochs: the epoch E from which on all is open.

    Raises:
        TrainingError: a setting outside its domain.

    >>> [round(RootPacing(start=0.5, epochs=3)(epoch), 3) for epoch in range(5)]
    [0.5, 0.707, 0.866, 1.0, 1.0]

    Source: Platanios et al. 2019, Competence-based curriculum learning (from memory).
    """

    start: float
    epochs: int

    def __post_init__(self) -> None:
        check_pacing(self.start, self.epochs)

    def __call__(self, epoch: int) -> float:
        """Return the share that is open in `epoch`."""
        squared = self.start**2
        return min(1.0, math.sqrt(squared + (1 - squared) * epoch / self.epochs))


def check_pacing(start: float, epochs: int) -> None:
    """Raise a TrainingError unless start lies in (0, 1] and epochs is 1 or more."""
    if within(start, "the start", 0.0, 1.0) == 0:
        raise TrainingError("the start is 0, which opens nothing: give a share above 0")
    whole(epochs, "the number of epochs", 1)


class PlateauPacing:
    """Open the next level when a metric stops to improve.

        c = level/levels;  level grows by 1 after `patience` values in a row without improvement

    A new level starts to count anew: its first value is its best so far. Call `update`
    between epochs, so that an epoch has one order.

    Arguments:
        levels: the number of steps from the easiest to everything.
        patience, mode, min_delta: what improvement is, as for `EarlyStopping`.

    Raises:
        TrainingError: a setting outside its domain.

    >>> pacing = PlateauPacing(levels=4)
    >>> [pacing.update(loss) for loss in (0.9, 0.5, 0.6, 0.8, 0.7)]
    [False, False, True, False, False]
    >>> pacing(epoch=5)
    0.5

    Source: Zaremba & Sutskever 2014, Learning to execute (from memory): the naive
    strategy goes on to longer programs when the validation error stops to fall.
    """

    def __init__(
        self, levels: int, patience: int = 1, mode: str = "min", min_delta: float = 0.0
    ) -> None:
        self.levels = whole(levels, "the number of levels", 1)
        self.level = 1
        self._stopping = EarlyStopping(patience, mode, min_delta)

    def update(self, metric: float) -> bool:
        """Take in the next value of the metric; return whether a level was opened.

        Raises:
            TrainingError: the metric is not one real number.
        """
        if not self._stopping.update(metric).stop or self.level == self.levels:
            return False
        self.level += 1
        self._stopping = self._fresh()
        return True

    def _fresh(self) -> EarlyStopping:
        stopping = self._stopping
        return EarlyStopping(stopping.patience, stopping.mode, stopping.min_delta)

    def __call__(self, epoch: int) -> float:
        """Return the share that is open now, whatever the epoch."""
        return self.level / self.levels

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {**self._identity(), "level": self.level, "progress": self._stopping.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a stored state.

        Raises:
            StateError: it was stored by something else, or with other settings.
            TrainingError: a value in it is damaged.
        """
        check_state(state, self._identity(), ("level", "progress"))
        level = whole(state["level"], "level", 1, self.levels + 1)
        stopping = self._fresh()
        stopping.load_state_dict(state["progress"])
        self.level, self._stopping = level, stopping

    def _identity(self) -> dict[str, Any]:
        return {"kind": "PlateauPacing", "levels": self.levels}
