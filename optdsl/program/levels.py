"""The first pass over memory in which each value can be known.

A reduction needs a pass of its own before whatever reads it; a gradient taken at
a point needs the pass that writes the point; no pass crosses a skip.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from optdsl.model.expressions import Kind, Value, values
from optdsl.model.system import Equation, Gradient, System
from optdsl.program.streams import THETA_BEFORE, part_count, sweeps


@dataclass
class Levels:
    """Pass numbers, counted from 0.

    `value` has for each equation, and each loss, the first pass in which it can be read;
    `reduced` the pass in which a reduction runs; `asked` the first pass that may read
    a gradient; `base` and `end` bound the passes of each part.
    """

    value: dict[str, int] = field(default_factory=dict)
    reduced: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    base: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)


def find_levels(system: System, written: dict[str, Value]) -> Levels:
    """Return the levels of a system whose numbers are named; `written` is stored by stream."""
    levels = Levels()
    start = 0
    for part in range(part_count(system)):
        levels.base.append(start)
        for equation in system.equations:
            if equation.part == part:
                _place(equation, system, levels, start)
        start = _passes_used(system, written, levels, part, start)
        levels.end.append(start)
    return levels


def _place(equation: Equation, system: System, levels: Levels, base: int) -> None:
    value = equation.value
    first = max([base, *(_read(each, system, levels) for each in values(value))])
    if sweeps(value):
        levels.reduced[equation.name] = first
        first += 1
    levels.value[equation.name] = first


def _read(value: Value, system: System, levels: Levels) -> int:
    """Return the first pass that may read `value`."""
    if value.kind is Kind.STEP or value.offset != 0:
        return 0
    for gradient in system.gradients:
        if value.name in (gradient.name, gradient.loss):
            return _asked(gradient, levels)
    return levels.value[value.name]


def _asked(gradient: Gradient, levels: Levels) -> int:
    if gradient.name not in levels.asked:
        point = gradient.point
        at_theta = point is None or point == THETA_BEFORE
        start = levels.base[gradient.part]
        assert at_theta or isinstance(point, Value)
        levels.asked[gradient.name] = start if at_theta else levels.value[point.name] + 1  # type: ignore[union-attr]
        if gradient.loss is not None:
            levels.value[gradient.loss] = levels.asked[gradient.name]
    return levels.asked[gradient.name]


def _passes_used(
    system: System, written: dict[str, Value], levels: Levels, part: int, start: int
) -> int:
    """Return the number of passes that the parts up to `part` need."""
    ends = [start]
    parts = {equation.name: equation.part for equation in system.equations}
    for name, level in levels.reduced.items():
        if parts[name] == part:
            ends.append(level + 1)
    for value in written.values():
        if parts[value.name] == part:
            ends.append(levels.value[value.name] + 1)
    return max(ends)
