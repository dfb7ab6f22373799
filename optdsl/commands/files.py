"""Reading the files that a command was given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from optdsl.commands.terminal import Misuse


def read_text(path: Path) -> str:
    """Return what `path` holds. Raises `Misuse` where that is not text, `OSError` as usual."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Misuse(f"{path}: not a text file (byte {error.start} is not UTF-8)") from None


def spec_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files named by `paths`; of a folder, every `.opt` file below it."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        below = sorted(path.rglob("*.opt"))
        if not below:
            raise Misuse(f"{path}: no .opt file in this folder")
        found.extend(below)
    return list(dict.fromkeys(found))
