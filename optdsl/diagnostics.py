"""What optdsl says when something is wrong: where, what, and what to do."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal


@dataclass(frozen=True)
class SourceText:
    """A text together with the name by which its reader knows it."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0] + [end.end() for end in re.finditer("\n", self.text)]

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, both counted from 1."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return line `number`, counted from 1, without its end."""
        start = self._line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].removesuffix("\r")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source text, from offset `start` up to `end`."""

    source: SourceText = field(repr=False)
    start: int
    end: int

    def to(self, other: Span) -> Span:
        """Return the span from the start of this one to the end of `other`."""
        return Span(self.source, self.start, max(self.end, other.end))

    @property
    def text(self) -> str:
        """The stretch itself."""
        return self.source.text[self.start : self.end]


@dataclass(frozen=True)
class Diagnostic:
    """One finding: a code, a message, the place, and what would mend it.

    The first line of the message says what is wrong; lines after it, shown below
    the place, tell more.
    """

    code: str
    message: str
    span: Span | None = None
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        message, *details = self.message.split("\n")
        head = f"{self.severity}[{self.code}]: {message}"
        tail = [f"  {detail}" for detail in details]
        tail += [] if self.hint is None else [f"  help: {self.hint}"]
        if self.span is None:
            return "\n".join([head, *tail])
        source = self.span.source
        line, column = source.position(self.span.start)
        text, at, width = _around(source.line(line), column - 1, self.span.end - self.span.start)
        gutter = len(str(line))
        padding = "".join("\t" if character == "\t" else " " for character in text[:at])
        return "\n".join(
            [
                f"{source.name}:{line}:{column}: {head}",
                f" {line} | {text}",
                f" {' ' * gutter} | {padding}{'^' * max(1, width)}",
                *tail,
            ]
        )


def _around(line: str, at: int, width: int) -> tuple[str, int, int]:
    """Return what is shown of a line, and where in it a stretch of it stands, and how wide.

    Of a line that is longer than anyone reads, what stands around the place is shown.
    """
    width = min(width, len(line) - at)
    if len(line) <= _LONGEST_LINE:
        return _visible(line), at, width
    first = max(0, min(at - _LONGEST_LINE // 3, len(line) - _LONGEST_LINE))
    last = min(len(line), first + _LONGEST_LINE)
    before, after = "... " if first else "", " ..." if last < len(line) else ""
    text = before + _visible(line[first:last]) + after
    return text, at - first + len(before), min(width, last - at)


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign == "\t" else "\N{REPLACEMENT CHARACTER}" for sign in text
    )


#: How much is shown of a line of the text.
_LONGEST_LINE = 160


class DiagnosticError(Exception):
    """Raised with every diagnostic that was found; its text is what a user reads."""

    def __init__(self, diagnostics: Iterable[Diagnostic] | Diagnostic) -> None:
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        self.diagnostics = found
        super().__init__("\n\n".join(str(diagnostic) for diagnostic in found))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest, if one is near."""
    import difflib  # only who has made a mistake waits for it

    names = list(known)
    otherwise_cased = [each for each in names if each.lower() == name.lower()]
    near = otherwise_cased or difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return a hint that names the nearest known name, if one is near.

    >>> did_you_mean("beta_1", ["beta1", "eta"])
    'did you mean `beta1`?'
    """
    near = nearest(name, known)
    return None if near is None else f"did you mean `{near}`?"
