r"""Any LaTeX file as a source document: each of its displays gets a name, and can be kept.

A source document names what claims may cite. A file that someone writes does so here and there:
its displays stand in many environments, with labels or without. Here a display without one is
called `display-3`, the third of the file; in a file without any, the whole text is one, or each
line where each is an equation. What is chosen of a file can be written as a source document.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from optdsl.diagnostics import Diagnostic, DiagnosticError, SourceText, Span, did_you_mean
from optdsl.latex.declared import Declared
from optdsl.latex.documents import Display, SourceDocument, expand, parse_document, start_of_notes
from optdsl.latex.equations import SourceEquation
from optdsl.latex.macros import written_out
from optdsl.latex.problems import refuse

_ENVIRONMENTS = (
    "equation|align|alignat|flalign|gather|multline|eqnarray|displaymath|dmath|IEEEeqnarray"
    "|algorithm2e|algorithm|algorithmic"
)
_OPENED = re.compile(rf"\\begin\{{({_ENVIRONMENTS})(\*?)\}}|(?<!\\)\\\[|(?<!\\)\$\$")
_NAME = re.compile(r"\\(?:label|tag\*?)\s*\{([^{}]*)\}")
_TAG = re.compile(r"[A-Za-z0-9]+(?:[-._:][A-Za-z0-9]+)*")
_COMMENT = re.compile(r"(?<!\\)%[^\n]*")
_RELATION = re.compile(r"(?<![<>!])=|\\gets|\\leftarrow|\\sim")
_INLINE = "inline-"
_BETWEEN_DOLLARS = re.compile(r"(?<![\\$])\$([^$]+)\$(?!\$)")
_ALGORITHM = "\\begin{algorithm}"
_ROWS = ("align", "gather", "alignat", "flalign", "eqnarray")


@dataclass(frozen=True)
class Manuscript:
    """A LaTeX file and its displays, each of which has a name."""

    document: SourceDocument

    def equations(self, tags: Iterable[str], declared: Declared = ()) -> tuple[SourceEquation, ...]:
        """Return the equations with these names; see `SourceDocument.equations`."""
        return self.document.equations(tags, declared)

    @property
    def units(self) -> tuple[str, ...]:
        """One name of everything that can be chosen, in order: a display, or one of its rows."""
        return tuple(
            tag
            for display in self.document.displays
            for tag in (display.tags[:1] or display.row_tags)
            if not tag.startswith(_INLINE)
        )

    def none_displayed(self) -> DiagnosticError:
        """Return the error that only formulas within prose stand here; it lists them."""
        source = self.document.source
        listed = [f"{one.tags[0]} `{one.latex.strip()}`" for one in self.document.displays]
        hint = f"say with --eq which formulas of the text belong to the rule: {', '.join(listed)}"
        whole = Span(source, 0, len(source.text))
        return refuse("latex-no-equation", "no displayed equation stands here", whole, hint)

    def check(self, tags: Iterable[str]) -> tuple[str, ...]:
        """Return the names with ranges written out; DiagnosticError for one that is not there."""
        known = self.document.tags
        wanted = expand(tags, known)
        for tag in wanted:
            if tag not in known:
                hint = did_you_mean(tag, known) or "it has " + ", ".join(known)
                message = f"{self.document.source.name} has no equation `{tag}`"
                raise DiagnosticError(Diagnostic("unknown-equation", message, None, hint))
        return wanted

    def kept(self, tags: Collection[str], about: str) -> str:
        """Return what `tags` name as the text of a source document, with `about` at its head."""
        parts = [f"% {about}\n"]
        for display in self.document.displays:
            if set(tags) & {*display.tags, *display.row_tags}:
                parts.append(_kept(display, tags))
        return "\n".join(parts)


def parse_manuscript(name: str, text: str, path: str) -> Manuscript:
    """Return the displays of a LaTeX file.

    Raises:
        DiagnosticError: a display is not closed, or the file holds no equation.
    """
    source = written_out(SourceText(path, text))
    found = list(_displays(source)) or list(_bare(source))
    within = list(_within_prose(source, found))
    if not found and not within:
        hint = "put what is to be read between `\\begin{align}` and `\\end{align}`"
        whole = Span(source, 0, len(text))
        raise refuse("latex-no-equation", "no displayed equation stands here", whole, hint)
    seen: set[str] = set()
    displays = tuple(_named(span, number, seen) for number, span in enumerate(found, start=1))
    inline = tuple(
        Display((f"{_INLINE}{number}",), (), (), span)
        for number, span in enumerate(within, start=1)
        if f"{_INLINE}{number}" not in seen
    )
    every = tuple(sorted((*displays, *inline), key=lambda one: one.span.start))
    return Manuscript(SourceDocument(name, "", source, every))


def reads_alike(
    text: str, name: str, tags: Collection[str], equations: Iterable[SourceEquation], said: Declared
) -> bool:
    """Does a source document of this text say under these names just what `equations` say?"""
    try:
        again = parse_document(name, text).equations(tags, said)
    except DiagnosticError:
        return False
    return [_said(one) for one in again] == [_said(one) for one in equations]


def _said(equation: SourceEquation) -> tuple[object, ...]:
    return (equation.targets, equation.value, equation.assignment, equation.role)


# ------------------------------------------------------------------- displays


def _displays(source: SourceText) -> Iterator[Span]:
    text = _COMMENT.sub(lambda match: " " * len(match[0]), source.text)
    at = 0
    while match := _OPENED.search(text, at):
        opened = match[0]
        closing = {"\\[": "\\]", "$$": "$$"}.get(opened) or f"\\end{{{match[1]}{match[2]}}}"
        end = text.find(closing, match.end())
        if end < 0:
            place = Span(source, match.start(), match.end())
            raise refuse("latex-unbalanced", f"`{closing}` is missing", place)
        at = end + len(closing)
        yield Span(source, match.start(), at)


def _bare(source: SourceText) -> Iterator[Span]:
    """Equations outside of any display: the whole text, or each line that is one."""
    plain = _COMMENT.sub(lambda match: " " * len(match[0]), source.text)
    if _is_prose(plain):
        return
    lines = [(match.start(), match[0]) for match in re.finditer(r"[^\n]+", plain)]
    lines = [(start, line) for start, line in lines if line.strip()]
    if lines and "\\\\" not in plain and all(_RELATION.search(line) for _, line in lines):
        yield from (_trimmed(source, start, line) for start, line in lines)
    elif plain.strip():
        yield _trimmed(source, 0, plain)


def _within_prose(source: SourceText, displays: Iterable[Span]) -> Iterator[Span]:
    """Formulas between dollars in the text that set something: taken only where they are named."""
    taken = [(one.start, one.end) for one in displays]
    text = _COMMENT.sub(lambda match: " " * len(match[0]), source.text)
    for match in _BETWEEN_DOLLARS.finditer(text):
        low, high = match.span(1)
        if _RELATION.search(match[1]) and not any(a <= low < b for a, b in taken):
            yield Span(source, low, high)


def _is_prose(text: str) -> bool:
    """Are there words around formulas between dollars?"""
    outside = re.sub(r"\$[^$]*\$", " ", text)
    return outside != text and re.search(r"(?<![\\A-Za-z])[A-Za-z]{3,}", outside) is not None


def _trimmed(source: SourceText, start: int, text: str) -> Span:
    low = len(text) - len(text.lstrip())
    return Span(source, start + low, start + len(text.rstrip()))


def _named(span: Span, number: int, seen: set[str]) -> Display:
    """Name a display: by its label, or by its place; and its rows that have labels."""
    plain = _COMMENT.sub("", span.text)
    head = re.match(r"\\begin\{(\w+)\*?\}((?:\s*\\(?:label|tag)\{[^{}]*\})*)", plain)
    environment = "" if head is None else head[1]
    behind = [] if head is None else _NAME.findall(head[2])
    printed = _NAME.findall(plain)
    whole, rows = behind, printed[len(behind) :]
    if environment.startswith("algorithm") or (not whole and _one_label(plain, environment, rows)):
        whole, rows = printed, []
    if [_as_tag(label) for label in rows] != rows:
        rows = []
    count = len(re.findall(r"\\\\", re.sub(r"\\\\\s*\\end", r"\\end", plain))) + 1
    each = environment in _ROWS and len(rows) == count > 1
    whole = [_as_tag(label) for label in whole] or ([] if each else [f"display-{number}"])
    for label in (*whole, *rows):
        if label in seen:
            raise refuse("latex-twice", f"`{label}` names two equations", span)
        seen.add(label)
    start = start_of_notes(span.source.text, span.start)
    above = span.source.text[start : span.end]
    notes = tuple(match[0].lstrip("% \t").rstrip() for match in _COMMENT.finditer(above))
    return Display(tuple(whole), tuple(rows), notes, span)


def _one_label(text: str, environment: str, labels: list[str]) -> bool:
    """Is there one label, of the whole display? In an `align` it is that of its row."""
    return len(labels) == 1 and (environment not in _ROWS or "\\\\" not in text)


def _as_tag(label: str) -> str:
    """Return a label as claims may write it."""
    plain = re.sub(r"[^A-Za-z0-9._:-]+", "-", label)
    return "-".join(_TAG.findall(plain)) or "unnamed"


# -------------------------------------------------------------------- keeping


def _kept(display: Display, tags: Collection[str]) -> str:
    """Return a display as a source document has it: in an environment that it knows, named."""
    text, name = display.latex, next((tag for tag in display.tags if tag in tags), None)
    notes = "".join(f"% {note}\n" for note in display.notes if note.startswith("an assignment"))
    if name is None:
        known = text.startswith(("\\begin{equation}", "\\begin{align}", "\\begin{gather}"))
        return f"{notes}{text if known else _with_tags(text)}\n"
    bare = _NAME.sub("", text)
    label = f"\\label{{{name}}}"
    if bare.startswith(_ALGORITHM):
        return f"{notes}{_ALGORITHM} {label}{bare.removeprefix(_ALGORITHM)}\n"
    if bare.startswith("\\begin{algorithm"):
        return f"{notes}{_ALGORITHM} {label}\n{bare}\n\\end{{algorithm}}\n"
    inside = _inside(bare)
    if ("\\\\" in inside or "&" in inside) and not re.match(r"\s*\\begin\{", inside):
        inside = f"\\begin{{aligned}}\n{inside.strip()}\n\\end{{aligned}}"
    return f"{notes}\\begin{{equation}} {label}\n{inside.strip()}\n\\end{{equation}}\n"


def _with_tags(text: str) -> str:
    """Return an environment whose rows have labels as an `align`."""
    inside = _inside(text)
    return f"\\begin{{align}}\n{inside.strip()}\n\\end{{align}}"


def _inside(text: str) -> str:
    r"""Return what stands between the ends of a display; `\nonumber` goes with them."""
    for low, high in (("\\[", "\\]"), ("$$", "$$")):
        if text.startswith(low):
            return text[len(low) : -len(high)]
    match = re.match(r"\\begin\{(\w+\*?)\}(?:\{[^{}]*\})?", text)
    if match is None or not re.fullmatch(rf"(?:{_ENVIRONMENTS})\*?", match[1]):
        return text
    columns = match[1].startswith(("alignat", "IEEEeqnarray"))
    start = match.end() if columns else len(f"\\begin{{{match[1]}}}")
    return text[start : -len(f"\\end{{{match[1]}}}")]
