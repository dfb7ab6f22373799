"""Schedules: a number for each step, used as a hyperparameter or by themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from optdsl.runtime.errors import CheckpointError, StepError
from optdsl.runtime.hyperparameters import Names, Settings
from optdsl.runtime.layout import Layout, Numbers, Scalars
from optdsl.runtime.reading import Reading


class Schedule:
    """A recipe for a number at each step; it never changes.

    >>> import optdsl
    >>> WarmRestarts = optdsl.load("WarmRestarts")
    >>> WarmRestarts(eta_max=1, T_0=2, T_mult=2).values(6).round(3)
    array([1.   , 0.5  , 1.   , 0.854, 0.5  , 0.146])

    Hyperparameters may be numbers, schedules or functions of the step, here too.
    Subclasses are made by `from_layout`.

    Raises:
        HyperparameterError: a name or a value that this schedule does not take.
    """

    layout: ClassVar[Layout]
    names: ClassVar[Names]
    __signature__: ClassVar[inspect.Signature]

    def __init__(self, /, **hyperparameters: Any) -> None:
        self._settings = Settings.of(self.names, hyperparameters)

    def __getitem__(self, name: str) -> Any:
        """Return what was given for the hyperparameter called `name`."""
        return self._settings[name]

    def start(self) -> ScheduleCursor:
        """Return a cursor that stands before the first step."""
        return ScheduleCursor(self)

    def __iter__(self) -> Iterator[float]:
        """Yield the value of each step, without end."""
        return self.start()

    def values(self, n: int) -> Numbers:
        """Return the values of the first `n` steps.

        Raises:
            StepError: `n` is negative.
        """
        if n < 0:
            raise StepError(f"a schedule has no first {n} values: give a number from 0 on")
        cursor = self.start()
        return np.array([cursor.at(t) for t in range(1, n + 1)], dtype=np.float64)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self._settings.sources == other._settings.sources)

    def __hash__(self) -> int:
        return hash((type(self), tuple(self._settings.sources)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.text()})"

    @property
    def settings(self) -> Settings:
        """What stands in each slot."""
        return self._settings

    def with_sources(self, sources: list[Any]) -> Schedule:
        """Return the same schedule with other hyperparameters, one a slot."""
        new = object.__new__(type(self))
        new._settings = Settings(self.names, sources)
        return new


class ScheduleCursor:
    """A place on a schedule. `next(cursor)` gives the value of the next step."""

    def __init__(self, schedule: Schedule) -> None:
        layout = schedule.layout
        self.schedule = schedule
        self.t = 0  # the last step computed
        self._handed_out = 0
        self._reading = Reading(schedule.settings)
        self._states: Numbers | None = None
        self._scalars: Numbers = np.zeros(layout.scalars)
        self._recent: dict[int, float] = {}

    def __iter__(self) -> Iterator[float]:
        return self

    def __next__(self) -> float:
        self._handed_out += 1
        return self.at(self._handed_out)

    next = __next__

    def at(self, t: int) -> float:
        """Return the value at step `t`, counted from 1."""
        value = self._recent.get(t)
        if value is not None:
            return value
        if t < 1:
            raise StepError(f"a schedule has no value at step {t}: steps count from 1")
        if t <= self.t:
            self.t, self._states = 0, None
        if not self.schedule.layout.states:
            self.t = t - 1
        while self.t < t:
            self._advance()
        return self._recent[t]

    def _advance(self) -> None:
        layout = self.schedule.layout
        clocks = (self.t,) * layout.parts
        self._reading.read(clocks)
        hyper = self._reading.hyper
        if self._states is None:
            self._states = np.array([float(s.start(None, hyper)) for s in layout.states])
        for stage in layout.function:
            if isinstance(stage, Scalars):
                stage.function(float(self.t + 1), hyper, self._states, self._scalars)
        self.t += 1
        for part in range(layout.parts):
            self._reading.commit(part, self.t)
        assert layout.result is not None
        # Two values suffice: the step being taken and the one it looks ahead to.
        kept = {self.t - 1: self._recent[self.t - 1]} if self.t - 1 in self._recent else {}
        self._recent = {**kept, self.t: float(self._scalars[layout.result])}

    def copy(self) -> ScheduleCursor:
        """Return a cursor at the same place that walks on its own."""
        new = ScheduleCursor(self.schedule)
        new.t, new._handed_out = self.t, self._handed_out
        new._states = None if self._states is None else self._states.copy()
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
