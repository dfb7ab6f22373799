"""What must be put back if a step breaks off while gradients are asked for."""

from __future__ import annotations

from typing import Any

from optdsl.runtime.engine import Engine
from optdsl.runtime.plan import Plan


class Snapshot:
    """The numbers and arrays that a step may have changed before its last gradient."""

    def __init__(self, engine: Engine, plan: Plan) -> None:
        tensors, cohorts = engine.tensors, engine.cohorts
        self.engine = engine
        self.rows = cohorts.of_tensor.copy()
        self.step_state = cohorts.step_state.copy()
        self.started = list(tensors.started)
        self.all_started = tensors.all_started
        self.tensor = tensors.tensor.copy()
        self.everything = tensors.everything.copy()
        self.streams = {
            name: [None if a is None else self.copied(name, i, a)
                   for i, a in enumerate(tensors.stream(name))]
            for name in plan.exposed
        }  # fmt: skip

    def copied(self, name: str, index: int, array: Any) -> Any:
        """Return a copy of an array of a stream."""
        return array.copy()

    def restore(self) -> None:
        """Put everything back as it was."""
        tensors, cohorts = self.engine.tensors, self.engine.cohorts
        for cohort in cohorts.items:
            first = cohort.members[0] if cohort.members else None
            if first is None:
                continue
            cohort.step_state[:] = self.step_state[self.rows[first]]
            cohort.started = self.started[first]
        tensors.started[:] = self.started
        tensors.all_started = self.all_started
        tensors.tensor[:] = self.tensor
        tensors.everything[:] = self.everything
        for name, arrays in self.streams.items():
            for index, array in enumerate(arrays):
                target = tensors.stream(name)[index]
                if array is not None and target is not None:
                    target[...] = array
