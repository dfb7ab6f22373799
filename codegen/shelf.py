"""Generated modules on disk: where they lie, how they are written and imported.

A module is written under another name and then moved into place, so that several processes may
compile the same rule at once and a crash leaves nothing half written. `asked` remembers which
module a text became, so that the text need not be read again: its name is a hash of all that the
module depends on, the bytes of the text and of every shipped spec among it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from types import ModuleType

from optdsl.codegen.versions import environment, files_of, hash_of
from optdsl.files import cache_directory, file_named, write_text

_IMPORTING = Lock()
_ASKED = "asked"


def place_of(name: str) -> Path:
    """Return where the module of this name lies."""
    return cache_directory() / name / f"{name}.py"


def write(path: Path, text: str) -> None:
    """Put `text` at `path`, in a folder that is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def imported(name: str) -> ModuleType:
    """Import the module of this name, once."""
    path, full = place_of(name), f"optdsl_cache.{name}"
    with _IMPORTING:
        module = sys.modules.get(full)
        if module is None or getattr(module, "__file__", None) != str(path):
            spec = importlib.util.spec_from_file_location(full, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            sys.modules[full] = module
        return module


# --------------------------------------------------------------- what was asked


def asked(what: str | Path, target: str, storage: Mapping[str, str]) -> Path | None:
    """Return the file that remembers which module this became; None where its text is not there."""
    try:
        found = file_named(what)
        text = b"" if found is None else found[0].read_bytes()
    except OSError:
        return None
    specs = hash_of(files_of("optdsl.specs", (".opt",)))
    facts = repr((str(what), sorted(storage.items()), specs, environment(target)))
    digest = hashlib.sha256(facts.encode() + text).hexdigest()
    return cache_directory() / _ASKED / digest[:32]


def remembered(note: Path | None) -> ModuleType | None:
    """Return the module that a note names; None where there is no note, or no such module."""
    try:
        name = "" if note is None else note.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return imported(name) if name.isidentifier() and place_of(name).exists() else None


def remember(note: Path | None, name: str) -> None:
    """Note which module a text became; where that cannot be written, the text is read again."""
    if note is not None:
        try:
            write(note, name)
        except OSError:
            return
