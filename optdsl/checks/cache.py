"""Verdicts kept by all that they depend on: both systems, the claim, the checker itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from optdsl.checks.equivalence import Verdict, compare
from optdsl.checks.equivalence.verdict import from_json
from optdsl.checks.plain import installed, plain
from optdsl.files import cache_directory, write_text
from optdsl.model.expressions import Expression
from optdsl.model.system import System


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


@cache
def checker() -> str:
    """Return what identifies the checker: versions, and a hash of the text that decides."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    model = folder.parent / "model"
    own = [
        Path(__file__),
        folder / "plain.py",
        *(folder / "equivalence").glob("*.py"),
        *(model / f"{n}.py" for n in _MODEL),
    ]
    for file in sorted(own):
        digest.update(file.read_bytes())
    return f"{installed('optdsl', 'mpmath', 'sympy')} {digest.hexdigest()}"


_MODEL = ("arithmetic", "evaluation", "expressions", "matrix_values", "system")
