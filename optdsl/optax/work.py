"""The work on each tensor, and what its states are before the first step."""

from __future__ import annotations

from typing import Any, Literal

import jax.numpy as jnp

from optdsl.codegen.support.functions import Draws, rounded
from optdsl.optax.meetings import Task
from optdsl.optax.numbers import Numbers
from optdsl.optax.sources import Known, wide
from optdsl.optax.state import ONCE
from optdsl.optax.trees import Leaf
from optdsl.runtime.functional import Fact, StateSlot


class Entries(dict[str, Any]):
    """What the work on one tensor reads: numbers of the step in the type of its entries."""

    def __init__(self, known: Known, dtype: Any) -> None:
        super().__init__()
        self.known = known
        self.dtype = dtype

    def __missing__(self, key: str) -> Any:
        value = self.known[key]
        exact = key.startswith("exact ") or jnp.asarray(value).dtype == jnp.bool_
        return value if exact else rounded(value, self.dtype)


class Work:
    """What is done to every tensor in one step."""

    def __init__(self, numbers: Numbers, seed: int) -> None:
        self.numbers = numbers
        self.functions = numbers.functions
        self.tree = numbers.tree
        self.seed = seed

    def first(self, arrays: list[Any]) -> dict[str, Any]:
        """Return the states of each tensor as they are before its first step."""
        columns: dict[str, dict[int, Any]] = {}
        for number, _ in enumerate(self.functions.cases):
            for slot in self._own(number):
                column = columns.setdefault(slot.name, {})
                for leaf in self.tree.leaves:
                    if number in leaf.accepted and leaf.number not in column:
                        first = self._first(leaf, number, slot, arrays)
                        column[leaf.number] = self.tree.stored(leaf, slot, first, self.numbers.type)
        return {name: self.tree.column(column) for name, column in columns.items()}

    def _own(self, number: int) -> list[StateSlot]:
        """Return the states of each tensor in a case; facts are not kept."""
        slots = self.functions.cases[number].states
        return [s for s in slots if s.kind not in ONCE and not isinstance(s.start, Fact)]

    def _first(self, leaf: Leaf, number: int, slot: StateSlot, arrays: list[Any]) -> Any:
        theta = self.tree.seen(leaf, arrays[leaf.number])
        return self.numbers.first_of(slot, leaf.cohort, number, theta)

    def tasks(self, arrays: list[Any], gradients: list[Any], loss: Any) -> list[Task]:
        """Return the work on every tensor, in each case that it can be in."""
        stored = self._stored()
        found = []
        for leaf in self.tree.leaves:
            for number in leaf.accepted:
                case = self.functions.cases[number]
                values = self._values(leaf, number, arrays, stored)
                values[self.functions.gradient] = self.tree.seen(leaf, gradients[leaf.number])
                for name in self.functions.losses:
                    values[name] = wide(loss)
                assert case.update is not None
                active = self.numbers.active(leaf.cohort, number)
                work = case.update.begin(values)
                found.append(Task(leaf, number, case, active, values, work))
        return found

    def looked_at(self, field: Literal["iterate", "evaluation"], arrays: list[Any]) -> list[Any]:
        """Return for every tensor what a look at it gives; the tensor itself before a step."""
        stored = self._stored()
        found = []
        for leaf in self.tree.leaves:
            point = array = jnp.asarray(arrays[leaf.number])
            for number in leaf.accepted:
                look = getattr(self.functions.cases[number], field)
                if look is None:
                    continue
                numbers, call = look
                known = self.numbers.known[leaf.cohort, number]
                known.update(numbers(known))
                values = self._values(leaf, number, arrays, stored)
                own = self.tree.given_back(leaf, call(values)[call.writes[0]])
                begun = self.numbers.steps_taken(leaf.cohort) > 0
                active = self.numbers.active(leaf.cohort, number)
                point = jnp.where(jnp.logical_and(begun, active), own, point)
            found.append(point.astype(array.dtype))
        return found

    def _stored(self) -> dict[str, list[Any]]:
        assert self.numbers.state is not None
        tensors = self.numbers.state.tensors
        return {name: self.tree.structure.flatten_up_to(column) for name, column in tensors.items()}

    def _values(
        self, leaf: Leaf, number: int, arrays: list[Any], stored: dict[str, list[Any]]
    ) -> Entries:
        """Return what the work on a tensor reads."""
        tree, known = self.tree, self.numbers.known[leaf.cohort, number]
        values = Entries(known, leaf.real)
        values["theta[t-1]"] = tree.seen(leaf, arrays[leaf.number])
        for slot in self.functions.cases[number].states:
            key = f"{slot.name}[t-1]"
            if isinstance(slot.start, Fact):
                values[key] = wide(slot.start.of(leaf.facts))
            elif slot.kind == "all":
                values[key] = known[key]
            elif slot.kind != "step":
                values[key] = tree.loaded(leaf, slot, stored[slot.name][leaf.number])
                begins = self.numbers.begins(leaf.cohort, number, slot)
                if begins is not False:
                    first = self._first(leaf, number, slot, arrays)
                    values[key] = jnp.where(begins, first, values[key]).astype(values[key].dtype)
        if self.functions.draws:
            shape, wide_entries = tree.shape(leaf), leaf.real == jnp.float64
            values["draws"] = Draws(shape, leaf.real, leaf.number, self.seed, wide_entries)
        return values
