"""How long a step takes: predicted from bytes moved, launches, and what a machine can do.

A step of these rules waits for memory, so its time is that of moving its bytes, plus a fixed time
a launch. Memory gives its full bandwidth only while enough bytes are under way (Little's law:
bytes under way = bandwidth x latency), which is where occupancy comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from optdsl.model.expressions import Kind
from optdsl.program.lines import bytes_left, has_lines_alone, rounds
from optdsl.program.program import Combine, Matrices, Pass, Program
from optdsl.program.traffic import traffic


@dataclass(frozen=True, slots=True)
class Machine:
    """What moves the bytes.

    Args:
        name: what a report calls it.
        bandwidth: bytes a second that plain copying moves, read and written together.
        launch: seconds a launch takes besides moving bytes.
        latency: seconds from asking memory for a number to having it, under load; 0 for a
            processor that reads ahead by itself, and is never short of bytes under way.
        processors: how many multiprocessors a card has; unused where latency is 0.
    """

    name: str
    bandwidth: float
    launch: float
    latency: float = 0.0
    processors: int = 1


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch: bytes a parameter that it reads and writes.

    A thread works on `turns` pieces of the parameters, one after the other.
    `resident` is how many parameters one multiprocessor works on at a time: resident threads
    times entries a thread; None where that is no limit.
    """

    read: float
    written: float
    resident: int | None = None
    turns: int = 1


def launches(program: Program, width: int = 4) -> tuple[Launch, ...] | None:
    """Return the launches of a step, for parameters of `width` bytes.

    One a pass, and between passes one for the numbers for all tensors and one for those a
    tensor; where there are values a row or a column, one to finish their sums, and one for the
    numbers a tensor that come of them. None for a program that computes with whole matrices, whose
    time is not that of their bytes.
    """
    found: list[Launch] = []
    moved = iter(traffic(program, width))
    for stage in program.stages:
        if isinstance(stage, Matrices):
            if not has_lines_alone(stage):
                return None
            found += _over_lines(stage, width)
        elif isinstance(stage, Pass):
            bytes_moved = next(moved)
            left = sum(bytes_left(each, width) for each in stage.reductions)
            found.append(Launch(bytes_moved.read, bytes_moved.written + left))
        elif isinstance(stage, Combine):
            made = {each.kind for each in stage.reductions}
            made |= {each.kind for each in stage.assignments}
            found += [Launch(0, 0) for kind in (Kind.ALL, Kind.TENSOR) if kind in made]
    return tuple(found)


def _over_lines(stage: Matrices, width: int) -> Iterator[Launch]:
    """Yield the launches of a stage of rows and columns."""
    left = sum(bytes_left(each, width) for each in stage.folds)
    for reduced in rounds(stage):
        yield Launch(left, 0)
        if reduced:
            yield Launch(0, 0)


def predicted_seconds(launches: Iterable[Launch], parameters: int, machine: Machine) -> float:
    """Return the seconds that a step of so many parameters takes.

        seconds = sum over launches of (launch + parameters*(read + written)/rate)
        rate    = min(bandwidth, under way/latency)
        under way = read*min(parameters/turns, processors*resident)

    >>> card = Machine("a card", bandwidth=1e12, launch=3e-6)
    >>> adam = Launch(read=16, written=12)
    >>> f"{predicted_seconds([adam], 100_000_000, card)*1e3:.3f} ms"
    '2.803 ms'
    """
    return sum(_seconds(each, parameters, machine) for each in launches)


def _seconds(launch: Launch, parameters: int, machine: Machine) -> float:
    moved = parameters * (launch.read + launch.written)
    if not moved:
        return machine.launch
    return machine.launch + moved / _rate(launch, parameters, machine)


def _rate(launch: Launch, parameters: int, machine: Machine) -> float:
    if machine.latency == 0 or launch.resident is None or not launch.read:
        return machine.bandwidth
    at_once = min(parameters / launch.turns, machine.processors * launch.resident)
    under_way = launch.read * at_once
    return min(machine.bandwidth, under_way / machine.latency)
