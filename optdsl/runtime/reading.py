"""What the hyperparameters are at a step: settings, read along clocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optdsl.runtime.errors import CheckpointError
from optdsl.runtime.feeds import FeedWalk, idle
from optdsl.runtime.hyperparameters import Settings
from optdsl.runtime.inputs import Inbox, Listening, inputs_of
from optdsl.runtime.layout import Feed, HyperparameterSlot, Numbers
from optdsl.runtime.values import Cursor, Scheduled, checked_number


class Reading:
    """The hyperparameters as some tensors see them: one array, filled anew where a step needs it.

    A value that a step has read ahead is a promise: the next step uses it, whatever
    has been assigned meanwhile, because the gradient was asked for at a point made with it.
    """

    def __init__(self, settings: Settings) -> None:
        slots = settings.names.slots
        self.settings = settings
        self.slots = slots
        self.ahead = tuple(i for i, slot in enumerate(slots) if slot.ahead)
        width = len(slots) + len(self.ahead)
        self.inbox = Inbox(settings.names.owner, settings.names.inputs, width)
        self.hyper: Numbers = np.zeros(width + 2 * len(self.inbox.slots))
        self.case = 0
        self.attentive = True  # is there something to do when a step has been taken?
        self.promised: dict[int, tuple[int, float]] = {}
        self._cursors: dict[int, tuple[Scheduled, Cursor]] = {}
        self._walks = {
            i: FeedWalk(slot.default)
            for i, slot in enumerate(slots)
            if isinstance(slot.default, Feed)
        }
        self._generation = -1
        self._dynamic: tuple[int, ...] = ()
        self._formulas: tuple[int, ...] = ()
        self._plain = False

    def read(self, clocks: Sequence[int]) -> None:
        """Fill `hyper` for the step after those that `clocks` counts, one clock a part.

        Raises:
            HyperparameterError: a schedule or function leaves the domain at this step.
        """
        if self._generation != self.settings.generation:
            self._refresh()
        if not self._plain:
            self._read_moving(clocks)

    def _refresh(self) -> None:
        dynamic, formulas = [], []
        unread = idle(self.slots, self.settings.sources)
        for index, source in enumerate(self.settings.sources):
            if index in unread or not self._is_read(index):
                continue
            if source is None:
                formulas.append(index)
            elif isinstance(source, float):
                self.hyper[index] = source
            else:
                dynamic.append(index)
        self._dynamic, self._formulas = tuple(dynamic), tuple(formulas)
        self._plain = not (dynamic or formulas or self.ahead or self.inbox.slots)
        kept = {i: pair for i, pair in self._cursors.items() if i in dynamic}
        self._cursors = {i: p for i, p in kept.items() if p[0] is self.settings.sources[i]}
        self._generation = self.settings.generation
        walking = any(index in self._walks for index in formulas)
        self.attentive = bool(self.ahead or self.inbox.slots or walking or self._listening())

    def enter(self, case: int) -> None:
        """Read from now on what a step of this case needs."""
        if case != self.case:
            self.case = self.inbox.case = case
            self._generation = -1

    def _is_read(self, index: int) -> bool:
        """Does the case read this hyperparameter?"""
        cases = self.slots[index].cases
        return not cases or self.case in cases

    def _read_moving(self, clocks: Sequence[int]) -> None:
        hyper, slots, sources = self.hyper, self.slots, self.settings.sources
        if self.inbox.slots:
            self.inbox.fill(hyper)
        for index in self._dynamic:
            slot = slots[index]
            hyper[index] = self._value(index, slot, clocks[slot.part] + 1)
        for index in self.ahead:
            source = sources[index]
            if isinstance(source, float):
                hyper[index] = source
        self._keep_promises(clocks)
        self._fill_formulas(hyper, clocks, 1)
        self._keep_promises(clocks)
        if self.ahead:
            self._look_ahead(clocks)

    def _keep_promises(self, clocks: Sequence[int]) -> None:
        for index, (t, value) in self.promised.items():
            if clocks[self.slots[index].part] + 1 == t:
                self.hyper[index] = value

    def _look_ahead(self, clocks: Sequence[int]) -> None:
        sources = self.settings.sources
        later = self.hyper.copy()
        needed = self._dynamic if self._formulas else self.ahead
        for index in (*needed, *self.ahead):
            source = sources[index]
            if isinstance(source, float):
                later[index] = source
            elif source is not None and self._is_read(index):
                slot = self.slots[index]
                later[index] = self._value(index, slot, clocks[slot.part] + 2)
        self._fill_formulas(later, clocks, 2)
        count = len(self.slots)
        for place, index in enumerate(self.ahead):
            self.hyper[count + place] = later[index]

    def _fill_formulas(self, hyper: Numbers, clocks: Sequence[int], offset: int) -> None:
        # A formula may read another that stands behind it: as many rounds as there are formulas.
        for _ in self._formulas:
            before = hyper.copy()
            for index in self._formulas:
                clock = clocks[self.slots[index].part]
                hyper[index] = self._by_default(index, clock, offset, hyper)
            if np.array_equal(before, hyper, equal_nan=True):
                break
        for index in self._formulas:
            slot = self.slots[index]
            t = clocks[slot.part] + offset - slot.begins
            fed = isinstance(slot.default, Feed)
            origin = f"its schedule {slot.default!r}" if fed else "its default formula"
            checked_number(slot, float(hyper[index]), f" by {origin} at step {t}")

    def _by_default(self, index: int, clock: int, offset: int, hyper: Numbers) -> float:
        """Return what the formula or the schedule of the spec gives, `offset` steps on."""
        slot, walk = self.slots[index], self._walks.get(index)
        if walk is None:
            assert callable(slot.default)
            return slot.default(float(clock + offset - slot.begins), hyper)
        self.inbox.require(walk.feed.needs)
        if offset == 1:
            return walk.value(clock + 1, hyper)
        return walk.next_value(clock + offset, hyper)

    def _value(self, index: int, slot: HyperparameterSlot, t: int) -> float:
        source = self.settings.sources[index]
        t -= slot.begins
        try:
            if isinstance(source, Scheduled):
                value: Any = self._cursor(index, source).at(t)
            else:
                assert callable(source)
                value = source(t)
        except Exception as error:
            error.add_note(f"while hyperparameter `{slot.name}` was read at step {t}")
            raise
        return checked_number(slot, value, f" at step {t}")

    def _cursor(self, index: int, source: Scheduled) -> Cursor:
        pair = self._cursors.get(index)
        if pair is None or pair[0] is not source:
            pair = self._cursors[index] = (source, source.start())
        return pair[1]

    def commit(self, part: int, clock: int) -> None:
        """Note that the step with number `clock` of `part` has been taken."""
        count = len(self.slots)
        for place, index in enumerate(self.ahead):
            if self.slots[index].part == part:
                self.promised[index] = (clock + 1, float(self.hyper[count + place]))
        for index in self._formulas:
            if index in self._walks and self.slots[index].part == part:
                self._walks[index].commit()
        self.inbox.commit(part)
        for index, cursor in self._listening():
            if self.slots[index].part == part:
                cursor.commit(clock - self.slots[index].begins)

    # ----------------------------------------------------------------- inputs

    def _listening(self) -> list[tuple[int, Listening]]:
        """Return the walks along schedules with inputs."""
        found: list[tuple[int, Listening]] = []
        for index in self._dynamic:
            source = self.settings.sources[index]
            if isinstance(source, Scheduled) and inputs_of(source):
                cursor = self._cursor(index, source)
                if isinstance(cursor, Listening):
                    found.append((index, cursor))
        return found

    def input_names(self) -> list[str]:
        """Return the names of all that can be handed in."""
        names = [slot.known_as for slot in self.inbox.slots]
        return names + [n for s in self.settings.sources for n in inputs_of(s)]

    def give(self, inputs: Mapping[str, float]) -> None:
        """Let what is handed in wait for the next step."""
        if self._generation != self.settings.generation:
            self._refresh()
        self.inbox.give(inputs)
        for _, cursor in self._listening():
            cursor.give(inputs)

    def take_back(self) -> None:
        """Forget what was given last."""
        self.inbox.take_back()
        for _, cursor in self._listening():
            cursor.take_back()

    def listen(self, on: bool) -> None:
        """Say whether the steps to come see what waits."""
        self.inbox.deaf = not on
        for _, cursor in self._listening():
            cursor.listen(on)

    # ------------------------------------------------------------------ places

    def announced(self) -> Numbers:
        """Return the last row read, with the values promised for the step to come."""
        if self._generation != self.settings.generation:
            self._refresh()
        row = self.hyper.copy()
        for index, (_, value) in self.promised.items():
            row[index] = value
        return row

    def copy(self) -> Reading:
        """Return a reading at the same place that goes on by itself."""
        new = Reading(self.settings)
        new.enter(self.case)
        new.promised = dict(self.promised)
        new.inbox = self.inbox.copy()
        new._cursors = {i: (s, cursor.copy()) for i, (s, cursor) in self._cursors.items()}
        new._walks = {index: walk.copy() for index, walk in self._walks.items()}
        if self._generation == self.settings.generation:
            new._refresh()
            new.hyper[:] = self.hyper
        return new

    def state_dict(self) -> dict[str, Any]:
        """Return promises and the places in schedules as plain data."""
        return {
            "promised": {
                self.slots[i].name: {"t": t, "value": value}
                for i, (t, value) in self.promised.items()
            },
            "schedules": {
                self.slots[i].name: cursor.state_dict() for i, (_, cursor) in self._cursors.items()
            },
            **({"inputs": self.inbox.state_dict()} if self.inbox.slots else {}),
            **({"feeds": self._places()} if self._walks else {}),
        }

    def _places(self) -> dict[str, Any]:
        return {self.slots[index].name: walk.state_dict() for index, walk in self._walks.items()}

    @classmethod
    def restored(cls, settings: Settings, state: dict[str, Any]) -> Reading:
        """Return a reading of `settings` at a stored place.

        Raises:
            CheckpointError: the place is not one of these settings.
        """
        new = cls(settings)
        index_of = {slot.name: i for i, slot in enumerate(new.slots)}
        for name, promise in state["promised"].items():
            new.promised[index_of[name]] = (int(promise["t"]), float(promise["value"]))
        for name, place in state["schedules"].items():
            source = settings.sources[index_of[name]]
            if not isinstance(source, Scheduled):
                raise CheckpointError(f"the stored state has a schedule for `{name}`")
            new._cursors[index_of[name]] = (source, source.start().moved_to(place))
        if new.inbox.slots:
            new.inbox.load(state["inputs"])
        for index, walk in new._walks.items():
            walk.moved_to(state["feeds"][new.slots[index].name])
        return new
