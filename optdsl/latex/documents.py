"""The source documents: displayed equations by the number or label they are known by.

A document is a file of displays with comments between them. In `equation` a
`\\tag`, or a `\\label` right behind `\\begin{equation}`, names the whole
display; a `\\label` at the end of a row names that row. In `align` each row
has tags and labels of its own. An `algorithm` is named as a whole by its label.
Comments in a display or on the lines above it are its notes:
`% repaired: ...`, `% in words`, `% from memory`. The note `% an assignment` says that the
display's equals signs set what stands to their left, whatever the document prints.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from optdsl.diagnostics import Diagnostic, DiagnosticError, SourceText, Span, did_you_mean
from optdsl.latex.algorithms import read_block
from optdsl.latex.declared import Declared, spellings
from optdsl.latex.equations import SourceEquation, parse_rows, read_parsed, read_rows
from optdsl.latex.macros import written_out
from optdsl.latex.notation import Sides
from optdsl.latex.remarks import unread_remarks
from optdsl.latex.rows import Row
from optdsl.latex.tables import is_table
from optdsl.latex.tokens import tokenize

_BEGIN = re.compile(
    r"\\begin\{(equation|align|gather|algorithm2e|algorithm)(\*?)\}((?:\s*\\label\{[^{}]*\})*)"
)
_NAMED = re.compile(r"\\(tag|label)\{([^{}]*)\}")
_COMMENT = re.compile(r"(?<!\\)%[ \t]*([^\n]*)")
_RANGE = re.compile(r"(\d+)-(\d+)")


@dataclass(frozen=True)
class Display:
    """One displayed block: what names the whole of it, what its rows, its notes and its place."""

    tags: tuple[str, ...]
    row_tags: tuple[str, ...]
    notes: tuple[str, ...]
    span: Span

    @property
    def latex(self) -> str:
        """The display as it stands in the file."""
        return self.span.text

    @property
    def algorithm(self) -> bool:
        """Is it an algorithm block?"""
        return self.latex.startswith("\\begin{algorithm") or is_table(self.latex)

    def rows(self, tags: Collection[str], declared: Declared) -> list[tuple[str, Row]]:
        """Return the rows that `tags` name, each with the tag that names it.

        Without tags that is every row. A row that continues the one above it (`&= ...`) comes
        with the left side it needs.
        """
        rows = tokenize(self.span, spellings(declared))
        if any(note.startswith("an assignment") for note in self.notes):
            rows = tuple(_assigning(row) for row in rows)
        whole = next((tag for tag in self.tags if tag in tags), None)
        found: list[tuple[str, Row]] = []
        head: Row | None = None
        for row in rows:
            continues = row.tokens[0].type == "RELATION"
            if not continues:
                head = row
            named = whole or next((tag for tag in row.tags if tag in tags), None)
            if named is None and tags:
                continue
            if continues and whole is None and head is not None:
                left = head.tokens[: _first_relation(head)]
                row = Row((*left, *row.tokens), row.tags, row.span)
            found.append((named or "", row))
        return found


@dataclass(frozen=True)
class SourceDocument:
    """A document whose equations claims refer to.

    `about` is the comment at its head: author, title, where to find it.
    """

    name: str
    about: str
    source: SourceText = field(repr=False)
    displays: tuple[Display, ...] = field(repr=False)

    @property
    def tags(self) -> tuple[str, ...]:
        """Every number and label, in the order of the document."""
        return tuple(tag for display in self.displays for tag in (*display.tags, *display.row_tags))

    def display(self, tag: str) -> Display:
        """Return the display that holds what `tag` names; DiagnosticError where there is none."""
        for display in self.displays:
            if tag in display.tags or tag in display.row_tags:
                return display
        hint = did_you_mean(tag, self.tags) or "it has " + (", ".join(self.tags) or "none")
        message = f"`{self.name}` has no equation `{tag}`"
        raise DiagnosticError(Diagnostic("unknown-equation", message, None, hint))

    def equations(self, tags: Iterable[str], declared: Declared = ()) -> tuple[SourceEquation, ...]:
        """Return the equations with these numbers and labels, in the order of the document.

        They are read together. `19-21` stands for three numbers. Without tags, all displays are
        read. `declared` are
        names known to be names (see `read`). Raises DiagnosticError for a tag that is
        not there and for what cannot be read.
        """
        wanted = expand(tags, self.tags)
        asked = {id(each): each for each in map(self.display, wanted)}
        if not wanted:
            asked = {id(each): each for each in self._some_displays()}
        parsed: list[tuple[Sides, str | None]] = []
        loop: tuple[str, int] | None = None
        rows: list[Row] = []
        for display in self.displays:
            if id(display) not in asked:
                continue
            if display.algorithm:
                block = read_block(display.span, spellings(declared))
                parsed += [*parse_rows(tuple(rows))]
                name = next(iter(display.tags), None)
                parsed += [(statement, name) for statement in block.statements]
                rows, loop = [], loop or block.loop
                continue
            for tag, row in display.rows(wanted, declared):
                rows.append(Row(row.tokens, (tag,) if tag else (), row.span))
        if not parsed:
            return read_rows(rows, declared)
        place = next(iter(asked.values())).span
        return read_parsed([*parsed, *parse_rows(tuple(rows))], declared, place, loop)

    def asked(self, tags: Iterable[str]) -> tuple[Display, ...]:
        """Return the displays that hold what these tags name, each once."""
        found = {id(each): each for each in map(self.display, expand(tags, self.tags))}
        return tuple(found.values())

    def remarks(self, tags: Iterable[str]) -> tuple[Diagnostic, ...]:
        """Return a warning for each remark of these displays that may say more than formulas."""
        return tuple(
            found
            for display in self.asked(tags)
            for found in unread_remarks(display.span, algorithm=display.algorithm)
        )

    def _some_displays(self) -> tuple[Display, ...]:
        if self.displays:
            return self.displays
        message = f"{self.source.name} displays no equation"
        hint = "put what is to be read between `\\begin{align}` and `\\end{align}`"
        raise DiagnosticError(Diagnostic("no-equations", message, None, hint))


def expand(tags: Iterable[str], known: Collection[str] = ()) -> tuple[str, ...]:
    """Write ranges of numbers out: `19-21` is 19, 20, 21, unless it is itself a label."""
    found: list[str] = []
    for tag in tags:
        match = _RANGE.fullmatch(tag)
        if match and tag not in known and int(match[1]) <= int(match[2]):
            found.extend(str(number) for number in range(int(match[1]), int(match[2]) + 1))
        else:
            found.append(tag)
    return tuple(found)


def parse_document(name: str, text: str, path: str | None = None) -> SourceDocument:
    """Return the document that a LaTeX file holds; each number and label may stand once."""
    source = written_out(SourceText(path or f"{name}.tex", text))
    text = source.text
    displays: list[Display] = []
    at = 0
    while match := _BEGIN.search(text, at):
        if _in_comment(text, match.start()):
            at = match.end()
            continue
        closing = f"\\end{{{match[1]}{match[2]}}}"
        end = text.find(closing, match.end())
        if end < 0:
            span = Span(source, match.start(), match.end())
            message = f"`{closing}` is missing"
            raise DiagnosticError(Diagnostic("latex-unbalanced", message, span))
        at = end + len(closing)
        displays.append(_display(source, match, at))
    document = SourceDocument(name, _head(text), source, tuple(displays))
    _check_once(document)
    return document


def _display(source: SourceText, match: re.Match[str], end: int) -> Display:
    body = _COMMENT.sub("", source.text[match.end() : end])
    head = [label for _, label in _NAMED.findall(match[3])]
    whole = list(head)
    rows: list[str] = []
    for kind, label in _NAMED.findall(body):
        numbered = (kind == "tag" and match[1] == "equation") or match[1] == "algorithm"
        (whole if numbered else rows).append(label)
    start = start_of_notes(source.text, match.start())
    notes = tuple(note.strip() for note in _COMMENT.findall(source.text[start:end]))
    return Display(tuple(whole), tuple(rows), notes, Span(source, match.start(), end))


def start_of_notes(text: str, at: int) -> int:
    """Return where the comment lines directly above a display begin."""
    start = text.rfind("\n", 0, at) + 1
    while start > 0:
        above = text.rfind("\n", 0, start - 1) + 1
        if not text[above:start].lstrip().startswith("%"):
            break
        start = above
    return start


def _in_comment(text: str, at: int) -> bool:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return re.search(r"(?<!\\)%", line) is not None


def _assigning(row: Row) -> Row:
    """Return the row with assignments for its equals signs."""
    tokens = tuple(
        token.update(value=":=") if token.type == "RELATION" and token == "=" else token
        for token in row.tokens
    )
    return Row(tokens, row.tags, row.span)


def _head(text: str) -> str:
    lines = []
    for line in text.split("\n"):
        if not line.startswith("%"):
            break
        lines.append(line.lstrip("% ").rstrip())
    return "\n".join(lines)


def _first_relation(row: Row) -> int:
    kinds = [token.type for token in row.tokens]
    return kinds.index("RELATION") if "RELATION" in kinds else len(kinds)


def _check_once(document: SourceDocument) -> None:
    seen: set[str] = set()
    for display in document.displays:
        for tag in (*display.tags, *display.row_tags):
            if tag in seen:
                message = f"`{tag}` names two equations"
                raise DiagnosticError(Diagnostic("latex-twice", message, display.span))
            seen.add(tag)
