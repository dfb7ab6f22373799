"""What the loops of an algorithm say of the lines within them, and of those before them."""

from __future__ import annotations

import re
from dataclasses import replace

from optdsl.diagnostics import Span
from optdsl.latex import shapes
from optdsl.latex.notation import Digits, Group, Raw, Run, Scripted, Sides, Symbol


def before_loop(one: Sides) -> Sides:
    """What stands before the loop over steps starts; `g^0 = 0` sets no power."""
    match one.sides:
        case (Scripted(base, scripts, span), *rest) if one.relations:
            kept = tuple(each for each in scripts if not (each.raised and shapes.says(each, "0")))
            target = Scripted(base, kept, span) if kept else base
            return replace(one, sides=(target, *rest), initial=True)
    return replace(one, initial=True)


def letter_of_all(raw: Raw | None) -> str:
    """Return the letter of a symbol; of `\\{x_t\\}_{t=1}^T` that of its members."""
    if raw is not None and shapes.is_group(raw, "\\{"):
        group = shapes.unscripted(raw)
        raw = group.items[0] if isinstance(group, Group) and len(group.items) == 1 else None
    base = None if raw is None else shapes.unscripted(raw)
    return base.name if isinstance(base, Symbol) else ""


def range_of(place: Span, count: re.Match[str], fixed: re.Match[str]) -> Sides:
    """Return what the header of a loop says of its letter: the numbers that it takes."""
    at = place.start + count.start("letter")
    letter = Symbol(count["letter"], "letter", "", Span(place.source, at, at + 1))
    at = (fixed.start("last") - len(count["rest"])) + place.start + count.end("rest")
    last = Span(place.source, at, at + len(fixed["last"]))
    low, high = Digits(count["first"], place), _end_of(last)
    return Sides((letter, Run(low, high, place)), ("in",), place)


def _end_of(place: Span) -> Raw:
    """The last number of a loop, or the letter that stands for it."""
    if place.text.isdigit():
        return Digits(place.text, place)
    return Symbol(place.text, "letter", "", place)


def within(index: Sides, statement: Sides) -> Sides:
    """What stands in a loop of fixed length is done in each of its rounds."""
    return replace(statement, loops=(letter_of_all(index.sides[0]), *statement.loops))
