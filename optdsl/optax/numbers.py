"""The numbers of one step: clocks, hyperparameters, and what a rule computes once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from optdsl.optax.following import begun
from optdsl.optax.sources import Known, Source, wide
from optdsl.optax.state import ONCE, State
from optdsl.optax.trees import Tree
from optdsl.runtime.functional import Call, Functions, StateSlot
from optdsl.runtime.layout import Feed


def number_type(outside: bool) -> Any:
    """Return the type in which numbers are kept: the widest of the program around."""
    return jnp.float64 if outside else jnp.float32


class Numbers:
    """The numbers of a step, for each cohort of tensors and each case that it can be in.

    `state` is None before the first step, `outside` says whether the program around has
    64-bit numbers.
    """

    def __init__(
        self,
        functions: Functions,
        sources: Sequence[Source],
        tree: Tree,
        state: State | None,
        inputs: Mapping[str, Any],
        outside: bool,
    ) -> None:
        self.functions = functions
        self.sources = sources
        self.tree = tree
        self.state = state
        self.inputs = inputs
        self.outside = outside
        self.type = number_type(outside)
        self.parts = max(case.parts for case in functions.cases)
        self.fed = [
            (slot, slot.default)
            for index, slot in enumerate(functions.hyperparameters)
            if isinstance(slot.default, Feed) and sources[index] is None
        ]
        self.known = {
            (cohort, case): self._known(cohort, case)
            for cohort, accepted in enumerate(tree.cohorts)
            for case in accepted
        }

    def active(self, cohort: int, number: int) -> Any:
        """Do the tensors of a cohort take this case in this step?"""
        if self.state is None or self.state.cases is None:
            return True
        return self.state.cases[cohort, 0] == number

    def steps_taken(self, cohort: int) -> Any:
        """Return how many steps the last part has taken."""
        return 0 if self.state is None else self.state.steps[cohort, -1]

    def begins(self, cohort: int, number: int, slot: StateSlot) -> Any:
        """Is this the first step of a state, because the rule before had none of that name?"""
        if self.state is None or self.state.cases is None:
            return False
        cases = self.state.cases[cohort]
        return begun(self.functions, self.tree.cohorts[cohort], number, slot, cases)

    def first_of(self, slot: StateSlot, cohort: int, number: int, theta: Any = None) -> Any:
        """Return the value of a state before its first step."""
        return _first(slot, self.known[cohort, number], theta)

    def _known(self, cohort: int, number: int) -> Known:
        case = self.functions.cases[number]
        known = Known(
            self.functions, self.sources, self._clocks(cohort), self._kept(cohort, number),
            self.outside,
        )  # fmt: skip
        self._take_inputs(known)
        for slot in case.states:
            key = f"{slot.name}[t-1]"
            if slot.kind not in ONCE:
                continue
            begins = self.begins(cohort, number, slot)
            if key not in known:
                known[key] = _first(slot, known)
            elif begins is not False:
                known[key] = jnp.where(begins, _first(slot, known), known[key])
        if self.state is not None:
            known.update(case.numbers(known))
            for slot_of_feed, _ in self.fed:
                if slot_of_feed.name in case.hyperparameters:
                    known[slot_of_feed.name]  # its schedule goes on, read or not
        return known

    def _clocks(self, cohort: int) -> list[Any]:
        """Return the t of each part in this step."""
        if self.state is None:
            return [jnp.asarray(1, jnp.int32)] * self.parts
        return [self.state.steps[cohort, part] + 1 for part in range(self.parts)]

    def _kept(self, cohort: int, number: int) -> dict[str, Any]:
        """Return the numbers that are kept from the step before, by name."""
        if self.state is None:
            return {}
        slots = self.functions.cases[number].states
        kinds = {slot.name: slot.kind for slot in slots if slot.kind in ONCE}
        kinds |= dict.fromkeys((name for _, feed in self.fed for name in feed.states), "step")
        kept = self.state.numbers
        return {
            name: wide(kept[name][cohort] if kind == "step" else kept[name])
            for name, kind in kinds.items()
        }

    def _take_inputs(self, known: Known) -> None:
        for slot in self.functions.inputs:
            value = self.inputs.get(slot.known_as)
            last = jnp.nan if self.state is None else self.state.numbers[slot.name]
            known[slot.name] = wide(last if value is None else value)
            known[f"given({slot.name})"] = jnp.asarray(value is not None)

    def first(self) -> dict[str, Any]:
        """Return the numbers that are kept, as they are before the first step."""
        numbers: dict[str, Any] = {}
        rows = len(self.tree.cohorts)
        for (cohort, number), known in self.known.items():
            for slot in self.functions.cases[number].states:
                if slot.kind == "all":
                    numbers.setdefault(slot.name, self.kept(known[f"{slot.name}[t-1]"]))
                elif slot.kind == "step":
                    column = numbers.get(slot.name, jnp.zeros(rows, self.type))
                    first = self.kept(known[f"{slot.name}[t-1]"])
                    numbers[slot.name] = column.at[cohort].set(first)
            for _, feed in self.fed:
                starts: Sequence[Any] = feed.starts
                for name, start in zip(feed.states, starts, strict=True):
                    first = start if isinstance(start, float) else start(known)[name]
                    numbers[name] = jnp.full(rows, self.kept(first))
        for given in self.functions.inputs:
            numbers[given.name] = jnp.asarray(jnp.nan, self.type)
        return numbers

    def kept(self, value: Any) -> Any:
        """Return a number as it is kept."""
        return jnp.asarray(value).astype(self.type)


class _Start(dict[str, Any]):
    """What the start of a state reads: numbers, and theta."""

    def __init__(self, known: Known, theta: Any) -> None:
        super().__init__({"theta[t-1]": theta})
        self.known = known

    def __missing__(self, key: str) -> Any:
        return self.known[key]


def _first(slot: StateSlot, known: Known, theta: Any = None) -> Any:
    if isinstance(slot.start, float):
        return wide(slot.start)
    assert isinstance(slot.start, Call)
    return slot.start(_Start(known, theta))[slot.name]
