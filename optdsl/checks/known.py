"""What checks found of claims, kept so that it can be told without reading a document again.

Nothing here imports what compares or what reads LaTeX: a command that only tells is quick.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from optdsl.checks.plain import installed, plain
from optdsl.diagnostics import DiagnosticError
from optdsl.files import cache_directory, source_file, write_text
from optdsl.language import syntax
from optdsl.model import Rule, build_rule
from optdsl.model.inheritance import Lookup

#: The verdict that an author expects who writes this verb.
EXPECTED = {
    "source": "proved",
    "equals": "proved",
    "differs": "differs",
    "unreadable": "not understood",
}

#: The parts of the package that a verdict on a text depends on.
_PACKAGES = ("checks", "language", "latex", "model")


def claims_of(definition: syntax.Definition) -> list[syntax.Claim]:
    """Return the claims of a definition, in its order."""
    return [each for each in definition.statements if isinstance(each, syntax.Claim)]


def claim_text(claim: syntax.Claim) -> str:
    """Return a claim as it stands in the spec, on one line."""
    return " ".join(claim.span.text.split()) if claim.span is not None else claim.verb


def known(claim: syntax.Claim, ours: Rule, lookup: Lookup) -> str | None:
    """Return the kind of verdict that an earlier check found, None where none is known.

    Args:
        claim: a claim of `ours`.
        ours: what the claiming definition means.
        lookup: gives the definition of a name, or None.
    """
    path = _place(claim, ours, lookup)
    try:
        return None if path is None else str(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def keep(claim: syntax.Claim, ours: Rule, lookup: Lookup, kind: str) -> None:
    """Keep the kind of a verdict for `known`; a cache that cannot be written is no cache."""
    path = _place(claim, ours, lookup)
    if path is not None and known(claim, ours, lookup) != kind:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(kind))


def _place(claim: syntax.Claim, ours: Rule, lookup: Lookup) -> Path | None:
    """Return the file of a claim, named by all that its verdict depends on; None without it."""
    said = replace(claim, comments=(), trailing_comment=None)
    try:
        other = _other(claim, ours, lookup)
    except (DiagnosticError, OSError):
        return None
    if other is None:
        return None
    text = json.dumps([_code(), plain(ours), plain(said), other], sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:40]
    return cache_directory() / "claims" / f"{name}.json"


def _other(claim: syntax.Claim, ours: Rule, lookup: Lookup) -> object:
    """Return what the claim compares with, as data: bytes of a document, or what a rule means."""
    match claim.other:
        case syntax.Document(name):
            file = source_file(name, lookup.folder)
            return None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()
        case syntax.Name(name, ()):
            definition = lookup(name)
        case expression:
            definition = syntax.Definition(ours.family, "Other", value=expression)
    return None if definition is None else plain(build_rule(definition, lookup))


@cache
def _code() -> str:
    """Return what identifies the code that reads and decides: versions, and a hash of its text."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for part in _PACKAGES:
        for file in sorted((package / part).rglob("*.py")):
            digest.update(file.read_bytes())
    return f"{installed('optdsl', 'mpmath', 'sympy')} {digest.hexdigest()}"
