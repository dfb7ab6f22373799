"""Steps on a card that ask a function for gradients, at the points that the rule names."""

from __future__ import annotations

from typing import Any

from optdsl.cuda.arrays import DeviceArray
from optdsl.cuda.engine import DeviceEngine
from optdsl.cuda.intake import DeviceIntake
from optdsl.runtime.asking import Asker
from optdsl.runtime.layout import Ask
from optdsl.runtime.plan import Plan, Work
from optdsl.runtime.snapshot import Snapshot

#: Copies that are made anew in each step, by stream and place.
Spare = dict[tuple[str, int], DeviceArray]


class DeviceAsker(Asker):
    """Takes steps of an engine on a card with a function of gradients.

    The function is given a `DeviceArray` for each parameter. Nothing waits for the card.
    """

    engine: DeviceEngine

    def __init__(self, engine: DeviceEngine, plan: Plan) -> None:
        super().__init__(engine, plan)
        self._spare: Spare = {}

    def _new_intake(self, name: str, own: bool) -> DeviceIntake:
        return DeviceIntake(self.engine, name, own)

    def _new_snapshot(self) -> Snapshot:
        return DeviceSnapshot(self.engine, self.plan, self._spare)

    def _shown(self, array: Any) -> Any:
        return array

    def _extents(self, name: str) -> Any:
        return [array for array in self.engine.tensors.stream(name) if array is not None]

    def take(self, ask: Ask, given: list[Any]) -> tuple[int, ...]:
        """Make `given` the gradients of this phase; return which tensors have one."""
        names = {"theta", *(ask.points or (ask.point,))} - {None}
        points = [array for name in sorted(map(str, names)) for array in self._extents(name)]
        return self._intakes[ask.gradient].take(given, points)


class DeviceSnapshot(Snapshot):
    """What must be put back if a step breaks off, with what the card alone knows."""

    engine: DeviceEngine

    def __init__(self, engine: DeviceEngine, plan: Plan, spare: Spare) -> None:
        self._spare = spare
        super().__init__(engine, plan)
        self._numbers: list[DeviceArray] = []
        self._first = not engine.has_stepped
        if engine.has_stepped and _works_before_asking(plan):
            tensors = engine.tensors
            tensors.push()
            self._numbers = self._held()
        self._kept = [self.copied(f" {i}", 0, array) for i, array in enumerate(self._numbers)]

    def copied(self, name: str, index: int, array: Any) -> Any:
        """Return a copy of an array of a stream, in memory that is used again."""
        own = self._spare.get((name, index))
        if own is None or (own.shape, own.dtype) != (array.shape, array.dtype):
            queue = self.engine.tensors.on
            own = self._spare[name, index] = DeviceArray.new(queue, array.shape, array.dtype)
        own[...] = array
        return own

    def restore(self) -> None:
        """Put everything back as it was."""
        super().restore()
        tensors = self.engine.tensors
        for array, values in zip(self._numbers, self._kept, strict=True):
            array[...] = values
        if self._first and self.engine.has_stepped:  # the host knows how a first step begins
            tensors.push_again()
            self.engine.forget_clocks()

    def _held(self) -> list[DeviceArray]:
        """Return the numbers that the card alone knows."""
        tensors = self.engine.tensors
        return [tensors.rows, tensors.numbers, *self.engine.clocks]


def _works_before_asking(plan: Plan) -> bool:
    """Does a step compute anything before its last gradient is there?"""
    asks = [place for place, step in enumerate(plan.steps) if isinstance(step, Ask)]
    return any(isinstance(step, Work) for step in plan.steps[: asks[-1]]) if asks else False
