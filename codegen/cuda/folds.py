"""Totals of reductions in kernels: how they begin, grow, are folded and finished.

Each is a float64 that a thread keeps, named by its text.
"""

from __future__ import annotations

from collections.abc import Sequence

from optdsl.codegen.source import indent
from optdsl.program.program import neutral

_WORDS = {"min": "minimum", "max": "maximum", "any": "maximum"}
_OF_MANY = {"min": "least", "max": "greatest", "any": "greatest"}


def begun(operator: str) -> str:
    """Return the text of a total of nothing.

    >>> begun("norm"), begun("max")
    ('0.0', '-inf')
    """
    return str(neutral(operator))


def added(operator: str, total: str, text: str) -> str:
    """Return the text of a total with one more value in it.

    >>> added("sum", "total", "x"), added("min", "total", "x")
    ('total + x', 'minimum(total, x)')
    """
    word = _WORDS.get(operator)
    return f"{word}({total}, {text})" if word else f"{total} + {text}"


def of_block(operator: str, place: int, total: str) -> str:
    """Return the text of the totals of a block as one; `place` tells those of a kernel apart."""
    return f"{_OF_MANY.get(operator, 'sum')}_of_block({place}, {total})"


def of_warp(operator: str, total: str) -> str:
    """Return the text of the totals of a warp as one."""
    return f"{_OF_MANY.get(operator, 'sum')}_of_warp({total})"


def finished(operator: str, total: str, count: str) -> str:
    """Return the text of a reduction whose total is known, and how many values went into it.

    >>> finished("rms", "total", "entries"), finished("any", "total", "entries")
    ('sqrt(total / float64(entries))', 'total != 0.0')
    """
    mean = f"{total} / float64({count})"
    texts = {"norm": f"sqrt({total})", "mean": mean, "rms": f"sqrt({mean})",
             "any": f"{total} != 0.0"}  # fmt: skip
    return texts.get(operator, total)


def left_by_block(totals: Sequence[tuple[str, str]]) -> list[str]:
    """Return the lines that fold the totals of operators over a block and leave them behind."""
    ends, stores = [], []
    for place, (operator, total) in enumerate(totals):
        ends.append(f"{total} = {of_block(operator, place, total)}")
        row = f"{len(totals)} * block_index()" if len(totals) > 1 else "block_index()"
        column = f"{row} + {place}" if place else row
        stores.append(f"write(float64, partials, {column}, {total})")
    return [*ends, "if thread_index() == 0:", *indent(stores)] if totals else []
