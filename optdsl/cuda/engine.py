"""The engine under optimizers on a card: it puts the stages of a layout on a stream.

Nothing here waits for the card. Numbers of a step that the host computes are copied to the card
before the first launch that reads them, and so are addresses that have changed; all that is
made of entries stays there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optdsl.codegen.support.cuda.gathering import gathered
from optdsl.codegen.support.cuda.launching import Finish, InTurn, Launch, Timed
from optdsl.codegen.support.cuda.tables import Cut, Entries
from optdsl.codegen.support.cuda.words import THREADS, TURNS
from optdsl.cuda.arrays import DeviceArray
from optdsl.cuda.capturing import Clocks, known_parts
from optdsl.cuda.device import Arguments, Memory
from optdsl.cuda.programs import Programs
from optdsl.cuda.queue import Queue
from optdsl.cuda.tables import BlockTable, JointTable
from optdsl.cuda.tensors import DeviceTensors
from optdsl.runtime.cohorts import Cohort, Cohorts
from optdsl.runtime.engine import Engine, Selection
from optdsl.runtime.errors import StepError
from optdsl.runtime.layout import Guard, Layout, Scalars
from optdsl.runtime.plan import CommonWork, Plan, Work
from optdsl.runtime.tensors import Tensors


class DeviceEngine(Engine):
    """Tensors, cohorts and tables of one rule on a card."""

    tensors: DeviceTensors

    def __init__(self, layout: Layout, capturable: bool = False) -> None:
        super().__init__(layout)
        self.tensors = DeviceTensors(layout)
        self.capturable = capturable
        self._known = known_parts(layout, capturable)
        self._clocks: Clocks | None = None
        self._looking = False
        self.programs: Programs | None = None
        self._cohort: Memory | None = None
        self._cohort_version = -1
        self._scalars: Memory | None = None
        self._pushed_scalars = b""
        self._generation = 0  # how often memory that all launches read has been replaced

    def run_on(self, queue: Queue, approximate: bool) -> None:
        """Let all that comes be put on this queue, with roots and divisions of this kind."""
        self.tensors.queue = queue
        self.programs = Programs(queue.device, approximate)

    @property
    def has_stepped(self) -> bool:
        """Has it taken a step, so that all that a step needs is there?"""
        return self._scalars is not None

    # -------------------------------------------------------------------- tables

    def _table(self, work: Work, plan: Plan, live: Selection) -> tuple[Any, Any]:
        cut, reductions = _cut(work), _reductions(work)
        key = (work.streams, (cut, reductions))
        entry = live.tables.get(key)
        moving = [i for i, name in enumerate(work.streams) if name in plan.gradients]
        if entry is None:
            streams: Any = self.tensors.gather(work.streams, live.identities)
            formats = self._formats(work)
            moves = bool(moving)
            table = BlockTable(
                self.tensors.on, streams, live.identities, cut, formats, reductions, moves
            )
            live.tables[key] = (self.moving if moves else -1, table)
            return table, None
        moved, table = entry
        if moved >= 0 and moved != self.moving:
            self._move(table, work, moving, live)
            live.tables[key] = (self.moving, table)
        return table, None

    def _move(self, table: BlockTable, work: Work, moving: list[int], live: Selection) -> None:
        names = [work.streams[column] for column in moving]
        streams: Any = self.tensors.gather(names, live.identities)
        changed = [table.move(c, arrays) for c, arrays in zip(moving, streams, strict=True)]
        table.push(any(changed))

    def _formats(self, work: Work) -> tuple[str, ...]:
        """Return the formats of the streams of a pass: the same for all tensors."""
        found = []
        for name in work.streams:
            array = next(each for each in self.tensors.stream(name) if each is not None)
            found.append(array.dtype.name)
        return tuple(found)

    # ------------------------------------------------------------------- numbers

    def _push_numbers(self) -> None:
        """Give the card the numbers of the host that it does not have yet."""
        self.tensors.push()
        cohorts, queue = self.cohorts, self.tensors.on
        if self._cohort is None or self._cohort_version != cohorts.version:
            self._cohort = queue.uploaded(cohorts.of_tensor)
            self._cohort_version = cohorts.version
            self._generation += 1
        self._make_room()
        scalars = cohorts.scalars.tobytes()
        if scalars == self._pushed_scalars or (self.capturable and not self._looking):
            return
        rounded = cohorts.scalars.astype(self._real).tobytes()
        queue.upload(self._exactly, np.frombuffer(scalars + rounded, np.uint8))
        self._pushed_scalars = scalars

    def _make_room(self) -> None:
        """See that there is memory for the numbers of all cohorts."""
        scalars = self.cohorts.scalars
        size = scalars.nbytes + scalars.size * np.dtype(self._real).itemsize
        if self._scalars is None or self._scalars.size != size:
            self._scalars = self.tensors.on.allocate(size)
            self._pushed_scalars = b""
            self._generation += 1

    @property
    def _real(self) -> type[np.float32 | np.float64]:
        """The type that entries are computed in."""
        return np.float64 if self.tensors.working == np.float64 else np.float32

    def _count(self, step: Scalars, live: Selection) -> None:
        """Compute the numbers of a step for each cohort: on the card, if only that can count it."""
        if step.part < self._known[step.case] or self._looking:
            super()._count(step, live)
            return
        function: Any = step.function
        assert isinstance(function, Timed)
        self.tensors.push()
        self._make_room()
        clocks = self._clocks
        if clocks is None:
            assert self.programs is not None
            real = self._real.__name__
            clocks = self._clocks = Clocks(
                self.layout, self.tensors.on, self.programs, real, self.capturable
            )
        clocks.begin(self.cohorts)
        width = self.cohorts.scalars.shape[1]
        for cohort in live.cohorts:
            place = width * cohort.row
            exactly = self._exactly + 8 * place
            rounded = self._rounded + np.dtype(self._real).itemsize * place
            everything = self.tensors.numbers.address
            clocks.launch(function, step.part, cohort, exactly, rounded, everything)

    @property
    def _exactly(self) -> int:
        """Where the numbers of cohorts lie, in float64."""
        assert self._scalars is not None
        return self._scalars.address

    @property
    def _rounded(self) -> int:
        """Where the numbers of cohorts lie, as entries are computed in."""
        return self._exactly + self.cohorts.scalars.nbytes

    # ------------------------------------------------------------------ launches

    def _call(self, work: Work, table: Any, partials: Any) -> None:
        self._push_numbers()
        stage: Any = work.function
        for each in stage.stages if isinstance(stage, InTurn) else (stage,):
            if isinstance(each, Launch):
                self._launch(each, work, table)
            else:
                assert isinstance(each, Finish)
                self._finish(each, table, "sizes" if stage is each else "shapes")

    def _launch(self, stage: Launch, work: Work, table: BlockTable) -> None:
        if table.chunks:
            extent = "shapes" if stage.kernel.kind in ("tiles", "lines") else "sizes"
            given = self._given(table, "pass", extent)
            function = self._function(stage.kernel, self._formats(work))
            self.tensors.on.launch(function, table.chunks, THREADS, given)

    def _finish(self, stage: Finish, table: BlockTable | JointTable, extent: str) -> None:
        given = self._given(table, "finish", extent)
        for kernel, blocks in ((stage.of_all, 1), (stage.of_tensor, table.tensors)):
            if kernel is not None and blocks:
                self.tensors.on.launch(self._function(kernel, ()), blocks, THREADS, given)

    def _function(self, kernel: Any, formats: tuple[str, ...]) -> Any:
        assert self.programs is not None
        return self.programs.function(kernel, formats)

    def _given(self, table: BlockTable | JointTable, kind: str, extent: str) -> Arguments:
        """Return the arguments of a launch over a table, laid out anew only where they changed.

        Kernels are told how much of a tensor there is: its size, or its rows and columns.
        """
        generation, given = table.given.get((kind, extent), (-1, None))
        if given is None or generation != self._generation:
            place = table.sizes if extent == "sizes" else table.shapes
            if kind == "pass" and isinstance(table, BlockTable):
                given = Arguments(self._for_pass(table, place))
            else:
                given = Arguments(self._for_finish(table, place))
            table.given[kind, extent] = (self._generation, given)
        return given

    def _for_pass(self, table: BlockTable, extent: int) -> list[int]:
        assert self._cohort is not None
        return [
            table.owners, table.pieces, extent, table.addresses, table.rows,
            self._cohort.address, self._rounded, self._exactly, self.tensors.rows.address,
            self.tensors.numbers.address, table.partials,
        ]  # fmt: skip

    def _for_finish(self, table: BlockTable | JointTable, extent: int) -> list[int]:
        assert self._cohort is not None
        return [
            table.firsts, extent, table.tensors, table.entries, table.rows,
            self._cohort.address, self._exactly, self.tensors.rows.address,
            self.tensors.numbers.address, table.partials,
        ]  # fmt: skip

    def _common(self, common: CommonWork, plan: Plan, lives: list[Selection]) -> None:
        """Compute numbers for the tensors of several cases from the partial sums of each."""
        present = [
            (work, columns, lives[work.case])
            for work, columns in zip(common.works, common.columns, strict=True)
            if lives[work.case].identities
        ]
        if not present:
            return
        parts = [
            (self._table(work, plan, live)[0], work.reductions, columns)
            for work, columns, live in present
        ]
        joint = self._joint(parts, present[0][2].identities[0])
        self._push_numbers()
        for blocks, given in joint.gathers:
            self.tensors.on.launch(self._function(gathered, ()), blocks, THREADS, given)
        stage: Any = present[0][0].function
        self._finish(stage, joint, "sizes")

    def _joint(
        self, parts: list[tuple[BlockTable, int, tuple[int, ...]]], first: int
    ) -> JointTable:
        known = parts[0][0].joint
        key = tuple((id(table), columns) for table, _, columns in parts)
        if key not in known:
            known[key] = parts, JointTable(self.tensors.on, parts, first)
        return known[key][1]

    def _guarded(self, guard: Guard, live: Selection) -> Selection:
        if guard.part < self._known[guard.case] and guard.kind == "step":
            return super()._guarded(guard, live)
        if guard.kind == "step" and len(live.cohorts) > 1 and self._sums_all_behind(guard.part):
            raise StepError(
                f"{self.layout.name} adds up all tensors behind a skip that the card decides, and "
                "tensors that may be skipped at different steps take part: give one group, and "
                "gradients for all or for none"
            )
        return live  # kernels behind the guard look by themselves

    def _sums_all_behind(self, part: int) -> bool:
        """Does a part behind this one compute numbers for all tensors?"""
        stages: Any = self.layout.function
        works = (getattr(s, "function", None) for s in stages if getattr(s, "part", -1) > part)
        return any(isinstance(work, Finish) and work.of_all is not None for work in works)

    # ------------------------------------------------------------- between steps

    def look(
        self, plan: Plan, buffer: str, moved: bool = False, among: Cohort | None = None
    ) -> list[Any]:
        """Run a plan that moves nothing; return what it wrote to `buffer`. See `Engine.look`."""
        if not any(cohort.started for cohort in self.cohorts.items):
            return super().look(plan, buffer, moved, among)
        self._pull()
        self.tensors.push()
        places = (self.tensors.rows, self.tensors.numbers)
        kept = [array.copy() for array in places]
        self._looking = True
        try:
            return super().look(plan, buffer, moved, among)
        finally:
            self._looking, self._pushed_scalars = False, b""
            for array, values in zip(places, kept, strict=True):
                array[...] = values

    @property
    def clocks(self) -> list[DeviceArray]:
        """What the card counts by itself, once it does."""
        return self._clocks.arrays if self._clocks is not None else []

    def forget_clocks(self) -> None:
        """Let the card count again from what the host knows."""
        self._clocks = None

    def _pull(self) -> None:
        """Let the host know how far the card has come, where it counts by itself."""
        if self._clocks is not None:
            self._clocks.pull(self.cohorts)

    def on_host(self, arrays: bool = True) -> Engine:
        """Return an engine of NumPy arrays that holds what this one does; this waits for it.

        Without `arrays`, those of states are the ones in use, on the card.
        """
        self._pull()
        held, tensors = self.tensors, Tensors(self.layout)
        tensors.add(held.theta_forms)
        tensors.labels, tensors.names, tensors.seed = held.labels, held.names, held.seed
        tensors.started, tensors.all_started = held.started, held.all_started
        if held.queue is not None:
            tensors.tensor, tensors.everything = held.pull()
        for slot in held.entry_states:
            stream: list[Any] = held.stream(slot.name)
            if arrays:
                stream = [None if a is None else a.copy_to_host() for a in stream]
            tensors.put(slot.name, stream)
        found = Engine(self.layout)
        found.tensors, found.cohorts = tensors, self.cohorts
        return found

    def take_over(self, tensors: Tensors, cohorts: Cohorts) -> None:
        """Put states and clocks of the host in place of the present ones."""
        held, new = self.tensors, DeviceTensors(self.layout)
        new.queue = held.queue
        new.add(held.theta_forms)
        new.labels, new.names = held.labels, held.names
        new.seed, new.tensor, new.everything = tensors.seed, tensors.tensor, tensors.everything
        new.started, new.all_started = tensors.started, tensors.all_started
        new.put("theta", held.stream("theta"))
        for slot in new.entry_states:
            new.put(slot.name, [self._uploaded(array) for array in tensors.stream(slot.name)])
        self._cohort, self._pushed_scalars, self._clocks = None, b"", None
        self.replace(new, cohorts)

    def _uploaded(self, values: Any) -> Any:
        if values is None or isinstance(values, DeviceArray):
            return values
        array = DeviceArray.new(self.tensors.on, values.shape, values.dtype)
        array[...] = values
        return array


def _cut(work: Work) -> Cut:
    """Return how the tensors of a stage are cut into pieces."""
    bind: Any = work.bind
    cut: Cut = Entries(TURNS if work.reductions else 1) if bind is None else bind
    return cut


def _reductions(work: Work) -> int:
    """Return how many numbers a block of a stage leaves behind."""
    stage: Any = work.function
    return stage.reductions if isinstance(stage, InTurn) else work.reductions
