"""What may be known of a tensor: its shape and its name, of which all facts are made together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from fractions import Fraction
from math import prod

from optdsl.model.expressions import Fact
from optdsl.model.system import System

#: Shapes that are tried, the simplest first.
_SHAPES = ((2, 3), (1,), (), (3, 2), (5,), (1, 1), (2, 1, 3), (4, 1), (1, 4), (2, 2, 1, 2))


def facts_read(system: System) -> dict[str, Fact]:
    """Return the facts about tensors that a system reads, by what they are called."""
    starts = (state.start for state in system.states)
    return {str(start): start for start in starts if isinstance(start, Fact)}


def possible_facts(read: Mapping[str, Fact]) -> tuple[Mapping[str, Fraction], ...]:
    """Return what the facts that are read are for some tensors, each told once.

    >>> possible_facts({"ndim": Fact("ndim", None), "rows": Fact("rows", None)})[1]
    {'ndim': Fraction(1, 1), 'rows': Fraction(1, 1)}
    """
    patterns = [fact.pattern for fact in read.values() if fact.pattern is not None]
    names = list(dict.fromkeys(_names(patterns))) if patterns else [""]
    found = [
        {called: _value(fact, shape, name) for called, fact in read.items()}
        for name in names
        for shape in _SHAPES
    ]
    return tuple({tuple(each.values()): each for each in reversed(found)}.values())[::-1]


def _names(patterns: list[str]) -> Iterator[str]:
    """Yield names of which each fits a pattern, and one that fits none if it can."""
    yield "w"
    for filled in ("", "x", "x.y"):
        for pattern in patterns:
            yield pattern.replace("*", filled).replace("?", "x")
    for pattern in patterns:  # what fits two patterns at once
        for other in patterns:
            yield pattern.replace("*", other.replace("*", "x"), 1).replace("*", "x")


def _value(fact: Fact, shape: tuple[int, ...], name: str) -> Fraction:
    if fact.pattern is not None:
        return Fraction(int(fnmatchcase(name, fact.pattern)))
    size, rows = prod(shape), shape[0] if len(shape) > 1 else 1
    known = {"ndim": len(shape), "size": size, "rows": rows, "columns": size // rows}
    return Fraction(known[fact.name])
