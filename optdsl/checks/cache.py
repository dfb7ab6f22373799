"""Verdicts kept by all that they depend on: both systems, the claim, the checker itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from optdsl.checks.equivalence import Verdict, compare
from optdsl.checks.equivalence.verdict import from_json
from optdsl.files import cache_directory, write_text
from optdsl.model.expressions import Expression
from optdsl.model.system import System

#: What a system holds that no verdict depends on.
_IGNORED = frozenset({"span", "doc", "definition", "source"})


def remembered(
    ours: System,
    theirs: System,
    constant: frozenset[str],
    mapping: Mapping[str, Expression],
    fixed: Mapping[str, Expression],
) -> Verdict:
    """Compare two systems, or return what an earlier comparison of the same found."""
    asked = (plain(ours), plain(theirs), sorted(constant), plain(mapping), plain(fixed))
    text = json.dumps([checker(), asked], sort_keys=True)
    path = cache_directory() / "checks" / f"{hashlib.sha256(text.encode()).hexdigest()[:40]}.json"
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there, or not readable: find it out again
    verdict = compare(ours, theirs, constant=constant, mapping=mapping, fixed=fixed)
    _write(path, verdict)
    return verdict


def _write(path: Path, verdict: Verdict) -> None:
    """Write whole or not at all; a cache that cannot be written is no cache."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(verdict.to_json()))


def plain(value: object) -> object:
    """Return what a value says, as data without the places it stands at.

    >>> from optdsl.model.expressions import number
    >>> plain(number(2))
    ['Number', '2', '2']
    """
    if is_dataclass(value) and not isinstance(value, type):
        parts = [plain(getattr(value, f.name)) for f in fields(value) if f.name not in _IGNORED]
        return [type(value).__name__, *parts]
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.name
    return value if isinstance(value, bool | int | None) else str(value)


@cache
def checker() -> str:
    """Return what identifies the checker: versions, and a hash of the text that decides."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    model = folder.parent / "model"
    own = [
        Path(__file__),
        *(folder / "equivalence").glob("*.py"),
        *(model / f"{n}.py" for n in _MODEL),
    ]
    for file in sorted(own):
        digest.update(file.read_bytes())
    return " ".join([*map(_version, ("optdsl", "mpmath", "sympy")), digest.hexdigest()])


def _version(package: str) -> str:
    """Return what is installed of a package, without the time that its loading takes."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


_MODEL = ("arithmetic", "evaluation", "expressions", "matrix_values", "system")
