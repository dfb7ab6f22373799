"""Files: which one a text names, how they are written, and where what was made once is kept."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def file_named(what: str | Path) -> tuple[Path, str] | None:
    """Return the file that `what` names, and the definition in it, "" if none is named.

    None where it names no file, but a shipped definition or a composition.

    >>> path, name = file_named("mine.opt:Mine")
    >>> path.name, name
    ('mine.opt', 'Mine')
    >>> file_named("ClipByGlobalNorm(c=1) | Adam") is None
    True
    """
    text = str(what)
    if not isinstance(what, Path):
        composed = "|" in text and not Path(text).exists()
        if composed or not re.search(r"\.opt(:\w+)?$|[/\\]", text):
            return None
    path, colon, name = text.rpartition(":")
    return (Path(path), name) if colon and path.endswith(".opt") else (Path(text), "")


def source_file(name: str, folder: Path | None = None) -> Traversable | None:
    """Return the file of a source document: NAME.tex in `folder`, else a shipped one, or None.

    >>> source_file("ruder2016").name
    'ruder2016.tex'
    """
    beside = None if folder is None else folder / f"{name}.tex"
    if beside is not None and beside.is_file():
        return beside
    shipped = (file for file in source_folder().iterdir() if file.name == f"{name}.tex")
    return next(shipped, None)


def source_folder() -> Traversable:
    """Return the folder of the shipped source documents."""
    from importlib.resources import files

    return files("optdsl.specs").joinpath("sources")


def cache_directory() -> Path:
    """Return where what was made once is kept; OPTDSL_CACHE_DIR says otherwise."""
    chosen = os.environ.get("OPTDSL_CACHE_DIR")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("optdsl")


def write_text(path: Path, text: str) -> None:
    """Put `text` at `path` whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(
    path: Path, data: bytes, *, executable: bool = False, durable: bool = False
) -> None:
    """Put `data` at `path` whole or not at all, by way of a file beside it.

    Args:
        path: a file in a folder that exists; its permissions are kept where it does.
        data: all that the file is to hold.
        executable: may a new file be run?
        durable: wait until it is on the disk.

    Raises:
        OSError: `path` cannot be written; an old file is untouched then.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    mode = 0o777 if executable else 0o666
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            if path.exists():
                os.chmod(temporary, path.stat().st_mode)
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno is None:  # it says what it says in words, and names no file
            raise
        # The caller knows the file, and not the one beside it.
        raise type(error)(error.errno, error.strerror, str(path)) from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
