"""A row of a display, as tokens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lark import Token

from optdsl.diagnostics import SourceText, Span


@dataclass(frozen=True)
class Row:
    """One row of a display: its tokens, the tags and labels it bears, and where it stands."""

    tokens: tuple[Token, ...]
    tags: tuple[str, ...]
    span: Span


def make_row(source: SourceText, tokens: Iterable[Token], tags: Iterable[str]) -> Row | None:
    """Return the row that `tokens` make, gaps between equations counted once; None if empty."""
    kept: list[Token] = []
    for token in tokens:
        if token.type != "SEPARATOR" or (kept and kept[-1].type != "SEPARATOR"):
            kept.append(token)
    if not kept:
        return None
    span = Span(source, kept[0].start_pos or 0, kept[-1].end_pos or 0)
    return Row(tuple(kept), tuple(tags), span)
