"""Where documents are found: beside the spec that cites them, or shipped."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from optdsl.diagnostics import Diagnostic, DiagnosticError, Span, did_you_mean
from optdsl.files import source_file, source_folder
from optdsl.latex.documents import SourceDocument, parse_document
from optdsl.latex.manuscripts import parse_manuscript


def load_document(name: str, folder: Path | None = None) -> SourceDocument:
    """Return a source document by its name, such as `ruder2016`.

    NAME.tex in `folder`, where the spec stands that cites it, comes before a shipped one.
    A display of it that has neither number nor label is called by its place, `display-3`.
    Raises DiagnosticError where there is none, or it is no source document.

    What ends in `.tex` is the path of a file instead. Raises OSError where it cannot be read.

    >>> load_document("ruder2016").equations(["21"])[0].targets[0].name
    'theta'
    """
    if name.endswith(".tex"):
        return _from_file(Path(name))
    file = source_file(name, folder)
    beside = None if folder is None else folder / f"{name}.tex"
    if file is not None:
        return _from_file(beside) if beside is not None and file == beside else _load(name)
    hint = did_you_mean(name, document_names()) or "there are " + ", ".join(document_names())
    message = f"no source document is called `{name}`"
    if beside is not None:
        message += f", and there is no {beside}"
    raise DiagnosticError(Diagnostic("unknown-document", message, None, hint))


def document_names() -> tuple[str, ...]:
    """Return the names of the shipped source documents."""
    entries = (entry.name for entry in source_folder().iterdir())
    return tuple(sorted(name[:-4] for name in entries if name.endswith(".tex")))


def _from_file(path: Path) -> SourceDocument:
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"{path} is not a UTF-8 text: byte {error.start} is no part of one"
        raise DiagnosticError(Diagnostic("not-text", message)) from None
    return _with_places(parse_document(path.stem, text, str(path)), text)


def _with_places(document: SourceDocument, text: str) -> SourceDocument:
    """Name the displays that have no name by their place: `display-3` is the third of the file."""
    named = [display for display in document.displays if display.tags or display.row_tags]
    try:
        every = parse_manuscript(document.name, text, document.source.name).document.displays
    except DiagnosticError:
        return document
    rest = [each for each in every if not any(_overlap(each.span, one.span) for one in named)]
    displays = sorted([*named, *rest], key=lambda display: display.span.start)
    return replace(document, displays=tuple(displays))


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


@cache
def _load(name: str) -> SourceDocument:
    text = source_folder().joinpath(name + ".tex").read_text(encoding="utf-8")
    return parse_document(name, text, f"specs/sources/{name}.tex")
