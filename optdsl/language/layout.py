"""The layout rule: where each logical line of a spec starts and ends.

Definitions stand at the margin and their statements below them, indented, one
a line; a line indented deeper continues the one above. The text is never cut
or joined: comments, line ends and tabs become spaces of the same length, so an
offset into what the grammar reads is an offset into the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from optdsl.diagnostics import Diagnostic, SourceText, Span
from optdsl.language.characters import FORBIDDEN, belongs_in_code, describe

_PIECE = re.compile(r'"[^"\n]*"|\$[^$\n]*\$|#[^\n]*|["$]')
_STRANGE = re.compile(r"[^A-Za-z0-9_ \t\r\n+\-*/^@.,:=<>()\[\]|~\"$#!]")


@dataclass(slots=True)
class Line:
    """A logical line: a header or a statement, from `start` up to `end`.

    `gap` tells that an empty line stands above it.
    """

    start: int
    end: int
    at_margin: bool
    comments: tuple[str, ...] = ()
    trailing_comment: str | None = None
    gap: bool = False
    mistakes: list[Diagnostic] = field(default_factory=list)


@dataclass(slots=True)
class Layout:
    """The logical lines of a text; `code` is the text with all else blanked.

    `comments` are those after the last line, `mistakes` those of no line.
    """

    source: SourceText
    code: str
    lines: list[Line]
    comments: tuple[str, ...] = ()
    mistakes: list[Diagnostic] = field(default_factory=list)


def lay_out(source: SourceText) -> Layout:
    """Return the logical lines of `source`."""
    code, comments, mistakes = _read_signs(source)
    layout = Layout(source, code.replace("\t", " ").replace("\r", " "), [])
    _Reader(layout, comments).read()
    _tell_tabs(layout)
    _hand_out(layout, mistakes)
    layout.code = layout.code.replace("\n", " ")
    return layout


def blank(source: SourceText) -> Layout:
    """Return `source` as one logical line, whatever its indentation."""
    code, _, mistakes = _read_signs(source)
    code = re.sub(r"[\t\r\n]", " ", code)
    start = len(code) - len(code.lstrip())
    line = Line(start, max(start, len(code.rstrip())), True, mistakes=mistakes)
    return Layout(source, code, [line])


def _read_signs(source: SourceText) -> tuple[str, dict[int, str], list[Diagnostic]]:
    """Return the text without comments, the comments by offset, and what no spec may hold."""
    text = source.text
    if text.startswith("\ufeff"):
        text = " " + text[1:]
    mistakes: list[Diagnostic] = []
    comments: dict[int, str] = {}
    pieces: list[str] = []
    at = 0
    for piece in _PIECE.finditer(text):
        start, end = piece.span()
        if start < at:
            continue
        pieces.append(text[at:start])
        _find_strange(source, text, at, start, mistakes)
        first = piece[0][0]
        if first == "#":
            comments[start] = piece[0][1:].removeprefix(" ").rstrip()
            pieces.append(" " * len(piece[0]))
        elif len(piece[0]) == 1:
            end = _line_end(text, start)
            mistakes.append(_unclosed(source, start, end))
            pieces.append(text[start:end])
        else:
            pieces.append(piece[0])
        at = end
    pieces.append(text[at:])
    _find_strange(source, text, at, len(text), mistakes)
    mistakes += [_unknown(source, found.start()) for found in FORBIDDEN.finditer(text)]
    return "".join(pieces), comments, sorted(mistakes, key=_start)


def _line_end(text: str, offset: int) -> int:
    end = text.find("\n", offset)
    return len(text) if end < 0 else end


def _start(mistake: Diagnostic) -> int:
    return 0 if mistake.span is None else mistake.span.start


def _find_strange(
    source: SourceText, text: str, start: int, end: int, mistakes: list[Diagnostic]
) -> None:
    for found in _STRANGE.finditer(text, start, end):
        sign = found[0]
        if not belongs_in_code(sign) and not FORBIDDEN.match(sign):
            mistakes.append(_unknown(source, found.start()))


_SIGN_HINTS = {
    ";": "write one statement a line",
    "'": 'write text between double quotes: "..."',
    "`": 'write text between double quotes: "..."',
    "“": 'write text between straight double quotes: "..."',
    "”": 'write text between straight double quotes: "..."',
    "{": "write ( ) for grouping and [ ] for indices",
    "}": "write ( ) for grouping and [ ] for indices",
    "%": "write mod(a, b) for the remainder, # for a comment",
    "&": "write `and`",
    "\\": "write LaTeX between $ signs",
    "–": "write - for minus",
    "—": "write - for minus",
    "⊙": "write * for the product entry by entry",
    "∘": "write * for the product entry by entry",
    "÷": "write /",
    "←": "write =",
    "∇": "write grad(...)",
    "ᵀ": "write A.T for the transpose",
    "⊤": "write A.T for the transpose",
    "\u00a0": "write an ordinary space",
    "?": "write `a if condition else b`",
}


_LETTERS = "names are made of the letters a to z, digits and _, or Greek letters"


def _unknown(source: SourceText, offset: int) -> Diagnostic:
    sign = source.text[offset]
    return Diagnostic(
        "unexpected-character",
        f"{describe(sign)} has no meaning here",
        Span(source, offset, offset + 1),
        _SIGN_HINTS.get(sign) or (_LETTERS if sign.isalpha() else None),
    )


def _unclosed(source: SourceText, start: int, end: int) -> Diagnostic:
    sign = source.text[start]
    is_string = sign == '"'
    return Diagnostic(
        "unclosed-string" if is_string else "unclosed-latex",
        f"this {'string' if is_string else 'LaTeX'} is not closed on its line",
        Span(source, start, start + len(source.text[start:end].rstrip())),
        f"end it with {sign}",
    )


class _Reader:
    """Goes through the physical lines and gathers them into logical ones."""

    def __init__(self, layout: Layout, comments: dict[int, str]) -> None:
        self.layout = layout
        self.comments = comments
        self.pending: list[str] = []
        self.gap = False
        self.indent: int | None = None

    def read(self) -> None:
        offsets = iter(sorted(self.comments))
        comment_at = next(offsets, None)
        start = 0
        for physical in self.layout.code.split("\n"):
            end = start + len(physical)
            comment = None
            if comment_at is not None and comment_at <= end:
                comment = self.comments[comment_at]
                comment_at = next(offsets, None)
            self._take(start, physical, comment)
            start = end + 1
        self.layout.comments = tuple(self.pending)

    def _take(self, start: int, physical: str, comment: str | None) -> None:
        text = physical.strip(" ")
        if not text:
            if comment is None:
                self.gap = True
            else:
                self.pending.append(comment)
            return
        column = len(physical) - len(physical.lstrip(" "))
        begin, end = start + column, start + column + len(text)
        if start == 0 and self.layout.source.text.startswith("\ufeff"):
            column -= 1
        if column and self.indent is not None and column > self.indent:
            self._continue(end, comment)
            return
        line = Line(begin, end, column == 0, tuple(self.pending), comment, self.gap)
        self.pending, self.gap = [], False
        if column == 0:
            self.indent = None
        elif self.indent is None:
            self.indent = column
        elif column < self.indent:
            line.mistakes.append(self._shallow(line))
        self.layout.lines.append(line)

    def _continue(self, end: int, comment: str | None) -> None:
        line = self.layout.lines[-1]
        line.end = end
        if self.pending or comment is not None:
            behind = () if line.trailing_comment is None else (line.trailing_comment,)
            line.comments = (*line.comments, *behind, *self.pending)
            line.trailing_comment = comment
        self.pending, self.gap = [], False

    def _shallow(self, line: Line) -> Diagnostic:
        return Diagnostic(
            "indentation",
            f"this line is indented less than the statements above it, which begin "
            f"at column {(self.indent or 0) + 1}",
            Span(self.layout.source, line.start, line.end),
            "the statements of a definition begin at one column; "
            "a line indented deeper continues the one above",
        )


def _tell_tabs(layout: Layout) -> None:
    """Tell of the first line whose indentation mixes tabs with the spaces of others."""
    source = layout.source
    seen: str | None = None
    for found in re.finditer(r"^[ \t]+(?=[^ \t\r\n#])", source.text, re.MULTILINE):
        seen = seen or found[0][0]
        if set(found[0]) != {seen}:
            mistake = Diagnostic(
                "tab-indentation",
                "tabs and spaces are mixed in the indentation of this file",
                Span(source, *found.span()),
                "indent with spaces throughout",
            )
            own = [line for line in layout.lines if line.start == found.end()]
            holder: Line | Layout = own[0] if own else layout
            holder.mistakes.insert(0, mistake)
            return


def _hand_out(layout: Layout, mistakes: list[Diagnostic]) -> None:
    """Give each mistake to the line it stands in, so that a line reports only its first."""
    lines = iter(layout.lines)
    line = next(lines, None)
    for mistake in mistakes:
        start = _start(mistake)
        while line is not None and line.end <= start:
            line = next(lines, None)
        holder = layout if line is None or start < line.start else line
        holder.mistakes.append(mistake)
