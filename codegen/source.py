"""Pieces of Python text: lines, calls, and functions, each made once however often it is asked for.

Only here is it known how wide a line may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

INDENT = "    "
WIDTH = 100


def indent(lines: Iterable[str], depth: int = 1) -> list[str]:
    """Indent every line that is not empty."""
    return [INDENT * depth + line if line else line for line in lines]


def wrapped(opening: str, items: Sequence[str], closing: str = ")", margin: int = 0) -> list[str]:
    """Return items between brackets, on several lines where one is too long for its `margin`.

    >>> wrapped("f(", ["a", "b"])
    ['f(a, b)']
    """
    line = f"{opening}{', '.join(items)}{closing}"
    if margin + len(line) <= WIDTH or not items:
        return [line]
    lines = [""]
    for item in (each.removesuffix(",") for each in items):
        if lines[-1] and margin + len(f"{INDENT}{lines[-1]} {item},") > WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {item},".lstrip()
    return [opening, *indent(lines), closing]


def speaks_of(lines: Iterable[str], *names: str) -> bool:
    """Does the code of these lines, comments aside, hold one of these names?

    >>> speaks_of(["# rows of x", "y = x"], "rows", "columns")
    False
    """
    pattern = re.compile(rf"\b({'|'.join(names)})\b")
    return any(pattern.search(line) for line in lines if not line.lstrip().startswith("#"))


def in_tuple(items: Iterable[str]) -> list[str]:
    """Return what stands between the brackets of a tuple: a single item has a comma of its own."""
    texts = list(items)
    return [f"{texts[0]},"] if len(texts) == 1 else texts


def fields(given: Mapping[str, str | list[str] | None]) -> list[str]:
    """Return the arguments of a call, a line each; a list is a tuple, one item a line.

    What is None or holds nothing is left out, since that is what these arguments are without it.
    """
    lines: list[str] = []
    for name, value in given.items():
        if isinstance(value, str):
            lines += f"{name}={value},".split("\n")
        elif value:
            lines += [f"{name}=(", *indent(value), "),"]
    return lines


class Functions:
    """The functions of a module, in the order in which they were first asked for.

    Two that read alike but for their name are one.
    """

    def __init__(self) -> None:
        self._by_body: dict[tuple[str, ...], str] = {}
        self._texts: list[list[str]] = []
        self._names: set[str] = set()

    def add(self, stem: str, lines: list[str], number: bool = True) -> str:
        """Add a function whose lines call it `NAME`, and return its name."""
        key = tuple(lines) if number else (stem, *lines)
        if key not in self._by_body:
            name = self._fresh(stem, number)
            self._by_body[key] = name
            self._texts.append([line.replace("NAME", name) for line in lines])
        return self._by_body[key]

    def _fresh(self, stem: str, number: bool) -> str:
        name, count = (f"{stem}_1", 1) if number else (stem, 1)
        while name in self._names:
            count += 1
            name = f"{stem}_{count}"
        self._names.add(name)
        return name

    def text(self) -> str:
        """Return the source of all functions."""
        return "\n\n\n".join("\n".join(lines) for lines in self._texts)
