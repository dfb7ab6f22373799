"""Clocks on the card: steps that can be recorded in a graph, and replayed without the host.

The step count, the hyperparameters and the states of schedules lie on the card, a row a cohort.
Each launch that computes the numbers of a step moves the clock on: a replay takes the next step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from optdsl.codegen.support.cuda.launching import Timed
from optdsl.cuda.arrays import DeviceArray
from optdsl.cuda.device import Arguments
from optdsl.cuda.programs import Programs
from optdsl.cuda.queue import Queue
from optdsl.runtime.cohorts import Cohort, Cohorts
from optdsl.runtime.errors import StepError
from optdsl.runtime.inputs import inputs_of
from optdsl.runtime.layout import Guard, Layout, Scalars
from optdsl.runtime.schedule import Schedule

_THREADS = 32
_WIDE = np.dtype(np.float64)


def require_capturable(layout: Layout) -> None:
    """Refuse a rule whose steps depend on what only the host knows.

    Raises:
        StepError: it does, with the reason.
    """
    stages = layout.ready or ()
    reasons = {
        "asks for gradients itself": layout.ready is None,
        "reads the loss": bool(layout.losses),
        "has inputs that are handed in": bool(layout.inputs),
        "changes its rule at some steps": any(case.windows for case in layout.cases),
        "skips steps": any(isinstance(stage, Guard) for stage in stages),
    }
    for reason, holds in reasons.items():
        if holds:
            raise StepError(f"{layout.name} {reason}: it cannot be stepped with capturable=True")


class _Row:
    """What a kernel of kind "step" reads and writes: clocks, hyperparameters, states, numbers."""

    def __init__(self, queue: Queue, parts: int, hyper: Any, states: Any, numbers: int) -> None:
        self.queue = queue
        self.clocks = DeviceArray.new(queue, (parts,), np.dtype(np.int64))
        self.hyper = DeviceArray.new(queue, hyper.shape, _WIDE)
        self.states = DeviceArray.new(queue, states.shape, _WIDE)
        self.hyper[...], self.states[...] = hyper, states
        self.exactly = DeviceArray.new(queue, (numbers,), _WIDE)
        self.rounded = DeviceArray.new(queue, (numbers,), _WIDE)

        self._given: dict[int, Arguments] = {}

    def arguments(self, exactly: int, rounded: int) -> Arguments:
        """Return the arguments of a launch that writes its numbers to these addresses."""
        if exactly not in self._given:
            held = (array.address for array in (self.clocks, self.hyper, self.states))
            self._given = {exactly: Arguments([*held, exactly, rounded])}
        return self._given[exactly]


class _Scheduled:
    """A schedule on the card that gives a hyperparameter of a cohort."""

    def __init__(
        self, queue: Queue, schedule: Schedule, name: str, begun: int, real: str, target: int
    ) -> None:
        _require_on_card(schedule, name)
        layout = schedule.layout
        cursor = schedule.start()
        if begun > 0:
            cursor.at(begun)
        hyper, states = cursor.place()
        self.row = _Row(queue, layout.parts, hyper, states, layout.scalars)
        self.row.clocks[...] = np.full(layout.parts, begun, np.int64)
        self.stages = [stage.function for stage in layout.function if isinstance(stage, Scalars)]
        self.given = self.row.arguments(self.row.exactly.address, self.row.rounded.address)
        self.result = self.row.exactly.address + 8 * schedule.result
        self.target = target
        self.real = real

    def launch(self, programs: Programs, queue: Queue) -> None:
        """Compute the value of the next step, and put it where the rule reads it."""
        for stage in self.stages:
            assert isinstance(stage, Timed)
            function = programs.function(stage.kernel, (self.real,))
            queue.launch(function, 1, _THREADS, self.given)
        queue.copy(self.target, self.result, 8)


def _require_on_card(schedule: Schedule, name: str) -> None:
    """Refuse a schedule that a card cannot walk along by itself."""
    layout = schedule.layout
    stages = [stage.function for stage in layout.function if isinstance(stage, Scalars)]
    if not all(isinstance(stage, Timed) for stage in stages):
        raise StepError(
            f"`{name}` is {schedule!r}, which runs on the host: with capturable=True load it for "
            f'the card, as in optdsl.load("{layout.name}", target="cuda")'
        )
    plain = all(isinstance(source, float) for source in schedule.settings.sources)
    if inputs_of(schedule) or schedule.per_epoch != 1 or not plain:
        raise StepError(
            f"`{name}` is {schedule!r}: with capturable=True a schedule has numbers for "
            "hyperparameters, no inputs, and counts steps"
        )


class Clocks:
    """Clocks, hyperparameters and states of schedules of all cohorts, on the card."""

    def __init__(self, layout: Layout, queue: Queue, programs: Programs, real: str) -> None:
        self._layout = layout
        self._queue = queue
        self._programs = programs
        self._real = real
        self._version = -1
        self._rows: dict[int, _Row] = {}
        self._pushed: dict[int, bytes] = {}
        self._scheduled: dict[int, list[_Scheduled]] = {}
        self._sources: dict[int, tuple[Any, ...]] = {}

    def begin(self, cohorts: Cohorts) -> None:
        """Put what the host knows on the card, before the first step; then see that it holds.

        Raises:
            StepError: other tensors take part than in the step before.
        """
        if self._version == cohorts.version:
            return
        if self._version >= 0:
            raise StepError(
                "other parameters have gradients than in the step before: with capturable=True "
                "the same take part in every step"
            )
        for cohort in cohorts.items:
            self._start(cohort)
        self._version = cohorts.version

    def _start(self, cohort: Cohort) -> None:
        reading = cohort.reading
        row = _Row(self._queue, self._layout.parts, reading.hyper, cohort.step_state, 0)
        row.clocks[...] = np.array(cohort.clocks, np.int64)
        self._rows[cohort.row] = row
        self._scheduled[cohort.row] = list(self._schedules(cohort, row))
        self._sources[cohort.row] = tuple(reading.settings.sources)
        self._pushed[cohort.row] = self._plain(cohort)

    def _schedules(self, cohort: Cohort, row: _Row) -> Iterator[_Scheduled]:
        """Yield what gives the hyperparameters of a cohort that are no plain numbers."""
        for index, source in enumerate(cohort.reading.settings.sources):
            slot = self._layout.hyperparameters[index]
            if isinstance(source, float) or (source is None and slot.default is None):
                continue
            if not isinstance(source, Schedule):
                what = "given by the spec" if source is None else "a function of the step"
                raise StepError(
                    f"`{slot.name}` is {what}, which the host computes: with capturable=True give "
                    "a number, or a schedule that was loaded for the card"
                )
            if slot.ahead:
                raise StepError(
                    f"`{slot.name}` is read one step ahead: with capturable=True give a number"
                )
            begun = cohort.clocks[slot.part] - slot.begins
            place = row.hyper.address + 8 * index
            yield _Scheduled(self._queue, source, slot.name, begun, self._real, place)

    def launch(self, stage: Timed, part: int, cohort: Cohort, exactly: int, rounded: int) -> None:
        """Compute the numbers of one part of a step of a cohort, and move its clock on."""
        row = self._rows[cohort.row]
        if part == 0:
            self._give(cohort, row)
            for each in self._scheduled[cohort.row]:
                each.launch(self._programs, self._queue)
        function = self._programs.function(stage.kernel, (self._real,))
        self._queue.launch(function, 1, _THREADS, row.arguments(exactly, rounded))

    def _give(self, cohort: Cohort, row: _Row) -> None:
        """Give the card numbers that were assigned since the last step."""
        reading = cohort.reading
        if self._sources[cohort.row] != tuple(reading.settings.sources):
            self._scheduled[cohort.row] = list(self._schedules(cohort, row))
            self._sources[cohort.row] = tuple(reading.settings.sources)
        plain = self._plain(cohort)
        if plain != self._pushed[cohort.row]:
            row.hyper[...] = reading.hyper
            self._pushed[cohort.row] = plain

    def _plain(self, cohort: Cohort) -> bytes:
        """Return the hyperparameters that are numbers, for comparison."""
        values = cohort.reading.hyper.copy()
        for index, source in enumerate(cohort.reading.settings.sources):
            if isinstance(source, Schedule):
                values[index] = 0.0
        return values.tobytes()

    def pull(self, cohorts: Cohorts) -> None:
        """Let the host know how far the card has come; this waits for it."""
        for cohort in cohorts.items:
            row = self._rows.get(cohort.row)
            if row is not None:
                cohort.clocks[:] = (int(clock) for clock in row.clocks.copy_to_host())
                cohort.step_state[:] = row.states.copy_to_host()
