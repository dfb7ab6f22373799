"""Algorithms that are set as a table: a row a line, bold words, and depth by space.

`&\\textbf{for} \\: t=1 \\: \\textbf{to} \\ldots \\textbf{do} \\\\` opens a block; the rows that
stand deeper, `&\\hspace{5mm} g_t \\leftarrow ...`, are in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from optdsl.diagnostics import Span
from optdsl.latex.lines import Line
from optdsl.latex.problems import refuse

_BOLD = r"\\(?:textbf|mathbf|bf|bfseries)\s*\{?\s*"
_TABLE = re.compile(rf"(?:\\\\|\}})(?:\[[^\]]*\])?[\s&]*{_BOLD}(?:for|while)\b")
_ROW = re.compile(
    r"\\begin\{(?P<inner>cases|dcases|array)\}.*?\\end\{(?P=inner)\}"
    r"|(?P<ends>\\\\(?:\s*\[[^\]]*\])?|\\(?:begin|end)\{[a-zA-Z*]+\}|\\[\[\]]|\$\$)",
    re.DOTALL,
)
_SPACE = re.compile(
    r"[\s&~]+|\\hspace\*?\{\s*(?P<size>[\d.]+)\s*(?P<unit>mm|cm|em|ex|pt)\s*\}|\\(?P<quads>q?quad)(?![a-z])"
    r"|\\[:;,! >]|\\(?:label|tag\*?)\s*\{[^{}]*\}"
    r"|\\(?:rule\s*\{[^{}]*\}\s*\{[^{}]*\}|hline|midrule|toprule|bottomrule)(?![a-z])"
)
_SIZES = {"mm": 1.0, "cm": 10.0, "em": 3.5, "ex": 1.5, "pt": 0.35}
_FONT = r"\\(?:textbf|mathbf|bf|bfseries|text|textit|mathrm)\s*\{?\s*"
_WORD = re.compile(
    rf"(?:{_FONT})?(?P<word>else\s*if|elif|else|if|for|while|return|inputs?|outputs?|require|ensure"
    r"|initiali[sz]e)(?![A-Za-z])\s*\}?\s*:?",
    re.IGNORECASE,
)
_END = re.compile(rf"(?:\s|\\[:;, ]|:|\.|(?:{_FONT})(?:do|then)\s*\}}?)+\Z")
_OPENS = {"for": "endfor", "while": "endwhile", "if": "endif"}


@dataclass(frozen=True)
class _Row:
    depth: float
    word: str
    rest: Span
    span: Span


def is_table(latex: str) -> bool:
    """Is it an algorithm whose lines are the rows of a display?"""
    return "\\begin{algorithm" not in latex and _TABLE.search(latex) is not None


def table_lines(span: Span) -> Iterator[Line]:
    """Cut a table into lines, with an end for each block; DiagnosticError where one has none."""
    opened: list[_Row] = []
    for row in _joined(_rows(span)):
        while opened and row.depth <= opened[-1].depth and not _goes_on(row, opened[-1]):
            yield _closing(opened.pop())
        if row.word in _OPENS:
            opened.append(row)
            yield Line(row.word, row.rest, _nothing(row.rest), row.span)
        elif row.word in ("elsif", "else"):
            if not opened or opened[-1].word != "if":
                raise refuse("latex-unbalanced", "`else` stands below no `if`", row.span)
            argument = row.rest if row.word == "elsif" else None
            yield Line(row.word, argument, _nothing(row.rest), row.span)
        else:
            yield Line(row.word, None, row.rest, row.span)
    for row in reversed(opened):
        yield _closing(row)


def _goes_on(row: _Row, above: _Row) -> bool:
    """Is it another branch of what is open?"""
    return row.word in ("elsif", "else") and above.word == "if" and row.depth == above.depth


def _closing(row: _Row) -> Line:
    return Line(_OPENS[row.word], None, _nothing(row.rest), row.span)


def _nothing(span: Span) -> Span:
    return Span(span.source, span.end, span.end)


def _rows(span: Span) -> Iterator[_Row]:
    text, at = span.source.text, span.start
    ends = [match.span("ends") for match in _ROW.finditer(text, span.start, span.end)]
    for low, high in [*(one for one in ends if one[0] >= 0), (span.end, span.end)]:
        row = _row(Span(span.source, at, low))
        at = high
        if row is not None:
            yield row


def _row(span: Span) -> _Row | None:
    text, at, depth = span.source.text, span.start, 0.0
    while (space := _SPACE.match(text, at, span.end)) is not None:
        at = space.end()
        if space["size"]:
            depth += float(space["size"]) * _SIZES[space["unit"]]
        elif space["quads"]:
            depth += _SIZES["em"] * len(space["quads"].replace("uad", ""))
    if at >= span.end:
        return None
    whole = Span(span.source, at, span.end)
    match = _WORD.match(text, at, span.end)
    if match is None:
        return _Row(depth, "state", whole, whole)
    word = re.sub(r"\s+", "", match["word"].lower())
    place = Span(span.source, *match.span("word"))
    rest = _trimmed(Span(span.source, match.end(), span.end))
    return _Row(depth, _CALLED.get(word, word), rest, place)


_CALLED = {"elseif": "elsif", "elif": "elsif", "initialize": "begin", "initialise": "begin"} | (
    dict.fromkeys(("input", "inputs", "output", "outputs", "require", "ensure"), "input")
)


def _trimmed(span: Span) -> Span:
    """Leave out what ends a header: `do`, `then`, a colon, space."""
    text = span.text
    match = _END.search(text)
    head = re.match(r"(?:\s|\\[:;, ])*", text)
    low = head.end() if head else 0
    high = match.start() if match and match.start() >= low else len(text)
    return Span(span.source, span.start + low, span.start + max(low, high))


def _joined(rows: Iterator[_Row]) -> Iterator[_Row]:
    """What is given, and where states start, may take several rows."""
    open_row: _Row | None = None
    for row in rows:
        if open_row is not None and row.word == "state" and row.depth > open_row.depth:
            rest = Span(row.rest.source, open_row.rest.start, row.rest.end)
            open_row = _Row(open_row.depth, open_row.word, rest, open_row.span)
            continue
        if open_row is not None:
            yield _as_line(open_row)
        open_row = row if row.word in ("input", "begin", "state") else None
        if open_row is None:
            yield row
    if open_row is not None:
        yield _as_line(open_row)


def _as_line(row: _Row) -> _Row:
    return _Row(row.depth, "state", row.rest, row.span) if row.word == "begin" else row
