"""The module of a rule, from the cache: named by a hash of all that it depends on.

Machine code is kept beside a module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import cast

from optdsl.codegen import shelf
from optdsl.codegen.naming import identifier
from optdsl.codegen.versions import environment
from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.model.alternatives import Rule
from optdsl.program.describing import description
from optdsl.runtime.layout import Layout


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
    name = f"{identifier(rule.name).lower()}_{key(rule, target)}"
    path = shelf.place_of(name)
    if not path.exists():
        text = emit()
        try:
            shelf.write(path, text)
        except OSError as error:
            raise DiagnosticError(_unwritable(path, error)) from error
    return shelf.imported(name)


def _unwritable(path: Path, error: OSError) -> Diagnostic:
    return Diagnostic(
        "unwritable-cache",
        f"compiled code cannot be kept in {path.parent.parent}: {error.strerror or error}",
        hint="set OPTDSL_CACHE_DIR to a directory that can be written",
    )
