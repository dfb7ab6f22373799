"""Reading and writing the files that a command was given."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from optdsl.commands.terminal import Misuse


def read_text(path: Path) -> str:
    """Return what `path` holds. Raises `Misuse` where that is not text, `OSError` as usual."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Misuse(f"{path}: not a text file (byte {error.start} is not UTF-8)") from None


def write_text(path: Path, text: str) -> None:
    """Put `text` at `path` whole or not at all, keeping the file's permissions."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes, executable: bool = False) -> None:
    """Put `data` at `path` whole or not at all, keeping the file's permissions."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = (0o777 if executable else 0o666) & ~_umask()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, path.stat().st_mode if path.exists() else new)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
