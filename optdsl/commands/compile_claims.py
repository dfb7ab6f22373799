"""The claims of a rule, and what is known of each, for the head of what `optdsl compile` writes."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optdsl.language.syntax import Claim, Definition
    from optdsl.model import Rule
    from optdsl.model.inheritance import Lookup

#: The longest line: three letters of a hundred are for what makes it a comment of C.
_WIDTH = 97


def claim_lines(found: tuple[Definition, Lookup], rule: Rule) -> list[str]:
    """Return the claims of a definition in lines, each with the verdict that is known.

    Nothing is decided here: what no check has found yet is said to be unchecked.

    Args:
        found: the definition, and how the names in it are found.
        rule: what it means.
    """
    from optdsl.checks.known import claims_of, known

    definition, lookup = found
    claims = claims_of(definition)
    if not claims:
        return textwrap.wrap(_without_claims(definition, lookup), _WIDTH)
    verdicts = [known(claim, rule, lookup) for claim in claims]
    command = f"optdsl check {_checked_as(definition)}"
    if not any(verdicts):
        rows = [_row("", claim, 0) for claim in claims]
        head = f"What it claims of real numbers; not checked yet: {command}"
    else:
        said = [_said(claim, kind) for claim, kind in zip(claims, verdicts, strict=True)]
        width = max(map(len, said)) + 2
        rows = [_row(word, claim, width) for word, claim in zip(said, claims, strict=True)]
        head = f"What it claims of real numbers, and what `{command}` found:"
        if not all(verdicts):
            head = f"What it claims of real numbers; to check the rest: {command}"
    return [*textwrap.wrap(head, _WIDTH), "", *(line for row in rows for line in row)]


def claims_hold(found: Iterable[tuple[Definition, Lookup]]) -> bool:
    """Decide all claims; print what was found where one comes out other than expected."""
    from optdsl.commands.check import print_file, print_summary
    from optdsl.commands.checking import CheckedFile, check_rule

    rules = tuple(check_rule(definition, lookup) for definition, lookup in found)
    file = CheckedFile(_file_of(found), rules)
    if not file.good:
        print_file(file)
    print_summary([file])
    return file.good


def _said(claim: Claim, kind: str | None) -> str:
    """Return the verdict in words, with the one that the author expects where it is another."""
    from optdsl.checks.known import EXPECTED

    expected = EXPECTED[claim.verb]
    if kind is None:
        return "not checked yet"
    return kind if kind == expected else f"{kind} (expected: {expected})"


def _row(verdict: str, claim: Claim, width: int) -> list[str]:
    from optdsl.checks.known import claim_text

    first, rest = f"    {verdict:<{width}}", " " * (width + 8)
    return textwrap.wrap(
        claim_text(claim),
        _WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    )


def _without_claims(definition: Definition, lookup: Lookup) -> str:
    """Return what is said of a definition that claims nothing."""
    parts = list(dict.fromkeys(_claiming_parts(definition, lookup)))
    if not parts:
        return "It claims nothing: no source and no other rule was compared with it."
    return f"It claims nothing; the claims of its parts: optdsl check {' '.join(parts)}"


def _claiming_parts(definition: Definition, lookup: Lookup) -> Iterator[str]:
    """Yield what `optdsl check` calls the parts of a composition that claim something."""
    from optdsl.checks.known import claims_of
    from optdsl.language.syntax import Call, Name
    from optdsl.language.trees import walk

    for node in () if definition.value is None else walk(definition.value):
        if isinstance(node, Name | Call):
            part = lookup(node.name if isinstance(node, Name) else node.function)
            if part is not None and claims_of(part):
                yield _checked_as(part)
            elif part is not None:
                yield from _claiming_parts(part, lookup)


def _checked_as(definition: Definition) -> str:
    """Return what `optdsl check` calls a definition: its name, or the file that it stands in."""
    from optdsl.library import shipped

    file = _file_of([(definition, None)])
    own = definition.name in shipped() and shipped()[definition.name].file.name == file
    return definition.name if own else shlex.quote(Path(file).name)


def _file_of(found: Iterable[tuple[Definition, object]]) -> str:
    """Return the name of the file that definitions stand in."""
    spans = (definition.span for definition, _ in found)
    return next((span.source.name for span in spans if span is not None), "")
