"""What a user asks for by a text: a name, a file or a composition; told apart unread."""

from __future__ import annotations

import re
from pathlib import Path


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
    if not isinstance(what, Path) and not re.search(r"\.opt(:\w+)?$|[/\\]", text):
        return None
    path, colon, name = text.rpartition(":")
    return (Path(path), name) if colon and path.endswith(".opt") else (Path(text), "")
