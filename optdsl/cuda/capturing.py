"""Clocks on the card: of steps that are replayed without the host, or that the card may skip.

The step count, the hyperparameters and the states of schedules lie on the card, a row a cohort.
Each launch that computes the numbers of a step moves the clock on: a replay takes the next step,
and one that is skipped by what the card finds in the gradients leaves the clock as it is.
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
from optdsl.runtime.layout import Guard, Layout, Scalars, Stage
from optdsl.runtime.schedule import Schedule

_THREADS = 32
_WHERE_SKIPPED = "where the card decides which steps are taken,"
_WIDE = np.dtype(np.float64)


def require_capturable(layout: Layout) -> None:
    """Refuse a rule whose steps depend on what only the host knows.

    Raises:
        StepError: it does, with the reason.
    """
    reasons = {
        "asks for gradients itself": layout.ready is None,
        "reads the loss": bool(layout.losses),
        "has inputs that are handed in": bool(layout.inputs),
        "changes its rule at some steps": _changes(layout),
    }
    for reason, holds in reasons.items():
        if holds:
            raise StepError(f"{layout.name} {reason}: it cannot be stepped with capturable=True")


def require_skippable(layout: Layout) -> None:
    """Refuse a rule that skips steps by what only the card knows, where that is not possible.

    Raises:
        StepError: it does, with the reason.
    """
    known = min(known_parts(layout))
    if known == layout.parts:
        return
    reasons = {
        "skips some tensors of a step and not others": any(
            guard.kind == "tensor" for guard in _guards(layout)
        ),
        "has inputs that are handed in behind that": any(
            slot.part >= known for slot in layout.inputs
        ),
        "changes its rule at some steps": _changes(layout),
    }
    for reason, holds in reasons.items():
        if holds:
            raise StepError(
                f"{layout.name} skips steps by what it finds in the gradients, which only the "
                f"card knows, and {reason}: that cannot be done on a card"
            )


def known_parts(layout: Layout, capturable: bool = False) -> tuple[int, ...]:
    """Return for each case how many parts, from the first on, have steps that the host counts."""
    cases = range(max(1, len(layout.cases)))
    decided = [
        [guard.part for guard in _guards(layout) if guard.kind != "step" and guard.case == case]
        for case in cases
    ]
    return tuple(0 if capturable else min(parts, default=layout.parts - 1) + 1 for parts in decided)


def skips_on_card(layout: Layout, capturable: bool = False) -> bool:
    """Does the card decide whether a step is skipped?"""
    known = known_parts(layout, capturable)
    guards = _guards(layout)
    return any(guard.part >= known[guard.case] or guard.kind != "step" for guard in guards)


def _guards(layout: Layout) -> list[Guard]:
    return [stage for stage in _stages(layout) if isinstance(stage, Guard)]


def _stages(layout: Layout) -> tuple[Stage, ...]:
    return (*(layout.ready or ()), *layout.function)


def _changes(layout: Layout) -> bool:
    return any(case.windows for case in layout.cases)


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

        self._given: dict[tuple[int, int], Arguments] = {}

    def arguments(self, exactly: int, rounded: int, everything: int = 0) -> Arguments:
        """Return the arguments of a launch that writes its numbers to these addresses."""
        key = exactly, everything
        if key not in self._given:
            held = (array.address for array in (self.clocks, self.hyper, self.states))
            self._given = {key: Arguments([*held, exactly, rounded, everything])}
        return self._given[key]

    def copied(self) -> _Row:
        """Return a row that goes on from where this one is."""
        made = _Row.__new__(_Row)
        made.queue, made._given = self.queue, {}
        for name in ("clocks", "hyper", "states", "exactly", "rounded"):
            setattr(made, name, getattr(self, name).copy())
        return made


class _Scheduled:
    """A schedule on the card that gives a hyperparameter of a cohort.

    Where the card decides whether a step is taken, `clock` is where the steps are counted.
    """

    def __init__(
        self, queue: Queue, schedule: Schedule, name: str, begun: int, real: str, target: int,
        clock: int | None,
    ) -> None:  # fmt: skip
        _require_on_card(schedule, name)
        layout = schedule.layout
        if clock is not None and (layout.states or layout.parts > 1):
            raise StepError(
                f"`{name}` is {schedule!r}, which remembers earlier steps: where the card decides "
                "which steps are taken, give a number or a schedule that is a formula of the step"
            )
        self.clock = clock
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
        if self.clock is not None:
            queue.copy(self.row.clocks.address, self.clock, self.row.clocks.nbytes)
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
    """Clocks, hyperparameters and states of schedules of all cohorts, on the card.

    The host counts the steps of some parts by itself. Where steps may be recorded it counts none,
    and the same tensors take part in all of them.
    """

    def __init__(
        self, layout: Layout, queue: Queue, programs: Programs, real: str, capturable: bool
    ) -> None:
        self._layout = layout
        self._queue = queue
        self._programs = programs
        self._real = real
        self._capturable = capturable
        self._known = known_parts(layout, capturable)
        counted = sorted(
            ((s.case, s.part) for s in _stages(layout) if isinstance(s, Scalars)), reverse=True
        )
        self._counted = set(counted)
        self._first = {case: part for case, part in counted if part >= self._known[case]}
        self._skips = min((guard.part for guard in _guards(layout)), default=layout.parts)
        self._version = -1
        self._rows: dict[int, _Row] = {}
        self._pushed: dict[int, bytes] = {}
        self._scheduled: dict[int, list[_Scheduled]] = {}
        self._sources: dict[int, tuple[Any, ...]] = {}

    def begin(self, cohorts: Cohorts) -> None:
        """Put what the host knows on the card, before the first step; then see that it holds.

        Raises:
            StepError: other tensors take part than in the step before, where it is recorded.
        """
        if self._version == cohorts.version:
            return
        if self._version >= 0 and self._capturable:
            raise StepError(
                "other parameters have gradients than in the step before: with capturable=True "
                "the same take part in every step"
            )
        for cohort in cohorts.items:
            if cohort.row not in self._rows:
                self._start(cohort)
        self._version = cohorts.version

    def _start(self, cohort: Cohort) -> None:
        reading, origin = cohort.reading, self._rows.get(cohort.origin)
        if origin is not None:
            row = origin.copied()
        else:
            row = _Row(self._queue, self._layout.parts, reading.hyper, cohort.step_state, 0)
            row.clocks[...] = np.array(cohort.clocks, np.int64)
        self._rows[cohort.row] = row
        self._scheduled[cohort.row] = list(self._schedules(cohort, row))
        self._sources[cohort.row] = tuple(reading.settings.sources)
        self._pushed[cohort.row] = b"" if origin is not None else self._plain(cohort)

    def _schedules(self, cohort: Cohort, row: _Row) -> Iterator[_Scheduled]:
        """Yield what gives the hyperparameters of a cohort that the host does not know."""
        for index, source in enumerate(cohort.reading.settings.sources):
            slot = self._layout.hyperparameters[index]
            plain = isinstance(source, float) or (source is None and slot.default is None)
            if plain or slot.part < self._known[cohort.case]:
                continue
            why = "with capturable=True" if self._capturable else _WHERE_SKIPPED
            if not isinstance(source, Schedule):
                what = "given by the spec" if source is None else "a function of the step"
                raise StepError(
                    f"`{slot.name}` is {what}, which the host computes: {why} give "
                    "a number, or a schedule that was loaded for the card"
                )
            if slot.ahead:
                raise StepError(f"`{slot.name}` is read one step ahead: {why} give a number")
            begun = cohort.clocks[slot.part] - slot.begins
            skips = self._skips < slot.part
            clock = row.clocks.address + 8 * slot.part if skips else None
            place = row.hyper.address + 8 * index
            yield _Scheduled(self._queue, source, slot.name, begun, self._real, place, clock)

    def launch(
        self, stage: Timed, part: int, cohort: Cohort, exactly: int, rounded: int, everything: int
    ) -> None:
        """Compute the numbers of one part of a step of a cohort, and move its clock on."""
        row = self._rows[cohort.row]
        if part == self._first[cohort.case]:
            self._give(cohort, row)
            for each in self._scheduled[cohort.row]:
                each.launch(self._programs, self._queue)
        function = self._programs.function(stage.kernel, (self._real,))
        given = row.arguments(exactly, rounded, everything)
        self._queue.launch(function, 1, _THREADS, given)

    def _give(self, cohort: Cohort, row: _Row) -> None:
        """Give the card numbers that are others than in the last step."""
        reading = cohort.reading
        if self._sources[cohort.row] != tuple(reading.settings.sources):
            self._scheduled[cohort.row] = list(self._schedules(cohort, row))
            self._sources[cohort.row] = tuple(reading.settings.sources)
        plain = self._plain(cohort)
        if plain != self._pushed[cohort.row]:
            row.hyper[...] = reading.hyper
            self._pushed[cohort.row] = plain

    def _plain(self, cohort: Cohort) -> bytes:
        """Return the hyperparameters that the host knows, for comparison."""
        values = cohort.reading.hyper.copy()
        for index, source in enumerate(cohort.reading.settings.sources):
            slot = self._layout.hyperparameters[index]
            if isinstance(source, Schedule) and slot.part >= self._known[cohort.case]:
                values[index] = 0.0
        return values.tobytes()

    @property
    def arrays(self) -> list[DeviceArray]:
        """What a step moves on."""
        return [array for row in self._rows.values() for array in (row.clocks, row.states)]

    def pull(self, cohorts: Cohorts) -> None:
        """Let the host know how far the card has come; this waits for it."""
        for cohort in cohorts.items:
            row = self._rows.get(cohort.row)
            if row is not None:
                for part, clock in enumerate(row.clocks.copy_to_host()):
                    here = part < self._known[cohort.case]
                    if not here and (cohort.case, part) in self._counted:
                        cohort.clocks[part] = int(clock)
                self._pull_states(cohort, row)

    def _pull_states(self, cohort: Cohort, row: _Row) -> None:
        kept = [slot for slot in self._layout.states if slot.kind == "step"]
        for column, (slot, value) in enumerate(zip(kept, row.states.copy_to_host(), strict=True)):
            if slot.part >= self._known[cohort.case]:
                cohort.step_state[column] = value
