"""All comparisons, from every file `of_*.py` of this folder."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from tests.catalogue.compare import Case


@cache
def all_cases() -> tuple[Case, ...]:
    """Return the cases of every group, by the name of their file."""
    files = sorted(Path(__file__).parent.glob("of_*.py"))
    groups = [import_module(f"tests.catalogue.{file.stem}") for file in files]
    return tuple(case for group in groups for case in group.CASES)
