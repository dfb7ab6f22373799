"""Which equations of the source documents the shipped specs speak of, and why not the others."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from optdsl.language import syntax
from optdsl.latex.documents import Display, SourceDocument, expand

_EXCUSE = re.compile(r"not claimed(?P<named>(?:,\s*[\w.:-]+)*)\s*:\s*(?P<reason>.*)")


@dataclass(frozen=True)
class Mention:
    """A claim of a rule: its verb, and every number and label that it cites."""

    rule: str
    verb: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Coverage:
    """An equation of a document, what claims it, or the reason why nothing does.

    `tags` are its number and labels; a display that is numbered as a whole is one equation,
    of one that numbers its rows each row is. `line` is where it stands in the file.
    """

    document: str
    tags: tuple[str, ...]
    line: int
    mentions: tuple[Mention, ...]
    excuse: str | None

    @property
    def problem(self) -> str | None:
        """What is wrong: nothing claims it and nothing says why, or both."""
        if not self.tags:
            return "it has neither a number nor a label"
        if self.mentions and self.excuse is not None:
            return "it is claimed, and yet a comment says why it is not"
        if not self.mentions and self.excuse is None:
            return "no spec claims it, and no comment `% not claimed: ...` says why"
        if self.excuse == "":
            return "its comment `% not claimed:` gives no reason"
        return None


def mentions_in(definitions: Iterable[syntax.Definition]) -> dict[str, list[Mention]]:
    """Return what definitions claim of documents, by the name of the document.

    >>> from optdsl.language import parse
    >>> file = parse("optimizer A\\n  theta[t] = theta[t-1] - g[t]\\n  source ruder2016 eq 1-2\\n")
    >>> mentions_in(file.definitions)["ruder2016"][0].tags
    ('1', '2')
    """
    found: dict[str, list[Mention]] = {}
    for definition in definitions:
        for claim in definition.statements:
            if isinstance(claim, syntax.Claim) and isinstance(claim.other, syntax.Document):
                mention = Mention(definition.name, claim.verb, claim.other.tags)
                found.setdefault(claim.other.name, []).append(mention)
    return found


def coverage_of(
    document: SourceDocument, mentions: Mapping[str, Iterable[Mention]]
) -> list[Coverage]:
    """Return every equation of a document, in its order, with what is said of it."""
    known = document.tags
    cited = [
        replace(mention, tags=expand(mention.tags, known))
        for mention in mentions.get(document.name, ())
    ]
    return [
        _covered(document, display, tags, cited)
        for display in document.displays
        for tags in _equations(display)
    ]


def _equations(display: Display) -> Iterator[tuple[str, ...]]:
    if display.tags or not display.row_tags:
        yield (*display.tags, *display.row_tags)
    else:
        yield from ((tag,) for tag in display.row_tags)


def _covered(
    document: SourceDocument, display: Display, tags: tuple[str, ...], cited: Iterable[Mention]
) -> Coverage:
    line, _ = document.source.position(display.span.start)
    about = tuple(mention for mention in cited if set(mention.tags) & set(tags))
    return Coverage(document.name, tags, line, about, _excuse(display.notes, tags))


def _excuse(notes: Iterable[str], tags: Collection[str]) -> str | None:
    """Return the reason that the comments give; it runs on to the next one, or to the end.

    `% not claimed: ...` is of the whole display, `% not claimed, LABEL: ...` of one row.
    """
    reasons: list[str] = []
    inside = False
    for note in notes:
        match = _EXCUSE.fullmatch(note)
        if match is not None:
            named = re.findall(r"[\w.:-]+", match["named"])
            inside = not named or bool(set(named) & set(tags))
            reasons += [match["reason"]] if inside else []
        elif inside:
            reasons.append(note)
    return " ".join(reasons).strip() if reasons else None
