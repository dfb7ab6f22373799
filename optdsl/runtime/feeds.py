"""Schedules of a spec that give hyperparameters: walked along where a user gives nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from optdsl.runtime.errors import CheckpointError
from optdsl.runtime.layout import Feed, HyperparameterSlot, Numbers


def idle(slots: Sequence[HyperparameterSlot], sources: Sequence[object]) -> set[int]:
    """Return the slots that nothing reads, because a user gave what their schedule would give."""
    place = {slot.name: index for index, slot in enumerate(slots)}
    found: set[int] = set()
    pending = [i for i, source in enumerate(sources) if source is not None]
    while pending:
        default = slots[pending.pop()].default
        if isinstance(default, Feed):
            new = {place[name] for name in default.own} - found
            found |= new
            pending += new
    return found


class FeedWalk:
    """A place on the schedule of a `Feed`. It goes on when a step is committed.

    Until then the step is tried anew whenever it is asked for.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.states: Numbers | None = None  # None before the first step
        self._tried: Numbers | None = None

    def value(self, t: int, hyper: Numbers) -> float:
        """Return what it gives in step `t`, the one after those committed."""
        if self.states is None:
            tried = np.array([float(start(None, hyper)) for start in self.feed.starts])
        else:
            tried = self.states.copy()
        self._tried = tried
        return float(self.feed.function(float(t), hyper, tried))

    def next_value(self, t: int, hyper: Numbers) -> float:
        """Return what it gives in step `t`, the one after the step tried last."""
        assert self._tried is not None
        return float(self.feed.function(float(t), hyper, self._tried.copy()))

    def commit(self) -> None:
        """Note that the step tried last has been taken."""
        if self._tried is not None:
            self.states, self._tried = self._tried, None

    def copy(self) -> FeedWalk:
        """Return a walk at the same place that goes on by itself."""
        return FeedWalk(self.feed).at(self.states)

    def at(self, states: Numbers | None) -> FeedWalk:
        """Return this walk, put where its states are these."""
        self.states = None if states is None else states.copy()
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return the place as plain data."""
        states = np.zeros(0) if self.states is None else self.states.copy()
        return {"begun": self.states is not None, "states": states}

    def moved_to(self, stored: dict[str, Any]) -> FeedWalk:
        """Return this walk, put at a stored place.

        Raises:
            CheckpointError: the place is not one of this schedule.
        """
        states = np.asarray(stored["states"], dtype=np.float64)
        count = len(self.feed.states) if stored["begun"] else 0
        if states.shape != (count,):
            raise CheckpointError(f"the stored place is not one of {self.feed.text}")
        return self.at(states if stored["begun"] else None)
