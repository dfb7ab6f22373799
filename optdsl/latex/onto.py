"""Dots that count: `k = 1, \\dots, 5` is a range, and `t = 0, 1, \\dots` says where steps begin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from optdsl.latex.clock import LETTERS, find
from optdsl.latex.notation import Comparison, Digits, Run, Sides, Sign, Symbol
from optdsl.latex.problems import refuse

if TYPE_CHECKING:
    from optdsl.latex.cutting import Cutter

_COMMA = re.compile(r"\s*,")
_ENDS = re.compile(r"[\s.,;]*(?:\\\\|\\end\b|\\\]|\\\)|\$|\\tag|\\label|\\q?quad\b|\Z)")


def onto(cutter: Cutter) -> None:
    """Make one sign of the dots of `k = 1, 2, \\dots, 5` and the commas around them.

    Where nothing follows them, they go on without an end.
    """
    dots = cutter.tokens.pop()
    cutter.drop_trailing(("SEPARATOR",))
    while [token.type for token in cutter.tokens[-3:]] == ["NUMBER", "SEPARATOR", "NUMBER"]:
        first, second = str(cutter.tokens[-3]), str(cutter.tokens[-1])
        if not (first.isdigit() and second.isdigit() and int(second) == int(first) + 1):
            break
        del cutter.tokens[-2:]
    ends = _ENDS.match(cutter.source.text[: cutter.end], cutter.at)
    if not ends and (match := _COMMA.match(cutter.source.text, cutter.at, cutter.end)):
        cutter.at = match.end()
    cutter.put("ONTO", "...", dots.start_pos or 0)
    if ends:
        cutter.put("SIGN", "inf", dots.start_pos or 0)


def steps_said(
    statements: Sequence[Sides], loop: tuple[str, int] | None
) -> tuple[list[int], tuple[str, int] | None]:
    """Return which statements say where the steps begin, and the letter and number that they say.

    Raises DiagnosticError where two say different things.
    """
    places = []
    clock = find(tuple(statements), ()) or "t"
    for place, one in enumerate(statements):
        if (said := _first_step(one, clock)) is None:
            continue
        if loop is not None and loop != said:
            message = f"the steps begin at {loop[0]} = {loop[1]} elsewhere"
            raise refuse("latex-clock", message, one.span, "let them begin once")
        loop = said
        places.append(place)
    return places, loop


def _first_step(statement: Sides, clock: str) -> tuple[str, int] | None:
    """`t = 0, 1, \\dots` and `t \\geq 1`."""
    match statement:
        case Sides((Symbol(letter, "letter", ""), Run(Digits(low), high)), ("in",)):
            endless = isinstance(high, Sign) and high.name == "inf"
            known = letter == clock and not isinstance(high, Digits)  # `k = 0, ..., T - 1`
            return _as_clock(letter, low) if endless or known else None
        case Sides((Comparison(">=", Symbol(letter, "letter", ""), Digits(low)),), ()):
            return _as_clock(letter, low)
    return None


def _as_clock(letter: str, low: str) -> tuple[str, int] | None:
    return (letter, int(low)) if letter in LETTERS | {"t"} and low in ("0", "1") else None
