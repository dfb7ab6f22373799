"""Write docs/doors.md: `python -m tests.doors.table`.

A column is a module `tests/doors/NAME_column.py` with a `TITLE` and `cell(name, family)`, which
says "works", "works: NOTE" or "refused: REASON" of a shipped definition after really trying it.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from optdsl.library import shipped

PAGE = Path(__file__).parents[2] / "docs" / "doors.md"
COLUMNS = ("torch", "cards", "optax", "keras")

HEAD = """# Which rule goes through which door

Every shipped definition, tried: built, and stepped three times beside the arrays of
`optdsl.load`, to the same parameters. On cards, kernels are run by a simulated driver, thread by
thread on the CPU: no card has taken these steps. `python -m tests.doors.table` writes this page.

"""


def columns() -> list[ModuleType]:
    """Return the modules of the columns whose frameworks are installed."""
    found = []
    for name in COLUMNS:
        try:
            found.append(import_module(f"tests.doors.{name}_column"))
        except ModuleNotFoundError as error:
            print(f"left out: {name} ({error})", file=sys.stderr)
    return found


def page() -> str:
    """Return the whole page."""
    modules, reasons = columns(), {}
    lines = [f"| rule | family | {' | '.join(module.TITLE for module in modules)} |"]
    lines.append("|---|---|" + "---|" * len(modules))
    for name, each in sorted(shipped().items(), key=_place):
        cells = [_numbered(name, module.cell(name, each.family), reasons) for module in modules]
        lines.append(f"| `{name}` | {each.family} | {' | '.join(cells)} |")
        print(lines[-1], file=sys.stderr)
    notes = [f"{number}. {reason}" for reason, number in reasons.items()]
    under = "\nWhy not:\n\n" + "\n".join(notes) + "\n" if notes else ""
    return HEAD + "\n".join(lines) + "\n" + under


def _place(item: tuple[str, object]) -> tuple[int, str]:
    families = ("optimizer", "transform", "schedule")
    return families.index(item[1].family), item[0].lower()  # type: ignore[attr-defined]


def _numbered(name: str, text: str, reasons: dict[str, int]) -> str:
    """Return a cell with the number of its reason, which stands under the table."""
    word, _, reason = text.partition(": ")
    assert word in ("works", "refused"), text
    if word == "works":
        return f"works, {reason}" if reason else "works"
    reason = re.sub(rf"`?\b{name}\b`?", "it", re.sub(r"^error\[\S+\]: ", "", reason))
    return f"refused [{reasons.setdefault(reason, len(reasons) + 1)}]"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
