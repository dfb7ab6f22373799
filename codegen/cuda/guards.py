"""Steps that a device skips: kernels behind a guard look at its flag, and leave all as it is.

Only the device knows whether a gradient holds a NaN, and nobody waits for it to say so.
"""

from __future__ import annotations

from collections.abc import Callable

from optdsl.codegen.naming import comment
from optdsl.codegen.source import indent
from optdsl.codegen.unit import Unit
from optdsl.model.expressions import Kind
from optdsl.program.formulas import formula
from optdsl.program.program import Ask, Guard, Matrices, Pass, Stage

#: Where the cohort of a tensor is found, in kernels that know which block they are.
_ROW_OF_BLOCK = "read(int64, rows, read(int64, owners, block_index()))"


def can_rest(unit: Unit, part: int) -> bool:
    """Is there anything that lets the stages of a part rest?"""
    return bool(_guards(unit, part))


def _guards(unit: Unit, part: int) -> list[Guard]:
    guards = [stage for stage in unit.function.stages if isinstance(stage, Guard)]
    return [guard for guard in guards if guard.part < part]


def resting_pass(unit: Unit, stage: Pass | Matrices) -> list[str]:
    """Return the first lines of a kernel that goes through entries, rows or columns."""
    return _resting(unit, stage, lambda slot: _of_cohort(unit, slot, _ROW_OF_BLOCK), "read")


def resting_finish(unit: Unit, stage: Stage, kind: Kind) -> list[str]:
    """Return the first lines of a kernel that finishes reductions.

    Where it does so for all tensors, all rest or none does.
    """
    owner = "0" if kind is Kind.ALL else "block_index()"
    row = f"read(int64, rows, {owner})"
    return _resting(unit, stage, lambda slot: _of_cohort(unit, slot, row), "read_changing")


def resting_clock(unit: Unit, part: int) -> list[str]:
    """Return the lines of a kernel that counts the steps of one cohort."""
    return _lines(unit, part, lambda slot: f"exactly, {slot}", "read_changing")


def _resting(unit: Unit, stage: Stage, place: Callable[[int], str], read: str) -> list[str]:
    assert not isinstance(stage, Ask)
    looks = (p for p in unit.programs if not p.moves)
    if any(each is stage for program in looks for each in program.stages):
        return []  # what takes no step cannot be skipped
    return _lines(unit, stage.part, place, read)


def _of_cohort(unit: Unit, slot: int, row: str) -> str:
    return f"exactly, {len(unit.slots.scalars)} * read(int64, cohort, {row}) + {slot}"


def _lines(unit: Unit, part: int, place: Callable[[int], str], read: str) -> list[str]:
    lines = []
    written = {skip.part: formula(skip.condition, unit.indexed) for skip in unit.system.skips}
    for guard in _guards(unit, part):
        row, slot = unit.slots.place(guard.condition)
        if row == "tensor":  # the runtime refuses to decide this on a device
            continue
        where = place(slot) if row == "step" else f"everything, {slot}"
        lines.append(f"# skip this where {comment(written[guard.part])}")
        lines += [f"if {read}(float64, {where}) != 0.0:", *indent(["return"])]
    return lines
