"""What a step of a rule costs: memory that it keeps, and memory that it moves."""

from __future__ import annotations

from dataclasses import dataclass

from optdsl.model.expressions import Kind
from optdsl.model.system import State, System
from optdsl.program.program import Pass, Program

_FLOAT32 = 4
_STORED = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "int8": 1}


@dataclass(frozen=True, slots=True)
class Costs:
    """Bytes a parameter in float32, and loops over memory, of one step.

    `passes` and `moved_bytes` are None for a schedule, which touches no tensor.
    """

    state_bytes: int
    passes: int | None
    moved_bytes: int | None


def costs(system: System, program: Program | None) -> Costs:
    """Count what `program`, the step of `system`, keeps and moves.

    Arrays count by how they are stored; the loss and the gradient's own making count for nothing.
    """
    kept = sum(_width(state) for state in system.states if state.kind is Kind.ENTRY)
    if program is None or system.family == "schedule":
        return Costs(kept, None, None)
    return Costs(kept, len(program.passes), sum(_moved(system, one) for one in program.passes))


def _moved(system: System, one: Pass) -> int:
    widths = {state.name: _width(state) for state in system.states}
    # A value of a kind other than ENTRY is a number in a register, not a stream of memory.
    streams = [access.stream for access in (*one.loads, *one.stores)
               if access.value.kind is Kind.ENTRY]  # fmt: skip
    return sum(widths.get(stream, _FLOAT32) for stream in streams)


def _width(state: State) -> int:
    return _FLOAT32 if state.storage is None else _STORED[state.storage]
