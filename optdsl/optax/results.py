"""What a step gives, and what is kept of it."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from optdsl.optax.following import going_on
from optdsl.optax.meetings import Task
from optdsl.optax.numbers import Numbers
from optdsl.optax.state import State
from optdsl.runtime.functional import Fact, StateSlot


class Results:
    """The results of the work on all tensors."""

    def __init__(self, numbers: Numbers, tasks: list[Task]) -> None:
        self.numbers = numbers
        self.functions = numbers.functions
        self.tree = numbers.tree
        self.tasks = tasks
        self.of_case: dict[tuple[int, int], Task] = {}
        for task in tasks:
            self.of_case.setdefault((task.leaf.cohort, task.number), task)
        self.rests = {pair: self._rests(*pair) for pair in numbers.known}

    def _rests(self, cohort: int, number: int) -> list[Any]:
        """Return for each part whether it takes no step."""
        case, known = self.functions.cases[number], self.numbers.known[cohort, number]
        task = self.of_case.get((cohort, number))
        rests: list[Any] = []
        for part in range(self.numbers.parts):
            rest: Any = False
            for skip in case.skips:
                if skip.part < part:
                    found = {} if task is None else task.found
                    condition = found.get(skip.condition, known.get(skip.condition, True))
                    rest = condition if rest is False else rest | condition
            rests.append(rest)
        return rests

    def _moved(self, cohort: int, number: int, part: int, new: Any, old: Any, now: Any) -> Any:
        """Return `new` where the part of an active case takes its step; else `old`, or `now`."""
        moved = _where(self.rests[cohort, number][part], old, new)
        return _where(self.numbers.active(cohort, number), moved, now)

    # -------------------------------------------------------------------- given

    def given(self) -> list[Any]:
        """Return for every tensor what Optax is to add to it, or what a transform hands on."""
        found: dict[int, Any] = {}
        for task in self.tasks:
            leaf, pair = task.leaf, (task.leaf.cohort, task.number)
            new = task.found[self.functions.output]
            if self.functions.family == "optimizer":
                theta = task.values["theta[t-1]"]
                new = _where(self.rests[pair][task.case.theta_part], theta, new) - theta
            found[leaf.number] = _where(task.active, new, found.get(leaf.number, new))
        return [self.tree.given_back(leaf, found[leaf.number]) for leaf in self.tree.leaves]

    # -------------------------------------------------------------------- state

    def state(self) -> State:
        """Return the state after the step."""
        before = self.numbers.state
        assert before is not None
        steps, cases = self._steps()
        tensors = dict(before.tensors)
        for name in tensors:
            tensors[name] = self.tree.column(self._tensors(name))
        return State(steps, cases, self._numbers(), tensors)

    def _tensors(self, name: str) -> dict[int, Any]:
        before = self.numbers.state
        assert before is not None
        stored = self.tree.structure.flatten_up_to(before.tensors[name])
        found: dict[int, Any] = {}
        for task in self.tasks:
            slot = _slot(task, name)
            if slot is None:
                continue
            leaf, old = task.leaf, task.values[f"{name}[t-1]"]
            pair = (leaf.cohort, task.number)
            new = _where(self.rests[pair][slot.part], old, task.found.get(name, old))
            kept = self.tree.stored(leaf, slot, new, self.numbers.type)
            now = found.get(leaf.number, stored[leaf.number])
            found[leaf.number] = _where(task.active, kept, now)
        return found

    def _numbers(self) -> dict[str, Any]:
        before = self.numbers.state
        assert before is not None
        kept = dict(before.numbers)
        for (cohort, number), known in self.numbers.known.items():
            task = self.of_case.get((cohort, number))
            found = {} if task is None else task.found
            for slot in self.functions.cases[number].states:
                old = known.get(f"{slot.name}[t-1]")
                if slot.kind == "all":
                    new = found.get(slot.name, old)
                    now = kept[slot.name]
                    moved = self._moved(cohort, number, slot.part, new, old, now)
                    kept[slot.name] = self.numbers.kept(moved)
                elif slot.kind == "step":
                    new = known.get(slot.name, old)
                    self._keep_row(kept, slot.name, cohort, number, slot.part, new, old)
            for fed, feed in self.numbers.fed:
                for name in feed.states if fed.name in self._hypers(number) else ():
                    old, new = known[f"{name}[t-1]"], known.moved[name]
                    self._keep_row(kept, name, cohort, number, fed.part, new, old)
        for slot_of_input in self.functions.inputs:
            known = next(iter(self.numbers.known.values()))
            kept[slot_of_input.name] = self.numbers.kept(known[slot_of_input.name])
        return kept

    def _hypers(self, number: int) -> tuple[str, ...]:
        return self.functions.cases[number].hyperparameters

    def _keep_row(
        self, kept: dict[str, Any], name: str, cohort: int, number: int, part: int, new: Any,
        old: Any,
    ) -> None:  # fmt: skip
        column = kept[name]
        moved = self._moved(cohort, number, part, new, old, column[cohort])
        kept[name] = column.at[cohort].set(self.numbers.kept(moved))

    def _steps(self) -> tuple[Any, Any]:
        before = self.numbers.state
        assert before is not None
        rows, cases = [], []
        for cohort, accepted in enumerate(self.tree.cohorts):
            row = list(before.steps[cohort])
            for number in accepted:
                case = self.functions.cases[number]
                for part in range(case.parts):
                    clock = before.steps[cohort, part]
                    moved = self._moved(cohort, number, part, clock + 1, clock, row[part])
                    row[part] = jnp.asarray(moved).astype(jnp.int32)
            if before.cases is not None:
                now = before.cases[cohort, 0]
                after, row = going_on(self.functions, accepted, now, row)
                cases.append(jnp.stack([after, now]))
            rows.append(jnp.stack(row))
        return jnp.stack(rows), jnp.stack(cases) if cases else None


def _slot(task: Task, name: str) -> StateSlot | None:
    """Return the state of a tensor that is called so in its case."""
    slots = (slot for slot in task.case.states if not isinstance(slot.start, Fact))
    return next((slot for slot in slots if slot.name == name), None)


def _where(condition: Any, value: Any, otherwise: Any) -> Any:
    """Return a choice; one that is known beforehand leaves no trace."""
    if condition is True or condition is False:
        return value if condition else otherwise
    return jnp.where(condition, value, otherwise)
