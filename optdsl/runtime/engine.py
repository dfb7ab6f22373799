"""The engine under optimizers and transforms: it runs the stages of a layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from optdsl.runtime.arrays import Array
from optdsl.runtime.cases import due
from optdsl.runtime.cohorts import Cohort, Cohorts
from optdsl.runtime.errors import HyperparameterError
from optdsl.runtime.facts import Facts
from optdsl.runtime.hyperparameters import Settings
from optdsl.runtime.inputs import checked_inputs
from optdsl.runtime.layout import Ask, Guard, Layout, Numbers, Scalars
from optdsl.runtime.plan import CommonWork, Plan, Work
from optdsl.runtime.tensors import Form, Tensors
from optdsl.runtime.values import shown_name

Asking = Callable[[Ask, "Selection"], None]


class Selection:
    """Tensors that take a step together, and the tables that were bound for them."""

    def __init__(self, identities: tuple[int, ...]) -> None:
        self.identities = identities
        self.cohorts: list[Cohort] = []
        self.version = -1
        self.by_case: list[Selection] = []
        self.tables: dict[tuple[tuple[str, ...], Any], tuple[int, Any]] = {}
        self.partials: dict[tuple[int, int], Numbers] = {}
        self.ready: dict[Work, tuple[int, Any, Numbers]] = {}  # what was bound last, for each
        self.buffered: set[Plan] = set()  # plans whose buffers there are


NOBODY = Selection(())


class Engine:
    """Tensors, cohorts and tables of one rule.

    What runs elsewhere than on NumPy's arrays differs in `_table`, `_call`, `_count`, `_common` and
    `_guarded`; the order of work is the same.

    `moving` counts how often arrays from outside have changed: tables that hold such are
    bound again when it does.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.tensors = Tensors(layout)
        self.cohorts = Cohorts(layout)
        self.moving = 0
        self._selections: dict[tuple[int, ...], Selection] = {}
        self._latest: Selection | None = None
        self._changes = any(case.windows for case in layout.cases)
        self._remembered = 8 * (1 + len(layout.cases))
        self._uniform = tuple(
            i for i, slot in enumerate(layout.hyperparameters) if slot.name in layout.uniform
        )

    def add(self, group: int, forms: Sequence[Form], settings: Settings) -> None:
        """Take in the tensors of a new group: the shape and the dtype of each."""
        self.tensors.add(forms)
        names = self.tensors.names[len(self.tensors.shapes) - len(forms) :]
        facts = [Facts(shape, name) for (shape, _), name in zip(forms, names, strict=False)]
        self.cohorts.add(group, facts, settings)
        self.forget_tables()

    def replace(self, tensors: Tensors, cohorts: Cohorts) -> None:
        """Put other states and clocks in place of the present ones."""
        self.tensors, self.cohorts = tensors, cohorts
        self.moving += 1
        self.forget_tables()

    def forget_tables(self) -> None:
        """Drop every table, because arrays have been replaced."""
        self._selections.clear()
        self._latest = None

    def drop_moving_tables(self) -> None:
        """Drop the tables of arrays from outside, but not those that can be moved to others."""
        for selection in self._selections.values():
            tables = selection.tables
            for key, (moved, table) in list(tables.items()):
                if moved >= 0 and not hasattr(table, "move"):
                    del tables[key]
                    selection.ready.clear()

    def select(self, identities: tuple[int, ...]) -> Selection:
        """Return the selection of these tensors, with cohorts that hold them and no others."""
        selection = self._latest
        if (
            selection is None or selection.identities is not identities
        ):  # to hash a thousand numbers takes longer
            selection = self._latest = self._remembered_or_new(identities)
            selection.identities = identities
        if selection.version != self.cohorts.version:
            selection.cohorts = self.cohorts.apart(identities)
            selection.version = self.cohorts.version
            selection.by_case = self._by_case(selection)
        return selection

    def _remembered_or_new(self, identities: tuple[int, ...]) -> Selection:
        selection = self._selections.get(identities)
        if selection is None:
            if len(self._selections) >= self._remembered:
                self._selections.clear()
            selection = self._selections[identities] = Selection(identities)
        return selection

    def _by_case(self, selection: Selection) -> list[Selection]:
        """Return the tensors of each case, as selections of their own."""
        cases = {cohort.case for cohort in selection.cohorts}
        if len(cases) < 2:
            whole = next(iter(cases), 0)
            count = max(1, len(self.layout.cases))
            return [selection if case == whole else NOBODY for case in range(count)]
        case_of = {i: cohort.case for cohort in selection.cohorts for i in cohort.members}
        return [
            self.select(members) if members else NOBODY
            for case in range(len(self.layout.cases))
            for members in [tuple(i for i in selection.identities if case_of[i] == case)]
        ]

    def give(self, inputs: Mapping[str, Any]) -> None:
        """Let what is handed in wait for the next step of every tensor.

        Raises:
            StepError: nothing has an input of such a name, or it is not a number.
        """
        readings = [cohort.reading for cohort in self.cohorts.items]
        known = [name for reading in readings for name in reading.input_names()]
        checked = checked_inputs(self.layout.name, known, inputs)
        for reading in readings:
            reading.give(checked)

    def take_back(self) -> None:
        """Forget what was handed in: the step has not been taken."""
        for cohort in self.cohorts.items:
            cohort.reading.take_back()

    def read(self, selection: Selection) -> None:
        """Read the hyperparameters of this step.

        Raises:
            HyperparameterError: a value is outside its domain, or differs between
                groups that must share it; nothing has changed then.
        """
        for cohort in selection.cohorts:
            cohort.reading.read(cohort.clocks)
        if self._uniform and len(selection.cohorts) > 1:
            self._check_uniform(selection.cohorts)

    def prepare(self, selection: Selection) -> None:
        """Read the hyperparameters of this step, then start what takes its first.

        Raises:
            HyperparameterError: as `read`.
        """
        self.read(selection)
        for cohort in selection.cohorts:
            if cohort.started != cohort.case + 1:
                self._start(cohort)

    def _check_uniform(self, cohorts: list[Cohort]) -> None:
        for index in self._uniform:
            slot = self.layout.hyperparameters[index]
            readers = [c for c in cohorts if not slot.cases or c.case in slot.cases]
            first = readers[0] if readers else cohorts[0]
            expected = first.reading.hyper[index]
            for cohort in readers[1:]:
                value = cohort.reading.hyper[index]
                if value != expected:
                    here, there = (
                        f"group {c.group} at step {c.clocks[slot.part] + 1}"
                        for c in (first, cohort)
                    )
                    raise HyperparameterError(
                        f"hyperparameter {shown_name(slot)} is {expected!s} in {here} and "
                        f"{value!s} in {there}, but {self.layout.name} makes one "
                        "number for all tensors from it: it must be the same for all"
                    )

    def _start(self, cohort: Cohort) -> None:
        hyper = cohort.reading.hyper
        for index in cohort.members:
            self.tensors.start(index, hyper, cohort.case)
        if self.tensors.all_states:
            self.tensors.start_everything(hyper, cohort.case)
        self.cohorts.start(cohort)

    def run(self, plan: Plan, selection: Selection, ask: Asking | None = None) -> list[Selection]:
        """Run the stages; return for each part who took a step in it.

        Clocks stand still until `commit`.
        """
        lives = list(selection.by_case)
        for names, live in zip(plan.buffers, lives, strict=True):
            if names and plan not in live.buffered:
                for name in names:
                    self.tensors.buffer(name, live.identities)
                if live is not NOBODY:
                    live.buffered.add(plan)
        taken = [[live] * self.layout.parts for live in lives]
        for step in plan.steps:
            kind = type(step)
            if kind is Work:
                live = lives[step.case]  # type: ignore[union-attr]
                if live.identities:
                    self._work(step, plan, live)  # type: ignore[arg-type]
            elif kind is Scalars:
                self._count(step, lives[step.case])  # type: ignore[arg-type, union-attr]
            elif isinstance(step, CommonWork):
                self._common(step, plan, lives)
            elif isinstance(step, Guard):
                live = lives[step.case] = self._guarded(step, lives[step.case])
                for part in range(step.part + 1, self.layout.parts):
                    taken[step.case][part] = live
                if not any(each.identities for each in lives):
                    break
            elif isinstance(step, Ask):
                assert ask is not None
                ask(step, self._united(lives))
        if len(taken) == 1:
            return taken[0]
        return [self._united(list(lives)) for lives in zip(*taken, strict=True)]

    def _count(self, step: Scalars, live: Selection) -> None:
        """Compute the numbers of a step for each cohort."""
        part, function = step.part, step.function
        for c in live.cohorts:
            function(float(c.clocks[part] + 1), c.reading.hyper, c.step_state, c.scalars)

    def _united(self, lives: list[Selection]) -> Selection:
        """Return the tensors of all cases together."""
        present = [live for live in lives if live.identities]
        if len(present) < 2:
            return present[0] if present else NOBODY
        return self.select(tuple(sorted(i for live in present for i in live.identities)))

    def _work(self, work: Work, plan: Plan, live: Selection) -> None:
        self._call(work, *self._table(work, plan, live))

    def _table(self, work: Work, plan: Plan, live: Selection) -> tuple[Any, Numbers]:
        """Return the table that `work` runs over, and its partial sums."""
        known = live.ready.get(work)
        if known is not None and (known[0] < 0 or known[0] == self.moving):
            return known[1], known[2]
        key = (work.streams, work.bind)
        entry = live.tables.get(key)
        if entry is None or (entry[0] >= 0 and entry[0] != self.moving):
            entry = live.tables[key] = self._bound(work, plan, live, entry)
        table = entry[1]
        shape = (table.chunks, work.reductions)
        partials = live.partials.get(shape)
        if partials is None:
            partials = live.partials[shape] = np.zeros(shape)
        live.ready[work] = (entry[0], table, partials)
        return table, partials

    def _call(self, work: Work, table: Any, partials: Numbers) -> None:
        cohorts = self.cohorts
        tensors = self.tensors
        work.function(
            table, cohorts.of_tensor, cohorts.scalars, tensors.tensor, tensors.everything, partials
        )

    def _common(self, common: CommonWork, plan: Plan, lives: list[Selection]) -> None:
        """Compute numbers for the tensors of several cases from the partial sums of each."""
        tables, columns = [], []
        first: Work | None = None
        for work, places in zip(common.works, common.columns, strict=True):
            live = lives[work.case]
            if live.identities:
                first = first or work
                table, partials = self._table(work, plan, live)
                tables.append(table)
                columns.append(partials[:, list(places)])
        if first is not None:
            assert self.layout.join is not None
            alone = len(tables) == 1
            table = tables[0] if alone else self.layout.join(tables)
            self._call(first, table, columns[0] if alone else np.concatenate(columns))

    def _bound(
        self, work: Work, plan: Plan, live: Selection, stale: tuple[int, Any] | None
    ) -> tuple[int, Any]:
        bind = work.bind or self.layout.bind
        assert bind is not None
        moving = [i for i, name in enumerate(work.streams) if name in plan.gradients]
        if stale is None or not hasattr(stale[1], "move"):
            arrays = self.tensors.gather(work.streams, live.identities)
            table = bind(arrays, live.identities)
        else:
            table = stale[1]
            names = [work.streams[column] for column in moving]
            moved = self.tensors.gather(names, live.identities)
            for column, stream in zip(moving, moved, strict=True):
                table.move(column, stream)
        return (self.moving if moving else -1), table

    def _guarded(self, guard: Guard, live: Selection) -> Selection:
        if guard.kind == "all":
            return NOBODY if self.tensors.everything[guard.slot] != 0 else live
        if guard.kind == "step":
            held = {i for c in live.cohorts if c.scalars[guard.slot] != 0 for i in c.members}
        else:
            rows = self.tensors.tensor
            held = {i for i in live.identities if rows[i, guard.slot] != 0}
        if not held:
            return live
        rest = tuple(i for i in live.identities if i not in held)
        return self.select(rest) if rest else NOBODY

    def commit(self, taken: list[Selection], iterate: Plan | None = None) -> None:
        """Move the clocks on: the step has been taken.

        Tensors whose rule ends with it go on to the next. Where the arrays hold the point
        of its next gradient, `iterate` finds theta for them.
        """
        for part, selection in enumerate(taken):
            if not selection.identities:
                continue
            if selection.version != self.cohorts.version:
                selection = self.select(selection.identities)
            for cohort in selection.cohorts:
                clock = cohort.clocks[part] = cohort.clocks[part] + 1
                if cohort.reading.attentive:
                    cohort.reading.commit(part, clock)
        for cohort in self.cohorts.items if self._changes else ():
            case, clocks = due(self.layout, cohort.accepted, cohort.case, cohort.clocks)
            if case != cohort.case:
                self._enter(cohort, case, clocks, iterate)

    def _enter(self, cohort: Cohort, case: int, clocks: list[int], iterate: Plan | None) -> None:
        """Let the tensors of a cohort go on with another rule, at theta."""
        if iterate is not None and cohort.started:
            for index, array in enumerate(self.look(iterate, "iterate", among=cohort)):
                if array is not None:
                    theta = self.tensors.stream("theta")[index]
                    assert theta is not None
                    theta[...] = array
        for index in cohort.members:
            self.tensors.leave(index, case)
        self.cohorts.enter(cohort, case, clocks)
        self.forget_tables()

    def look(
        self, plan: Plan, buffer: str, moved: bool = False, among: Cohort | None = None
    ) -> list[Array | None]:
        """Run a plan that moves nothing; return what it wrote to `buffer`.

        None for tensors that took no step yet; with `moved`, none in the last part. With
        `among`, only tensors of that cohort are looked at.
        """
        tensors, cohorts = self.tensors, self.cohorts
        seen = [c for c in cohorts.items if c.started and (c.clocks[-1] or not moved)]
        seen = [c for c in seen if among in (None, c) and self._has_begun(c, plan, moved)]
        ids = {i for c in seen for i in c.members}
        if not ids:
            return [None] * len(tensors.shapes)
        selection = self.select(tuple(sorted(ids)))
        kept = (tensors.tensor.copy(), tensors.everything.copy(), cohorts.step_state.copy())
        readings = [(cohort.reading, cohort.reading.hyper) for cohort in selection.cohorts]
        try:
            for reading, _ in readings:
                reading.hyper = reading.announced()
            self.run(plan, selection)
        finally:
            for reading, hyper in readings:
                reading.hyper = hyper
            tensors.tensor[:], tensors.everything[:], cohorts.step_state[:] = kept
        found: list[Array | None] = [None] * len(tensors.shapes)
        for names, live in zip(plan.buffers, selection.by_case, strict=True):
            for index in live.identities if buffer in names else ():
                found[index] = tensors.stream(buffer)[index]
        return found

    def _has_begun(self, cohort: Cohort, plan: Plan, moved: bool) -> bool:
        """Has the rule of these tensors taken a step, or does `plan` read what has long begun?

        Where a rule has just ended, the arrays hold theta and what they shared goes on.
        """
        if cohort.started == cohort.case + 1:
            return True
        states = {slot.name for slot in self.tensors.entry_states}
        works = (s for s in plan.steps if isinstance(s, Work) and s.case == cohort.case)
        read = {name for work in works for name in work.streams if name in states}
        present = (self.tensors.stream(n)[i] is not None for n in read for i in cohort.members)
        return moved and bool(read) and all(present)
