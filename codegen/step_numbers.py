"""What functions read that compute the numbers of a step, alike in every language."""

from __future__ import annotations

from optdsl.codegen.naming import Identifiers
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Clock, Value


def clock_text(clock: Clock) -> str:
    """Return the step that a clock tells, as text."""
    return "t" if clock.offset == 0 else f"t {'+' if clock.offset > 0 else '-'} {abs(clock.offset)}"


class Reads:
    """Local names for what a function reads of its arrays; one line each, at its head.

    `line` is what such a line looks like; `given` the array of numbers that are known already;
    `true` stands behind a number that is read as true or false.
    """

    line = "{name} = {place}"
    given = "scalars"
    true = " != 0.0"

    def __init__(self, unit: Unit, names: Identifiers, local: set[str]) -> None:
        self.unit = unit
        self.names = names
        self.local = local
        self.lines: list[str] = []
        self._read: set[Value] = set()

    def value(self, value: Value) -> str:
        """Return the name of a value; where it is read of an array, add the line that does so."""
        name = self.names.value(value)
        computed = value.name in self.local and value.offset == 0
        if not computed and value not in self._read:
            self._read.add(value)
            self.lines.append(self.line.format(name=name, place=self._place(value)))
        return name

    def _place(self, value: Value) -> str:
        slots = self.unit.slots
        if value in slots.hyper:
            text = self.read("hyper", slots.hyper[value])
        elif value.offset == -1:
            text = self.read("step_state", slots.step_state[value.name])
        else:
            text = self.read(self.given, slots.scalars[value])
        return text + self.true if value.name in self.unit.predicates else text

    def read(self, array: str, slot: int) -> str:
        """Return the text of a number of an array."""
        return f"{array}[{slot}]"
