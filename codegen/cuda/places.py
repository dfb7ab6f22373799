"""Where kernels find the numbers of a tensor, of its step, and of all tensors."""

from __future__ import annotations

from collections.abc import Collection

from optdsl.codegen.slots import Row
from optdsl.codegen.unit import Unit


def found_rows(unit: Unit, wanted: Collection[str], owner: str = "owner") -> list[str]:
    """Return the lines that find where the numbers of a tensor begin.

    `wanted` are "step", where those of its step do, "own", where its own do, and "identity", by
    which draws tell tensors apart.
    """
    lines = [f"row = read(int64, rows, {owner})"] if wanted else []
    if "identity" in wanted:
        lines.append("identity = row")
    if "step" in wanted:
        lines.append(f"step = {len(unit.slots.scalars)} * read(int64, cohort, row)")
    if "own" in wanted:
        lines.append(f"own = {len(unit.slots.tensor)} * row")
    return lines


def placed(row: Row, slot: int, wanted: set[str]) -> str:
    """Return the array and the place of a float64 number, as `read` and `write` take them.

    What `found_rows` must find for that is added to `wanted`.

    >>> placed("tensor", 3, set()), placed("all", 0, set())
    ('tensor, own + 3', 'everything, 0')
    """
    if row == "all":
        return f"everything, {slot}"
    array, start = ("exactly", "step") if row == "step" else ("tensor", "own")
    wanted.add(start)
    return f"{array}, {f'{start} + {slot}' if slot else start}"
