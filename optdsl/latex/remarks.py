"""Remarks that nobody reads: which of them may say more than the formulas beside them.

`\\Comment{...}`, words behind a triangle and words in brackets are passed over. Where all their
words only describe, they say nothing; any other is shown to whoever imports the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from optdsl.diagnostics import Diagnostic, DiagnosticError, Span
from optdsl.latex import vocabulary as words
from optdsl.latex import wording
from optdsl.latex.lines import lines
from optdsl.latex.scanning import take_argument
from optdsl.latex.tables import is_table, table_lines

_COMMAND = re.compile(
    r"\\(?:Line)?(?:Comment|COMMENT|tcp|tcc)\*?(?![A-Za-z])(?:\[[^\]]*\])?\s*(?=\{)"
)
_TRIANGLE = re.compile(
    r"\\(?:triangleright|rhd|vartriangleright)(?![A-Za-z])\s*\$?(?P<said>[^\n]*)|//(?P<slashed>[^\n]*)"
)
_BRACKETED = re.compile(
    r"\((?P<inside>[^()]*)\)|(?<!\\)\\\{(?P<braced>[^{}$]*[A-Za-z]{3}[^{}]*)\\\}"
)
_AS_TEXT = re.compile(r"\\(?:text|textrm|textit|mbox)\{\s*\((?P<text>[^(){}]*)\)\s*\}")
_RELATES = re.compile(r"=|<|>|\\(?:leq?|geq?|leqslant|geqslant|gets|leftarrow|neq?|in)(?![A-Za-z])")
_BOUNDS = re.compile(r"<|>|\\(?:leq?|geq?|leqslant|geqslant)(?![A-Za-z])")
_GIVEN = frozenset(("require", "ensure", "input", "output", "kwin", "kwout"))
#: What a line of what is given, or a caption, may say of the steps.
_DOES_AFTER = re.compile(
    r"\b(?:clipped|projected|normali[sz]ed|truncated|reset|restarted|quanti[sz]ed|masked|averaged"
    r"|every (?:\S+ )?(?:steps?|epochs?|iterations?)|(?:after|before) (?:each|every)"
    r"|periodically)\b",
    re.IGNORECASE,
)
_DOES = "if it does something, write it as a formula"


def unread_remarks(block: Span, *, algorithm: bool) -> tuple[Diagnostic, ...]:
    """Return a warning for every remark of a display that may say more than its formulas."""
    found = {(one.start, one.end): one for one in _asides(block, algorithm)}
    return tuple(
        Diagnostic("latex-remark", "this remark is not read", place, _DOES, "warning")
        for _, place in sorted(found.items(), key=lambda pair: pair[0])
        if says_more(place.text)
    )


def says_more(remark: str) -> bool:
    """May a remark say what no formula does: has it a word that is not one of description?"""
    if _demands(remark):
        return True
    if any(_RELATES.search(one["math"] or one["other"] or "") for one in wording.math_in(remark)):
        return True
    plain = re.sub(r"\\[A-Za-z]+|\\.", " ", wording.without_formulas(remark))
    said = re.findall(r"[a-z]+(?:-[a-z]+)*", plain.lower())
    return any(len(one) > 1 and one not in words.ALGORITHM | words.DESCRIBES for one in said)


def _demands(words_: str) -> bool:
    """Do words hold in some steps only, or do something?"""
    return wording.limit(words_) is not None or wording.unsaid(f"({words_})") is not None


def _asides(block: Span, algorithm: bool) -> Iterator[Span]:
    source = block.source
    for match in _COMMAND.finditer(source.text, block.start, block.end):
        _, after = take_argument(source, match.end(), block.end, match[0])
        yield Span(source, match.end() + 1, after - 1)
    for match in _TRIANGLE.finditer(source.text, block.start, block.end):
        group = "said" if match["said"] is not None else "slashed"
        yield Span(source, *match.span(group))
    if not algorithm:
        yield from _matches(_AS_TEXT, block, block.text)
        return
    try:
        every = list(table_lines(block) if is_table(block.text) else lines(block))
    except DiagnosticError:  # said where the block is read
        return
    for line in every:
        said = wording.without_formulas(line.text.text)
        bound = line.word == "ensure" and _BOUNDS.search(line.text.text)
        if bound or (line.word in _GIVEN and _DOES_AFTER.search(said)):
            yield _trimmed(line.text)
        if line.word == "caption" and line.argument and _DOES_AFTER.search(line.argument.text):
            yield line.argument
        if line.word in ("state", "statex", ""):
            yield from _matches(_AS_TEXT, line.text, line.text.text)
            yield from _matches(_BRACKETED, line.text, _plain(line.text.text))


def _trimmed(place: Span) -> Span:
    return Span(place.source, place.start, place.start + len(place.text.rstrip()))


def _plain(text: str) -> str:
    """Return the words of a line; without dollars it is a formula, and has none."""
    return wording.without_formulas(text) if "$" in text else ""


def _matches(pattern: re.Pattern[str], place: Span, text: str) -> Iterator[Span]:
    for match in pattern.finditer(text):
        low, high = match.span(match.lastgroup or 0)
        yield Span(place.source, place.start + low, place.start + high)
