"""Which shipped rule is the paper's, for a name that a library uses, and why another is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from optdsl.checks.implementations.nearest import shipped_optimizers
from optdsl.diagnostics import DiagnosticError
from optdsl.language import syntax


@dataclass(frozen=True)
class Paper:
    """A shipped rule, and where it was published: `dozat2016 eq nadam`, None where it says not."""

    rule: str
    source: str | None


def paper_of(name: str) -> Paper | None:
    """Return the rule that a library's name means: of those so called, the one with a source.

    >>> paper_of("torch.optim.NAdam").rule, paper_of("optax.rmsprop").rule
    ('Nadam', 'RMSprop')
    """
    last = re.split(r"[.:]", name.partition("(")[0])[-1]
    called = _plain(last)
    same = [rule for rule in shipped_optimizers() if _plain(rule) == called]
    if not same:
        longer = (rule for rule in shipped_optimizers() if _plain(rule).startswith(called))
        same = sorted(longer, key=len)[:1]
    same.sort(key=lambda rule: source_of(rule) is None)
    return Paper(same[0], source_of(same[0])) if same else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


@cache
def source_of(rule: str) -> str | None:
    """Return the first document that a shipped rule claims to follow."""
    for claim in _claims(rule):
        if claim.verb == "source" and isinstance(claim.other, syntax.Document):
            return f"{claim.other.name} eq {', '.join(claim.other.tags)}"
    return None


def doc_of(rule: str) -> str | None:
    """Return what a shipped rule says of itself."""
    from optdsl.library import find

    return find(rule)[0].doc


def why_not(rule: str, other: str) -> str | None:
    """Return why two shipped rules differ: as one of them says, or as the prover finds."""
    said = _said(rule, lambda name: name == other) or _said(other, lambda name: name == rule)
    if said is None:
        said = _found(rule, other)
    return said or _said(rule, lambda name: _plain(name).startswith(_plain(other)))


def _said(rule: str, of: Callable[[str], bool]) -> str | None:
    for claim in _claims(rule):
        named = claim.other
        if claim.verb == "differs" and isinstance(named, syntax.Name) and of(named.name):
            return claim.because and f"{claim.because}, says {rule} of {named.name}"
    return None


@cache
def _found(rule: str, other: str) -> str | None:
    from optdsl.checks.cache import remembered
    from optdsl.library import load_system

    try:
        ours, theirs = load_system(rule), load_system(other)
    except DiagnosticError:
        return None
    example = remembered(ours, theirs, frozenset(), {}, {}).counterexample
    cause = None if example is None else example.cause
    # Where one number hides a difference, that is no cause.
    return None if cause is None or cause.startswith("they agree at ") else cause


def _claims(rule: str) -> list[syntax.Claim]:
    from optdsl.library import find

    return [s for s in find(rule)[0].statements if isinstance(s, syntax.Claim)]
