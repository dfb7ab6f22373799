"""What a step costs in memory: bytes moved, and bytes kept, a parameter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from optdsl.model.alternatives import Rule, systems_of
from optdsl.model.expressions import Kind
from optdsl.model.storing import REST, with_rest
from optdsl.model.system import System
from optdsl.program.program import Pass, Program
from optdsl.storage import known_storage


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes a parameter that one pass reads and writes."""

    read: float
    written: float

    @property
    def moved(self) -> float:
        """Read and written together."""
        return _plain(Fraction(self.read) + Fraction(self.written))


def traffic(program: Program, width: int = 4) -> tuple[Traffic, ...]:
    """Return what each pass moves, for parameters of `width` bytes."""
    widths = _widths(program.system, width)
    return tuple(_of(each, widths) for each in program.passes)


def _of(stage: Pass, widths: Mapping[str, Fraction]) -> Traffic:
    return Traffic(
        _moved((load.stream for load in stage.loads), widths),
        _moved((store.stream for store in stage.stores), widths),
    )


def _moved(streams: Iterable[str], widths: Mapping[str, Fraction]) -> float:
    names = list(streams)
    if "theta" in names and REST in widths:
        names.append(REST)
    return _plain(sum((widths.get(name, widths["theta"]) for name in names), Fraction()))


def bytes_per_parameter(program: Program, width: int = 4) -> float:
    """Return how many bytes a step reads and writes a parameter of `width` bytes."""
    moved = (Fraction(each.moved) for each in traffic(program, width))
    return _plain(sum(moved, Fraction()))


def state_bytes(rule: Rule, width: int = 4) -> float:
    """Return how many bytes the states of `rule` keep a parameter of `width` bytes.

    A parameter is in one case at a time: they are those of the case that keeps the most.
    """
    return max(_kept(system, width) for system in systems_of(rule))


def _kept(system: System, width: int) -> float:
    widths = _widths(system, width)
    states = [s.name for s in with_rest(system).states if s.kind is Kind.ENTRY]
    return _plain(sum((widths[name] for name in states), Fraction()))


def _widths(system: System, width: int) -> dict[str, Fraction]:
    """Return the bytes an entry of every state, and of theta, like which all else is.

    States beside narrow parameters are float32.
    """
    said = {state.name: state.storage for state in with_rest(system).states}
    said["theta"] = system.parameters
    return {
        name: Fraction(width) if storage is None else known_storage(storage).width
        for name, storage in said.items()
    }


def _plain(count: Fraction) -> float:
    """Return bytes a parameter, as a whole number where they are one."""
    return int(count) if count.denominator == 1 else float(count)
