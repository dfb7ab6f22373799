"""Cohorts: the tensors of one group that have taken the same steps share clocks and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from optdsl.runtime.cases import accepted, begins, due
from optdsl.runtime.facts import Facts
from optdsl.runtime.hyperparameters import Settings
from optdsl.runtime.layout import Layout, Numbers
from optdsl.runtime.reading import Reading


class Cohort:
    """Tensors that share clocks, states of kind "step" and the places in schedules.

    `accepted` are the cases that they can be in, `case` is the one of their next step.
    `started` is 0 before the first step, then one more than the case of the last.
    """

    def __init__(
        self,
        group: int,
        members: list[int],
        clocks: list[int],
        reading: Reading,
        accepted: tuple[int, ...],
        case: int,
    ) -> None:
        self.group = group
        self.members = members
        self.clocks = clocks
        self.reading = reading
        self.accepted = accepted
        self.case = case
        self.started = 0
        reading.enter(case)
        self.row = 0
        self.origin = -1  # the row of the cohort that it was split from
        self.scalars: Numbers = np.zeros(0)  # views of this cohort's rows
        self.step_state: Numbers = np.zeros(0)


class Cohorts:
    """All cohorts of a rule's tensors, with one row each in `scalars` and `step_state`."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.states = [state for state in layout.states if state.kind == "step"]
        self.items: list[Cohort] = []
        self.of_tensor: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.scalars: Numbers = np.zeros((0, layout.scalars))
        self.step_state: Numbers = np.zeros((0, len(self.states)))
        self.version = 0

    def add(self, group: int, facts: Sequence[Facts], settings: Settings) -> None:
        """Put new tensors, behind those there are, into cohorts of their own: one a case."""
        first = len(self.of_tensor)
        self.of_tensor = np.concatenate([self.of_tensor, np.zeros(len(facts), dtype=np.int64)])
        by_cases: dict[tuple[int, ...], list[int]] = {} if facts else {(0,): []}
        for index, each in enumerate(facts, start=first):
            by_cases.setdefault(accepted(self.layout, each), []).append(index)
        for cases, members in by_cases.items():
            case, clocks = due(self.layout, cases, None, [0] * self.layout.parts)
            self.append(Cohort(group, members, clocks, Reading(settings), cases, case))

    def append(self, cohort: Cohort) -> None:
        """Give `cohort` a row; its members must be known already."""
        cohort.row = len(self.items)
        self.items.append(cohort)
        self.scalars = np.vstack([self.scalars, np.zeros((1, self.layout.scalars))])
        self.step_state = np.vstack([self.step_state, np.zeros((1, len(self.states)))])
        for each in self.items:
            each.scalars = self.scalars[each.row]
            each.step_state = self.step_state[each.row]
        self.of_tensor[cohort.members] = cohort.row
        self.version += 1

    def split(self, cohort: Cohort, leaving: set[int]) -> Cohort:
        """Move `leaving`, some but not all members, into a new cohort at the same place."""
        stay = [member for member in cohort.members if member not in leaving]
        go = [member for member in cohort.members if member in leaving]
        new = Cohort(
            cohort.group, go, list(cohort.clocks), cohort.reading.copy(),
            cohort.accepted, cohort.case,
        )  # fmt: skip
        new.started, new.origin = cohort.started, cohort.row
        cohort.members = stay
        self.append(new)
        new.scalars[:] = cohort.scalars
        new.step_state[:] = cohort.step_state
        return new

    def apart(self, tensors: Iterable[int]) -> list[Cohort]:
        """Return cohorts that hold exactly `tensors`, splitting where one holds others too."""
        wanted = set(tensors)
        found = []
        for cohort in list(self.items):
            inside = [member for member in cohort.members if member in wanted]
            if not inside:
                continue
            if len(inside) < len(cohort.members):
                self.split(cohort, {m for m in cohort.members if m not in wanted})
            found.append(cohort)
        return found

    def start(self, cohort: Cohort) -> None:
        """Give the states of kind "step" the values they have before the first step."""
        for column, slot in enumerate(self.states):
            if begins(slot, cohort.case, cohort.started):
                cohort.step_state[column] = float(slot.start(None, cohort.reading.hyper))
        cohort.started = cohort.case + 1

    def enter(self, cohort: Cohort, case: int, clocks: list[int]) -> None:
        """Let `cohort` go on in another case, with these clocks."""
        cohort.case, cohort.clocks = case, clocks
        cohort.reading.enter(case)
        self.version += 1
