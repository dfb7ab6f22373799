"""Tells several equations behind one brace from the cases of a value."""

from __future__ import annotations

import re

from optdsl.latex.cutting import Cutter

_ARRAY = re.compile(
    r"\\left\s*\\(?:\{|lbrace)\s*"
    r"(?=(\\begin\{(?:array|aligned|matrix|split|gathered)\}(?:\{[^{}]*\})?))"
)
_SYSTEM = re.compile(
    r"\s*&?(?:(?!\\\\|\\end\{|&|\\text|\\mathrm\{\s*(?:if|when)\b).)*?&?\s*"
    r"(?::?=|\\gets(?![a-z])|\\leftarrow|\\coloneqq)",
    re.DOTALL,
)


def begins_array(cutter: Cutter) -> bool:
    """`\\left\\{ \\begin{array}{ll} ... \\end{array} \\right.` sets cases, or several equations."""
    match = _ARRAY.match(cutter.source.text, cutter.at, cutter.end)
    if match is None:
        return False
    kind = "system" if heads_system(cutter, match.end() + len(match[1])) else "\\right."
    cutter.opened.append((kind, cutter.span(match.end() - cutter.at)))
    cutter.at = match.end()
    return True


def heads_system(cutter: Cutter, at: int) -> bool:
    """Do whole equations begin at this place? A name before their brace says nothing."""
    named = [token.type for token in cutter.tokens] in ([], ["WORD", "RELATION"])
    if not (named and cutter.outside() and _SYSTEM.match(cutter.source.text, at, cutter.end)):
        return False
    cutter.tokens.clear()
    return True
