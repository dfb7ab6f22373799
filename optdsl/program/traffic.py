"""What a step costs in memory: bytes moved, and bytes kept, a parameter."""

from __future__ import annotations

from dataclasses import dataclass

from optdsl.model.alternatives import Rule, systems_of
from optdsl.model.expressions import Kind
from optdsl.model.system import State
from optdsl.program.program import Pass, Program

#: Bytes of one stored number, by storage format.
WIDTHS = {"bfloat16": 2, "float16": 2, "float32": 4, "float64": 8, "int8": 1}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes a parameter that one pass reads and writes."""

    read: int
    written: int

    @property
    def moved(self) -> int:
        """Read and written together."""
        return self.read + self.written


def traffic(program: Program, width: int = 4) -> tuple[Traffic, ...]:
    """Return what each pass moves, for parameters of `width` bytes."""
    widths = {state.name: _width(state, width) for state in program.system.states}
    return tuple(_of(each, widths, width) for each in program.passes)


def _of(stage: Pass, widths: dict[str, int], width: int) -> Traffic:
    return Traffic(
        sum(widths.get(load.stream, width) for load in stage.loads),
        sum(widths.get(store.stream, width) for store in stage.stores),
    )


def bytes_per_parameter(program: Program, width: int = 4) -> int:
    """Return how many bytes a step reads and writes a parameter of `width` bytes."""
    return sum(each.moved for each in traffic(program, width))


def state_bytes(rule: Rule, width: int = 4) -> int:
    """Return how many bytes the states of `rule` keep a parameter of `width` bytes.

    A parameter is in one case at a time: they are those of the case that keeps the most.
    """
    return max(
        sum(_width(state, width) for state in system.states if state.kind is Kind.ENTRY)
        for system in systems_of(rule)
    )


def _width(state: State, width: int) -> int:
    return width if state.storage is None else WIDTHS[state.storage]
