"""Pieces of source text: functions, each made once however often it is asked for."""

from __future__ import annotations

from collections.abc import Iterable

INDENT = "    "


def indent(lines: Iterable[str], depth: int = 1) -> list[str]:
    """Indent every line that is not empty."""
    return [INDENT * depth + line if line else line for line in lines]


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
