"""Reads `m_0, v_0 \\gets 0, 0`, `m_0, v_0 = 0` and `(m_0, v_0) = (0, 0)`: several names at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from optdsl.latex import shapes
from optdsl.latex.branches import has_time
from optdsl.latex.notation import (
    Accent,
    Braces,
    Change,
    Digits,
    Group,
    Raw,
    Scripted,
    Sides,
    Symbol,
)
from optdsl.latex.problems import refuse


def paired(statements: Sequence[Sides]) -> tuple[Sides, ...]:
    """Return the statements of a row, those that set several names as one each.

    There are as many values as names, or one number for all; anything else is left as it is.
    Raises DiagnosticError where a value that is assigned reads a name that is set beside it.
    """
    found: list[Sides] = []
    names: list[Sides] = []
    rest = [each for one in statements for each in _in_brackets(one)]
    while rest:
        one = rest.pop(0)
        if _is_lone(one):
            names.append(one)
            continue
        values = rest[: len(names)] if len(names) == _leading(rest) else []
        value = one.sides[-1]
        sets = len(one.sides) == 2 and one.relations[0] in ("=", ":=")
        if names and sets and one.sides[0] is not None and value is not None:
            if values:
                sides = [value, *(each.sides[0] for each in values)]
                found += _set([*names, one], sides, one)
                del rest[: len(values)]
                names = []
                continue
            if _is_number(value) and not _leading(rest):
                found += _set([*names, one], [value] * (len(names) + 1), one)
                names = []
                continue
        found += [*names, one]
        names = []
    return (*found, *names)


def _in_brackets(one: Sides) -> list[Sides]:
    """`(m_t, v_t) \\gets (a, b)`: as many values as names, or one number for all."""
    match one.sides:
        case (Group("(" | "[", (_, _, *_) as names), value) if all(map(shapes.is_symbol, names)):
            pass
        case _:
            return [one]
    match value:
        case Group("(" | "[", values) if len(values) == len(names):
            return _set([replace(one, sides=(name,)) for name in names], values, one)
        case _ if value is not None and _is_number(value):
            return _set([replace(one, sides=(name,)) for name in names], [value] * len(names), one)
    hint = "give as many values in brackets, or set each name on a line of its own"
    assert one.sides[0] is not None, "the first side is a list"
    message = f"{len(names)} names are set here, and not {len(names)} values"
    raise refuse("latex-target", message, one.sides[0].span, hint)


def _set(names: Sequence[Sides], values: Sequence[Raw | None], one: Sides) -> list[Sides]:
    if one.relations == (":=",):
        _check_order([name.sides[0] for name in names], values)
    return [
        replace(one, sides=(name.sides[0], value), span=name.span)
        for name, value in zip(names, values, strict=True)
    ]


def _check_order(names: Sequence[Raw | None], values: Sequence[Raw | None]) -> None:
    """`m, v \\gets m + g, v + m`: the second m is the one before or behind the first value."""
    for place, value in enumerate(values):
        set_before = {_print(name) for name in names[:place] if name and not has_time(name)}
        for node, name in _symbols(value):
            if name in set_before:
                message = f"is this `{node.span.text}` the value before this line, or the new one?"
                raise refuse("latex-ambiguous", message, node.span, "set each on a line of its own")


def _symbols(node: object) -> Iterator[tuple[Raw, tuple[object, ...]]]:
    """Yield each symbol with what tells it from others."""
    if isinstance(node, Symbol | Accent | Change | Scripted) and shapes.key_of(node):
        yield node, _print(node)
        node = node.scripts if isinstance(node, Scripted) else ()
    for part in shapes.parts(node):
        yield from _symbols(part)


def _print(raw: Raw) -> tuple[object, ...]:
    """A symbol's letter and marks, and what stands below it: `m_t` tells its time."""
    scripts = raw.scripts if isinstance(raw, Scripted) else ()
    below = tuple("".join(one.span.text.split()) for one in scripts if not one.raised)
    return (shapes.key_of(raw), below)


def _is_lone(one: Sides) -> bool:
    return len(one.sides) == 1 and not one.relations and one.phrase is None


def _leading(statements: Sequence[Sides]) -> int:
    """How many lone expressions stand first?"""
    count = 0
    while count < len(statements) and _is_lone(statements[count]):
        count += 1
    return count


def _is_number(raw: Raw) -> bool:
    match raw:
        case Braces(value):
            return _is_number(value)
        case Symbol(name):  # `\mathbf{0}`
            return name.isdigit()
    return isinstance(raw, Digits)
