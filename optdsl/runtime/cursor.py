"""A place on a schedule, and how it moves on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from optdsl.runtime.errors import CheckpointError, StepError
from optdsl.runtime.inputs import checked_inputs
from optdsl.runtime.layout import Feed, Numbers, Scalars
from optdsl.runtime.reading import Reading

if TYPE_CHECKING:
    from optdsl.runtime.schedule import Schedule


class ScheduleCursor:
    """A place on a schedule. `next(cursor)` gives the value of the next step.

    A schedule without inputs may be asked for any step. One with inputs goes on when a step
    is committed: until then the step is tried anew whenever it is asked for.
    """

    def __init__(self, schedule: Schedule) -> None:
        layout = schedule.layout
        self.schedule = schedule
        self.t = 0  # the last count computed; where there are inputs, committed
        self._handed_out = 0
        self._every = schedule.per_epoch
        self._listens = bool(schedule.inputs)
        self._walks = any(isinstance(slot.default, Feed) for slot in layout.hyperparameters)
        self._reading = Reading(schedule.settings)
        self._states: Numbers | None = None
        self._tried: tuple[Numbers, float] | None = None
        self._scalars: Numbers = np.zeros(layout.scalars)
        self._recent: dict[int, float] = {}

    def __iter__(self) -> ScheduleCursor:
        return self

    def __next__(self) -> float:
        return self.next()

    def next(self, **inputs: Any) -> float:
        """Return the value of the next step, which sees these inputs.

        Raises:
            StepError: an input that the schedule does not have, or needs and has never got.
        """
        schedule = self.schedule
        given = checked_inputs(schedule.layout.name, schedule.inputs, inputs) if inputs else {}
        t = self._handed_out + 1
        self.give(given)
        try:
            value = self.at(t)
        except Exception:
            self.take_back()
            raise
        self._handed_out = t
        self.commit(t)
        return value

    def at(self, t: int) -> float:
        """Return the value at step `t`, counted from 1."""
        if t < 1:
            raise StepError(f"a schedule has no value at step {t}: steps count from 1")
        count = (t - 1) // self._every + 1
        return self._try(count) if self._listens else self._walk(count)

    def _walk(self, t: int) -> float:
        value = self._recent.get(t)
        if value is not None:
            return value
        if t <= self.t:
            self.t, self._states = 0, None
            self._reading = Reading(self.schedule.settings)
        if not self.schedule.layout.states and not self._walks:
            self.t = t - 1
        while self.t < t:
            self._advance()
        return self._recent[t]

    def _advance(self) -> None:
        self._settle(*self._computed())

    def _computed(self) -> tuple[Numbers, float]:
        """Return the states and the value of the next step."""
        layout = self.schedule.layout
        self._reading.read((self.t,) * layout.parts)
        hyper = self._reading.hyper
        if self._states is None:
            states = np.array([float(s.start(None, hyper)) for s in layout.states])
        else:
            states = self._states.copy()
        for stage in layout.function:
            if isinstance(stage, Scalars):
                stage.function(float(self.t + 1), hyper, states, self._scalars)
        return states, float(self._scalars[self.schedule.result])

    def _settle(self, states: Numbers, value: float) -> None:
        self.t, self._states = self.t + 1, states
        for part in range(self.schedule.layout.parts):
            self._reading.commit(part, self.t)
        # Two values suffice: the step being taken and the one it looks ahead to.
        kept = {self.t - 1: self._recent[self.t - 1]} if self.t - 1 in self._recent else {}
        self._recent = {**kept, self.t: value}

    # ----------------------------------------------------------------- inputs

    def _try(self, t: int) -> float:
        if t < self.t:
            raise StepError(
                f"{self.schedule!r} is at step {self.t}: what was handed in at earlier ones is gone"
            )
        if t == self.t:
            return self._recent[t]
        if self.t < t - 1:  # it was put here midway: nothing had come before
            self.listen(False)
            while self.t < t - 1:
                self._advance()
            self.listen(True)
        self._tried = self._computed()
        return self._tried[1]

    def give(self, inputs: Mapping[str, float]) -> None:
        """Take in what the next step is to see."""
        if self._listens:
            self._reading.give(inputs)

    def take_back(self) -> None:
        """Forget what `give` took in last."""
        if self._listens:
            self._reading.take_back()

    def listen(self, on: bool) -> None:
        """Say whether the steps to come see what waits."""
        self._reading.listen(on)

    def commit(self, t: int) -> None:
        """Note that step `t` has been taken."""
        if self._tried is not None and (t - 1) // self._every == self.t:
            self._settle(*self._tried)
            self._tried = None

    # ------------------------------------------------------------------ places

    def place(self) -> tuple[Numbers, Numbers]:
        """Return the hyperparameters and the states from which the next step is computed."""
        layout = self.schedule.layout
        self._reading.read((self.t,) * layout.parts)
        hyper = self._reading.hyper.copy()
        if self._states is not None:
            return hyper, self._states.copy()
        return hyper, np.array([float(s.start(None, hyper)) for s in layout.states])

    def copy(self) -> ScheduleCursor:
        """Return a cursor at the same place that walks on its own."""
        new = ScheduleCursor(self.schedule)
        new.t, new._handed_out = self.t, self._handed_out
        new._states = None if self._states is None else self._states.copy()
        new._tried = self._tried
        new._recent = dict(self._recent)
        new._reading = self._reading.copy()
        return new

    def state_dict(self) -> dict[str, Any]:
        """Return the place as plain data."""
        states = np.zeros(0) if self._states is None else self._states.copy()
        return {
            "t": self.t,
            "states": states,
            "recent": {str(t): value for t, value in self._recent.items()},
            "reading": self._reading.state_dict(),
        }

    def moved_to(self, state: dict[str, Any]) -> ScheduleCursor:
        """Return a cursor of the same schedule at a stored place.

        Raises:
            CheckpointError: the place is not one of this schedule.
        """
        new = ScheduleCursor(self.schedule)
        states = np.asarray(state["states"], dtype=np.float64)
        new.t = int(state["t"])
        if states.shape != (len(self.schedule.layout.states) if new.t else 0,):
            raise CheckpointError(f"the stored place is not one of {self.schedule!r}")
        new._states = states.copy() if new.t else None
        new._recent = {int(t): float(value) for t, value in state["recent"].items()}
        new._reading = Reading.restored(self.schedule.settings, state["reading"])
        return new
