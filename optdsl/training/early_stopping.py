"""Early stopping: give up when a metric has not improved for a while, and keep the best."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optdsl.training.checking import check_state, one_of, real, whole, within
from optdsl.training.errors import MetricWarning, TrainingError
from optdsl.training.parameters import Parameters, copied, write_into


@dataclass(frozen=True, slots=True)
class Progress:
    """What one value of the metric meant.

    `stale` counts the values since the best one. `message` says the same in words.
    """

    improved: bool
    stop: bool
    stale: int
    message: str


class EarlyStopping:
    """Stop after `patience` values of a metric in a row that are no improvement.

    With the metric x[k] of the k-th evaluation and the best one so far, b[0] = inf:

        improved[k]  if  x[k] < b[k-1] - min_delta     (for mode "max": x[k] > b[k-1] + min_delta)
        b[k] = x[k] if improved[k], else b[k-1]
        s[k] = 0    if improved[k], else s[k-1] + 1    stop if s[k] >= patience

    A NaN is no improvement; it raises a `MetricWarning` and the message says so. Small gains
    add up: they are measured from the last improvement, not from the last value.

    Arguments:
        patience: how many values without improvement end the training, from 1 on.
        mode: "min" where a smaller metric is better, as for a loss; "max", as for an accuracy.
        min_delta: by how much more than nothing a value must be better, in the metric's unit.

    Raises:
        TrainingError: a setting outside its domain.

    >>> import numpy as np
    >>> w, stopping = np.zeros(2), EarlyStopping(patience=2)
    >>> for loss in (0.9, 0.5, 0.7, 0.6):
    ...     w += 1
    ...     progress = stopping.update(loss, w)
    >>> progress
    Progress(improved=False, stop=True, stale=2, message='0.6 is not below the best, 0.5: 2 of 2')
    >>> stopping.restore(w)
    >>> w, stopping.best
    (array([2., 2.]), 0.5)

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, algorithm 7.1; the rule without
    parameters is UP_s of Prechelt 1998, Early stopping - but when?
    """

    def __init__(self, patience: int, mode: str = "min", min_delta: float = 0.0) -> None:
        self.patience = whole(patience, "the patience", 1)
        self.mode = one_of(mode, "the mode", ("min", "max"))
        self.min_delta = within(min_delta, "min_delta", 0.0, math.inf)
        self.best = math.inf if self.mode == "min" else -math.inf
        self.stale = 0
        self.evaluations = 0
        self.best_evaluation: int | None = None  # counted from 1
        self._parameters: Parameters | None = None

    @property
    def stop(self) -> bool:
        """Whether the patience is at its end."""
        return self.stale >= self.patience

    def update(self, metric: float, parameters: Parameters | None = None) -> Progress:
        """Take in the next value of the metric; keep a copy of `parameters` if it is the best.

        Raises:
            TrainingError: the metric is not one real number, or the parameters are no arrays.
        """
        value = real(metric, "the metric")
        improved = self._is_better(value)
        if improved:
            kept = None if parameters is None else copied(parameters)
            self.best, self._parameters = value, kept
            self.best_evaluation = self.evaluations + 1
        self.evaluations += 1
        self.stale = 0 if improved else self.stale + 1
        message = self._message(value, improved)
        if math.isnan(value):
            warnings.warn(message, MetricWarning, stacklevel=2)
        return Progress(improved, self.stop, self.stale, message)

    def _is_better(self, value: float) -> bool:
        if self.mode == "min":
            return value < self.best - self.min_delta
        return value > self.best + self.min_delta

    def _message(self, value: float, improved: bool) -> str:
        if improved:
            return f"{value:g} is the best so far"
        patience = f"{self.stale} of {self.patience}"
        if math.isnan(value):
            return f"the metric is NaN, which is no improvement: {patience}"
        relation = "below" if self.mode == "min" else "above"
        margin = f" by more than {self.min_delta:g}" if self.min_delta else ""
        return f"{value:g} is not {relation} the best, {self.best:g}{margin}: {patience}"

    def restore(self, parameters: Parameters) -> None:
        """Write what was kept at the best value into the arrays of `parameters`.

        Raises:
            TrainingError: nothing was kept, or it does not fit; nothing is written then.
        """
        if self.best_evaluation is None:
            raise TrainingError("no value was an improvement, so there is nothing to restore")
        if self._parameters is None:
            raise TrainingError(
                f"evaluation {self.best_evaluation} was the best and came without parameters: "
                "give them to every update"
            )
        write_into(parameters, self._parameters, "what was kept")

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain data, with copies of the best parameters."""
        return {
            **self._identity(),
            "best": self.best,
            "stale": self.stale,
            "evaluations": self.evaluations,
            "best_evaluation": self.best_evaluation,
            "parameters": None if self._parameters is None else copied(self._parameters),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a stored state.

        Raises:
            StateError: it was stored by something else, or with other settings.
            TrainingError: a value in it is damaged.
        """
        contents = ("best", "stale", "evaluations", "best_evaluation", "parameters")
        check_state(state, self._identity(), contents)
        best, stale = real(state["best"], "best"), whole(state["stale"], "stale", 0)
        evaluations = whole(state["evaluations"], "evaluations", 0)
        last = state["best_evaluation"]
        last = None if last is None else whole(last, "best_evaluation", 1)
        kept = None if state["parameters"] is None else copied(state["parameters"])
        self.best, self.stale, self.evaluations = best, stale, evaluations
        self.best_evaluation, self._parameters = last, kept

    def _identity(self) -> dict[str, Any]:
        return {
            "kind": "EarlyStopping",
            "patience": self.patience,
            "mode": self.mode,
            "min_delta": self.min_delta,
        }
