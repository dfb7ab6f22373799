"""Numbers of a step on the device: for steps that are recorded once and replayed without a host.

One block a cohort; the host gives each its own addresses. The clock of the part moves on, so that
the next launch computes the next step.
"""

from __future__ import annotations

from optdsl.codegen.cuda.guards import can_rest, resting_clock
from optdsl.codegen.cuda.signatures import STEP, TAKEN, maker
from optdsl.codegen.host import scalars_of
from optdsl.codegen.naming import Identifiers, comment
from optdsl.codegen.printing import Dialect, python
from optdsl.codegen.slots import exported
from optdsl.codegen.source import Functions, indent
from optdsl.codegen.step_numbers import Reads, clock_text
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Kind, Value
from optdsl.program.program import Program


def emit_scalars(unit: Unit, program: Program, part: int, host: str, functions: Functions) -> str:
    """Add the kernel beside the function `host`; return the text of both together.

    A program that moves nothing is run by the host alone.
    """
    skips = program.moves and can_rest(unit, part)
    if program.mode != "ready" and unit.system.family != "schedule" and not skips:
        return host
    name = functions.add("clock", _Step(unit, program, part).lines())
    return f"timed({host}, {name})"


class _Step:
    """The lines of the kernel that computes the numbers of one part."""

    def __init__(self, unit: Unit, program: Program, part: int) -> None:
        self.unit = unit
        self.program = program
        self.part = part
        self.assignments = scalars_of(program, part)
        self.names = Identifiers(taken=TAKEN)
        self.local = {each.name for each in self.assignments}
        self.reads = _Reads(unit, self.names, self.local)

    def lines(self) -> list[str]:
        """Return the function that makes the kernel for numbers rounded to `real`."""
        dialect = Dialect(self.reads.value, clock_text, predicates=self.unit.predicates, prefix="")
        body: list[str] = []
        for each in self.assignments:
            text = python(each.expression, dialect)
            if " = " in each.comment:
                body.append(f"# {comment(each.comment)}")
            body.append(f"{self.names.value(Value(each.name, Kind.STEP))} = {text}")
        writes = []
        for given in exported(self.program, self.part):
            text = python(given, dialect)
            if isinstance(given, Value) and given.name in self.unit.predicates:
                text = f"where({text}, 1.0, 0.0)"
            place = self.unit.slots.scalars[given]
            writes += [
                f"write(float64, exactly, {place}, {text})",
                f"write(real, numbers, {place}, {text})",
            ]
        for state, slot in self.unit.slots.step_state.items():
            if state in self.local:
                new = self.names.value(Value(state, Kind.STEP))
                writes.append(f"write(float64, step_state, {slot}, {new})")
        inner = [
            "if thread_index() > 0:",
            *indent(["return"]),
            *resting_clock(self.unit, self.part),
            f"steps = read_changing(int64, clocks, {self.part}) + 1",
            "t = float64(steps)",
            *self.reads.lines,
            *body,
            *writes,
            f"write(int64, clocks, {self.part}, steps)",
        ]
        return maker('"step"', ["real"], STEP, inner)


class _Reads(Reads):
    """The same on a device, where this kernel writes to all arrays but `hyper`."""

    given = "exactly"

    def read(self, array: str, slot: int) -> str:
        """Return the text of a number of an array."""
        word = "read" if array == "hyper" else "read_changing"
        return f"{word}(float64, {array}, {slot})"
