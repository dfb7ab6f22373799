"""Snapshot ensembles: the parameters at the end of each cycle of a schedule, averaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from optdsl.training.checking import check_state, real, whole
from optdsl.training.errors import StateError, TrainingError
from optdsl.training.parameters import Array, Parameters, copied, paired


class SnapshotEnsemble:
    """Collect parameters where a cyclic schedule is about to restart, and average predictions.

    A schedule restarts at step t where its value has fallen since the last restart and then rises:
    eta[t] > eta[t-1]. The parameters before that step are where the cycle before came to rest. Of
    the M snapshots h_1 .. h_M collected, the last m predict together:

        h(x) = 1/m sum over i = M-m+1 .. M of h_i(x)

    A rise at the beginning, as of a warmup, is no restart. The last cycle ends with the training:
    call `add` then.

    Arguments:
        last: how many snapshots to keep, m; all, if left out.

    Raises:
        TrainingError: a number of snapshots that is none.

    >>> import numpy as np
    >>> w, ensemble = np.zeros(1), SnapshotEnsemble()
    >>> for rate in (1.0, 0.5, 1.0, 0.5):
    ...     restarted = ensemble.watch(rate, w)
    ...     w += rate
    >>> ensemble.add(w)
    >>> [float(kept[0]) for kept in ensemble.snapshots]
    [1.5, 3.0]
    >>> ensemble.predict(lambda kept, x: kept * x, np.array([1.0, 2.0]))
    array([2.25, 4.5 ])

    Source: Huang et al. 2017, Snapshot ensembles: train 1, get M for free.
    """

    def __init__(self, last: int | None = None) -> None:
        self.last = None if last is None else whole(last, "the number of snapshots", 1)
        self._snapshots: list[Parameters] = []
        self._rate: float | None = None
        self._falling = False

    @property
    def snapshots(self) -> tuple[Parameters, ...]:
        """The snapshots that are kept, the oldest first."""
        return tuple(self._snapshots)

    def __len__(self) -> int:
        return len(self._snapshots)

    def watch(self, rate: float, parameters: Parameters) -> bool:
        """Look at the schedule's value before each step; at a restart, keep a copy.

        Arguments:
            rate: the value that the coming step takes.
            parameters: as they are before that step.

        Returns whether this was a restart.

        Raises:
            TrainingError: the rate is no finite number, or the parameters do not fit.
        """
        value = real(rate, "the rate")
        if not math.isfinite(value):
            raise TrainingError(f"the rate is {value}: a restart cannot be told from it")
        before = value if self._rate is None else self._rate
        restart = self._falling and value > before
        if restart:
            self.add(parameters)
        self._falling = value < before or (self._falling and not restart)
        self._rate = value
        return restart

    def add(self, parameters: Parameters) -> None:
        """Keep a copy of `parameters`, and drop the oldest snapshot where there are too many.

        Raises:
            TrainingError: they are no arrays, or differ in names or shapes from those kept.
        """
        kept = copied(parameters)
        if self._snapshots:
            paired(kept, self._snapshots[-1], "the snapshot before")
        self._snapshots.append(kept)
        if self.last is not None:
            del self._snapshots[: -self.last]

    def predict(self, model: Callable[[Parameters, Any], Array], inputs: Any) -> Array:
        """Return the mean of what `model` makes of `inputs` with each snapshot.

        Sums are taken in float64; the result has the type of the predictions. The source
        averages probabilities, after softmax.

        Raises:
            TrainingError: nothing was collected, or predictions are labels or differ in shape.
        """
        if not self._snapshots:
            raise TrainingError("there are no snapshots: call watch before each step, or add")
        total: Any = None
        for snapshot in self._snapshots:
            prediction = np.asarray(model(snapshot, inputs))
            if prediction.dtype.kind != "f":
                raise TrainingError(
                    f"predictions are of type {prediction.dtype}, which has no mean: "
                    "return probabilities or scores as floats"
                )
            if total is not None and prediction.shape != total.shape:
                raise TrainingError(
                    f"predictions have the shapes {total.shape} and {prediction.shape}"
                )
            total = np.add(0.0 if total is None else total, prediction, dtype=np.float64)
        return np.asarray(total / len(self._snapshots), dtype=prediction.dtype)

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain data, with copies of the snapshots."""
        return {
            **self._identity(),
            "rate": self._rate,
            "falling": self._falling,
            "snapshots": [copied(snapshot) for snapshot in self._snapshots],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a stored state.

        Raises:
            StateError: it was stored by something else, or with other settings.
            TrainingError: a value in it is damaged.
        """
        check_state(state, self._identity(), ("rate", "falling", "snapshots"))
        rate = None if state["rate"] is None else real(state["rate"], "rate")
        if not isinstance(state["snapshots"], list):
            raise StateError("`snapshots` is not a list in the state")
        snapshots = [copied(snapshot) for snapshot in state["snapshots"]]
        self._rate, self._falling, self._snapshots = rate, bool(state["falling"]), snapshots

    def _identity(self) -> dict[str, Any]:
        return {"kind": "SnapshotEnsemble", "last": self.last}
