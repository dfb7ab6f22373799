"""Generated modules on disk, named by a hash of all that they depend on.

A module is written under another name and then moved into place, so that
several processes may compile the same rule at once and a crash leaves
nothing half written. Numba keeps its machine code beside the module.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import cast

import platformdirs

from optdsl.codegen.naming import identifier
from optdsl.codegen.versions import environment
from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.model.alternatives import Rule
from optdsl.program.describing import description
from optdsl.runtime.layout import Layout

_IMPORTING = Lock()


def cache_directory() -> Path:
    """Return where generated modules are kept; OPTDSL_CACHE_DIR says otherwise."""
    chosen = os.environ.get("OPTDSL_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("optdsl"))


def key(rule: Rule, target: str) -> str:
    """Return the hash of everything that the compiled module of `rule` depends on."""
    facts = "\n".join((description(rule), *environment(target)))
    return hashlib.sha256(facts.encode()).hexdigest()[:24]


def load(rule: Rule, target: str, emit: Callable[[], str]) -> Layout:
    """Return the layout of `rule`; see `imported`."""
    return cast(Layout, imported(rule, target, emit).LAYOUT)


def imported(rule: Rule, target: str, emit: Callable[[], str]) -> ModuleType:
    """Import the module of `rule` from the cache, written by `emit` where it is missing.

    Raises:
        DiagnosticError: where the cache cannot be written.
    """
    digest = key(rule, target)
    name = f"{identifier(rule.name).lower()}_{digest}"
    path = cache_directory() / name / f"{name}.py"
    if not path.exists():
        text = emit()
        try:
            _write(path, text)
        except OSError as error:
            raise DiagnosticError(_unwritable(path, error)) from error
    return _imported(path, f"optdsl_cache.{name}")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _unwritable(path: Path, error: OSError) -> Diagnostic:
    return Diagnostic(
        "unwritable-cache",
        f"compiled code cannot be kept in {path.parent.parent}: {error.strerror or error}",
        hint="set OPTDSL_CACHE_DIR to a directory that can be written",
    )


def _imported(path: Path, name: str) -> ModuleType:
    with _IMPORTING:
        module = sys.modules.get(name)
        if module is None or getattr(module, "__file__", None) != str(path):
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            sys.modules[name] = module
        return module
