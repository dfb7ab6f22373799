"""Every shipped definition says what it is held against, but for compositions."""

from __future__ import annotations

from optdsl.language import syntax
from optdsl.library import find, shipped


def claims_of(name):
    definition, _ = find(name)
    return definition, [s for s in definition.statements if isinstance(s, syntax.Claim)]


def without_claim():
    for name in shipped():
        definition, claims = claims_of(name)
        if definition.value is None and all(claim.verb == "unreadable" for claim in claims):
            yield name


def test_no_rule_is_without_a_claim():
    assert list(without_claim()) == []
