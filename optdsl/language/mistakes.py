"""What is said of lines that stand in the wrong place."""

from __future__ import annotations

import re

from optdsl.diagnostics import Diagnostic, Span, did_you_mean
from optdsl.language import syntax

FAMILIES = ("optimizer", "schedule", "transform")

_HEADER_LIKE = re.compile(r"([^\W\d]\w*)\s+[^\W\d]\w*\s*($|[(=]|gives\b|extends\b|\")")


def place(mistake: Diagnostic) -> int:
    """Return where a mistake begins, to tell them in the order of the text."""
    return -1 if mistake.span is None else mistake.span.start


def unknown_header(code: str, span: Span) -> Diagnostic | None:
    """Return what is wrong with a line that looks like the header of an unknown family."""
    found = _HEADER_LIKE.match(code)
    if found is None:
        return None
    family = found[1]
    near = did_you_mean(family.lower(), FAMILIES)
    if near is None and found[2] == "=":
        return None
    return Diagnostic(
        "unknown-family",
        f"`{family}` begins no definition",
        Span(span.source, span.start, span.start + len(family)),
        near or "a definition begins with `optimizer`, `schedule` or `transform`",
    )


def outside(span: Span) -> Diagnostic:
    """Tell of a statement before any definition."""
    return Diagnostic(
        "outside-definition",
        "this line belongs to no definition",
        span,
        "begin with a header at the margin, as in `optimizer Name`",
    )


def unindented(span: Span) -> Diagnostic:
    """Tell of a statement at the margin."""
    return Diagnostic(
        "unindented",
        "this line stands at the margin but begins no definition",
        span,
        "indent it below its definition, or begin with `optimizer`, `schedule` or `transform`",
    )


def indented_definition(span: Span) -> Diagnostic:
    """Tell of a header that is indented."""
    return Diagnostic(
        "indented-definition",
        "a definition begins at the margin",
        span,
        "remove the spaces before it",
    )


def empty(header: syntax.Definition) -> Diagnostic:
    """Tell of a definition that says nothing."""
    return Diagnostic(
        "empty-definition",
        f"{header.family} {header.name} has no statements",
        header.span,
        "indent its statements below it",
    )


def repeated(header: syntax.Definition) -> Diagnostic:
    """Tell of a second definition of one name."""
    return Diagnostic(
        "repeated-definition",
        f"{header.name} is defined twice in this file",
        header.span,
        "rename one of them",
    )


def in_composition(header: syntax.Definition, statement: syntax.Statement) -> Diagnostic:
    """Tell of a statement below a definition that is composed of others."""
    return Diagnostic(
        "composition",
        f"{header.name} is composed of others: only claims may stand below it",
        statement.span,
        "write a rule that `extends` another to change what it says",
    )


def misplaced_docstring(span: Span) -> Diagnostic:
    """Tell of a string that documents nothing."""
    return Diagnostic(
        "misplaced-docstring",
        "a string on a line of its own documents the header right above it, once",
        span,
        "move it right below the header, or write a comment: # ...",
    )
