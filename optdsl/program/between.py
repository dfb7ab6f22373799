"""What is computed between two passes: numbers of all tensors at once, matrices one by one.

Both kinds of work may need each other, so they come in groups, each after what it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from optdsl.model.expressions import Kind, values
from optdsl.model.system import Equation, System
from optdsl.program.levels import Levels
from optdsl.program.streams import made_of_matrices, sweeps, written_streams


@dataclass
class Group:
    """Equations that one stage computes; those of a group with `matrices` tensor by tensor."""

    matrices: bool
    equations: list[Equation] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """What it defines."""
        return {each.name for each in self.equations}


def groups_between(system: System, levels: Levels, part: int, number: int) -> list[Group]:
    """Return what is computed before pass `number` of a part, in order.

    The first group holds the numbers that need no matrix; it may be empty.
    """
    groups = [Group(matrices=False)]
    place: dict[str, int] = {}
    written = written_streams(system)
    for equation in system.equations:
        if equation.part != part or levels.value[equation.name] != number:
            continue
        matrices = made_of_matrices(equation, written) or _folded(equation)
        number_of_tensors = equation.value.kind in (Kind.ALL, Kind.TENSOR)
        if sweeps(equation.value) and not matrices:
            place[equation.name] = 0
        elif matrices or number_of_tensors:
            _put(equation, matrices, groups, place)
        elif equation.value.kind is Kind.ENTRY:
            place[equation.name] = _after(equation, place)
    return groups


def _folded(equation: Equation) -> bool:
    """Is it a reduction to rows or columns, which a pass has begun?"""
    return sweeps(equation.value) and not equation.value.kind.is_number


def _after(equation: Equation, place: dict[str, int]) -> int:
    return max(
        (place[each.name] for each in values(equation.value) if each.offset == 0
         and each.name in place), default=0,
    )  # fmt: skip


def _put(equation: Equation, matrices: bool, groups: list[Group], place: dict[str, int]) -> None:
    first = _after(equation, place)
    for index in range(first, len(groups)):
        if groups[index].matrices is matrices:
            break
    else:
        index = len(groups)
        groups.append(Group(matrices))
    groups[index].equations.append(equation)
    place[equation.name] = index
