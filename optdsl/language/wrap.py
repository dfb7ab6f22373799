"""Breaking a line that is too long: lines indented deeper continue it."""

from __future__ import annotations

import re

LONGEST = 100
INDENT = "  "
CONTINUATION = "      "

_WORDS = "if|else|and|or|for|then|in|where|when|gives|because"
_PIECE = re.compile(
    r'"[^"]*"|\$[^$]*\$|[(\[]|[)\]]|(?<=,) +|(?<!because) +(?=")'
    rf"| +(?=[-+|@] )| +(?=(?:[<>]=?|[=!]=) )| +(?=(?:{_WORDS})\b)"
)


def wrap(line: str) -> list[str]:
    """Return `line` in pieces of at most 100 columns, as far as there are places to break it.

    Of the places that fit, the last of those in the fewest brackets is taken.
    """
    lines = []
    depth = 0
    while len(line) > LONGEST:
        place = _place(line, depth)
        if place is None:
            break
        start, end, depth = place
        lines.append(line[:start])
        line = CONTINUATION + line[end:]
    return [*lines, line]


def _place(line: str, depth: int) -> tuple[int, int, int] | None:
    """Return where to break, as start and end of the spaces, and the depth of brackets there."""
    best: tuple[int, int, int] | None = None
    indent = len(line) - len(line.lstrip(" "))
    for found in _PIECE.finditer(line, indent):
        sign = found[0][0]
        if found.start() > LONGEST and best is not None:
            break
        if sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        elif sign == " " and (best is None or depth <= best[2]):
            best = (found.start(), found.end(), depth)
    return best
