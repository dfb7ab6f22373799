"""Looks ahead in the text where one character is not enough."""

from __future__ import annotations

import re

from optdsl.diagnostics import SourceText, Span
from optdsl.latex.problems import refuse


def take_argument(source: SourceText, at: int, end: int, printed: str) -> tuple[str, int]:
    """Return what stands in the braces behind the command `printed`, and where they end."""
    text = source.text
    while at < end and text[at].isspace():
        at += 1
    if at >= end or text[at] != "{":
        place = Span(source, at, min(at + 1, end))
        raise refuse("latex-unexpected", f"expected `{{` after `{printed}`", place)
    depth = 0
    for here in range(at, end):
        depth += {"{": 1, "}": -1}.get(text[here], 0)
        if depth == 0:
            return text[at + 1 : here], here + 1
    raise refuse("latex-unbalanced", "`{` is never closed", Span(source, at, at + 1))


def heads_brackets(letters: str, rest: str) -> bool:
    """Is a run of letters the head of `RMS[g]` or of `MeanSquare(w, t)`?"""
    if letters.isupper():
        return re.match(r"\s*(?:\\left)?\[", rest) is not None
    inside = re.match(r"\s*(?:\\left)?\(([^()]*)\)", rest)
    named = len(letters) > 2 and letters[0].isupper()
    return named and inside is not None and "," in inside[1]


def lists_behind(text: str, at: int, end: int) -> bool:
    """Does a bracket with a list stand here, `(a, \\frac{b}{c})`?"""
    match = re.compile(r"\s*(?:\\left\s*|\\[bB]igg?l?\s*)?\(").match(text, at, end)
    depth = 1
    for here in range(match.end() if match else end, end):
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(text[here], 0)
        if depth <= 1 and text[here] in ",)":
            return depth == 1 and text[here] == ","
    return False


_REALS = re.compile(
    r"\s*\\mathbb\s*(?:\{\s*R\s*\}|R)\s*(?:[_^]\s*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\\?[A-Za-z]+|\d|\+))*"
)
_INTERVAL = re.compile(r"\s*(?:\\left\s*)?[\[(]([^\[\](){}]*),([^\[\](){}]*)(?:\\right\s*)?[\])]")


def set_behind(text: str, at: int, end: int) -> tuple[str, int] | None:
    """Return the set behind `\\in` that a symbol belongs to, and how far it reaches.

    Real numbers and intervals say of which kind a symbol is, and set nothing.
    """
    for pattern in (_REALS, _INTERVAL):
        match = pattern.match(text, at, end)
        if match:
            return match[0].strip(), match.end() - at
    return None
