"""What cutting LaTeX into tokens rests on: the place, the tokens so far, what is open."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from lark import Token

from optdsl.diagnostics import SourceText, Span
from optdsl.latex import vocabulary as words
from optdsl.latex.operands import ENDS_OPERAND, LOOSE
from optdsl.latex.problems import refuse
from optdsl.latex.rows import Row, make_row
from optdsl.latex.scanning import take_argument

COMMAND = re.compile(r"\\(?:[A-Za-z]+\*?|.)", re.DOTALL)
_LENGTH = re.compile(r"\s*\[\s*-?(?:\d+\.?\d*|\.\d+)\.?\s*(?:pt|em|ex|mm|cm|in)\s*\]")
_BELOW = re.compile(r"\s*_")
#: What closes several equations behind one brace.
SYSTEMS = frozenset({"system", LOOSE} | {f"system {name}" for name in words.CASES})
#: What closes a bracket that may hold several rows.
_PLAIN = frozenset(("RPAR", "RBRACKET", "RSET"))
_GAPS = re.compile(
    r"(?:\s|&|\{\}|\\(?:q?quad|[,;:! ]|[hv]?phantom\{[^{}]*\}|hspace\*?\{[^{}]*\}))*"
)
_JOINS = re.compile(_GAPS.pattern + r"(?:[-+*/]|\\(?:cdot|times|odot|circ)(?![A-Za-z]))")
_JOINING = frozenset(("PLUS", "MINUS", "TIMES", "SLASH", "RELATION"))
_REST_OF_ROW = re.compile(r"(?:(?!\\\\|\\end\{).)*", re.DOTALL)
_INNERMOST = re.compile(r"\{[^{}]*\}|\([^()]*\)")
_SETS = re.compile(r"=|\\gets(?![a-z])|\\leftarrow|\\sim(?![a-z])|\\coloneqq")
_NEXT_ROW = re.compile(
    r"(?:\s|\\no(?:number|tag)(?![A-Za-z]))*\\\\(?:\s|&|\{\}|\\(?:q?quad|[,;:! ])"
    r"|\\hspace\*?\{[^{}]*\})*\\left\s*\."
)
#: What closes the invisible bracket of `\left. ... \right|`.
NOTHING = "\\right"


@dataclass
class Cutter:
    """Holds the tokens of the row that is being cut, and matches brackets."""

    source: SourceText
    at: int
    end: int
    declared: frozenset[str]
    tokens: list[Token] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    found: list[Row] = field(default_factory=list)
    opened: list[tuple[str, Span]] = field(default_factory=list)  # what closes it, where it opened
    ended: bool = False  # the display is over: only punctuation may follow

    # --------------------------------------------------------------- brackets

    def sized(self, name: str, width: int) -> None:
        """Read the bracket behind `\\left`, `\\bigl` and their kin."""
        text = self.source.text
        after = self.at + width
        while after < self.end and text[after].isspace():
            after += 1
        match = COMMAND.match(text, after, self.end)
        printed = match[0] if match else text[after : after + 1]
        width = after + len(printed) - self.at
        side = {"t": True, "l": True, "r": False}.get(name[-1]) if name[-1] in "lr" else None
        side = {"left": True, "right": False}.get(name, side)
        if printed == "." and name in ("left", "right"):
            self._invisible(name, width)
        elif printed == "/" and name not in ("left", "right"):
            self.add("SLASH", "/", width)
        elif after < self.end and (
            printed in words.OPENING or printed in words.CLOSING or printed in words.BARS
        ):
            self.bracket(printed, width, side)
        else:
            self.refuse("latex-unexpected", f"expected a bracket after `\\{name}`", len(name) + 1)

    def _invisible(self, name: str, width: int) -> None:
        """`\\left.` opens what only a bar with a subscript closes; `\\right.` ends an array.

        `\\left( a \\right. \\\\ \\left. + b \\right)` is one bracket in two rows.
        """
        on = _NEXT_ROW.match(self.source.text, self.at + width, self.end)
        if name == "right" and on is not None and self.opened and self.opened[-1][0] in _PLAIN:
            self.at = on.end()
        elif name == "left":
            self.opened.append((NOTHING, self.span(width)))
            self.at += width
        elif self._ends_system() or (
            self.last() == "END_CASES" and self.opened and self.opened[-1][0] == "\\right."
        ):
            self.opened.pop()
            self.at += width
        else:
            self.refuse("latex-unbalanced", "`\\right.` closes nothing", width)

    def _ends_system(self) -> bool:
        return bool(self.opened) and self.opened[-1][0] == "system"

    def bracket(self, printed: str, width: int, opens: bool | None) -> None:
        """Open or close a bracket; a bar does what its place says, or stands before a point."""
        if printed in words.BARS:
            kind = words.BARS[printed]
            if kind == "BAR" and self._stands_before_point(width, opens):
                return
            if opens is None:
                inside = bool(self.opened) and self.opened[-1][0] == "R" + kind
                opens = not (inside and self.last() in ENDS_OPERAND)
            left, right = "L" + kind, "R" + kind
        else:
            left = words.OPENING.get(printed, "")
            right = left.replace("L", "R", 1) if left else words.CLOSING[printed]
            opens = bool(left)
        if opens:
            self.open(left, right, width)
        else:
            self.close(right, width)

    def _stands_before_point(self, width: int, opens: bool | None) -> bool:
        """`\\nabla L(w)|_{w = w_t}`: a bar that closes nothing, with a subscript."""
        invisible = bool(self.opened) and self.opened[-1][0] == NOTHING
        inside = any(closes == "RBAR" for closes, _ in self.opened)
        followed = _BELOW.match(self.source.text, self.at + width, self.end)
        if not (followed and not inside and self.last() in ENDS_OPERAND and opens is not True):
            return False
        if invisible:
            self.opened.pop()
        self.add("AT", "|", width)
        return True

    def open(self, kind: str, closes: str, width: int) -> None:
        """Add an opening bracket."""
        self.opened.append((closes, self.span(width)))
        self.add(kind, self.source.text[self.at : self.at + width], width)

    def close(self, kind: str, width: int) -> None:
        """Add a closing bracket, which must be the one that is waited for."""
        place = self.span(width)
        if not self.opened or self.outside():
            raise refuse("latex-unbalanced", f"`{place.text}` closes nothing", place)
        expected, opened = self.opened[-1]
        if expected in ("RBAR", "RNORM") and kind not in ("RBAR", "RNORM"):
            raise refuse("latex-unbalanced", f"`{opened.text}` is never closed", opened)
        if expected != kind:
            message = f"`{place.text}` does not close `{opened.text}`"
            raise refuse("latex-unbalanced", message, place)
        self.opened.pop()
        self.add(kind, place.text, width)

    def check_closed(self) -> None:
        """Refuse a bracket that is open where a row, or the display, ends."""
        if self.outside() or not self.opened:
            return
        closes, place = self.opened[-1]
        if closes not in (NOTHING, "END_CASES"):
            raise refuse("latex-unbalanced", f"`{place.text}` is never closed", place)

    def goes_on(self, width: int) -> bool:
        """`= a \\\\ & + b`, `\\bigl( a \\\\ & + b \\bigr)`: does a sign join two rows?"""
        if self.outside():
            return "RELATION" in {token.type for token in self.tokens} and self._joins(width)
        inside = [place.text for kind, place in self.opened if kind in _PLAIN]
        left = [text for text in inside if text.startswith("\\left")]
        around = len(self.opened) - len(inside)
        if not inside or left or not all(_lays_out(kind) for kind, _ in self.opened[:around]):
            return False
        return self._joins(width) or self.last() == "COMMA"

    def _joins(self, width: int) -> bool:
        """Does a sign stand at the end of this row, or at the head of the next?"""
        behind = _JOINS.match(self.source.text, self.at + width, self.end)
        if behind is None and self.last() not in _JOINING:
            return False
        (row,) = _REST_OF_ROW.findall(self.source.text, self.at + width, self.end)[:1]
        while _INNERMOST.search(row):
            row = _INNERMOST.sub("", row)
        return _SETS.search(row) is None

    # ------------------------------------------------------------------- rows

    def finish_row(self) -> None:
        """End a row of the display."""
        self.drop_trailing(("SEPARATOR", "PUNCTUATION"))
        row = make_row(self.source, self.tokens, self.tags)
        if row is not None:
            self.found.append(row)
        elif self.tags and self.found:
            above = self.found[-1]
            self.found[-1] = Row(above.tokens, above.tags + tuple(self.tags), above.span)
        self.tokens, self.tags = [], []

    def newline(self) -> None:
        """End a row of the display, or of cases."""
        width = 2
        if match := _LENGTH.match(self.source.text, self.at + 2, self.end):
            width = match.end() - self.at
        if self.opened and self.opened[-1][0] == "END_CASES":
            self.drop_trailing(("COMMA", "SEMICOLON", "PUNCTUATION"))
            self.add("NEWLINE", "\\\\", width)
        elif self.goes_on(width):
            gaps = _GAPS.match(self.source.text, self.at + width, self.end)
            self.at = gaps.end() if gaps else self.at + width
        elif self.outside():
            self.finish_row()
            self.at += width
        else:
            self.check_closed()
            self.refuse("latex-unexpected", "a new row inside a formula", 2)

    def drop_trailing(self, kinds: tuple[str, ...]) -> None:
        """Drop what stands at the end and says nothing there."""
        while self.tokens and self.tokens[-1].type in kinds:
            self.tokens.pop()

    # -------------------------------------------------------------- the place

    def outside(self) -> bool:
        """Are we within no bracket, but for the environments that lay out a display?"""
        return all(_lays_out(kind) for kind, _ in self.opened)

    def in_condition(self) -> bool:
        """Does `=` compare here? It does within brackets and in the second column of cases."""
        if not self.opened or self.outside():
            return False
        if self.opened[-1][0] != "END_CASES":
            return True
        since = [token.type for token in self.tokens]
        for kind in reversed(since):
            if kind in ("NEWLINE", "BEGIN_CASES"):
                return False
            if kind in ("AMPERSAND", "IF"):
                return True
        return False

    def in_subscript(self) -> bool:
        """Are we directly within the braces of a subscript?"""
        if not self.opened or self.opened[-1][0] != "CLOSE":
            return False
        start = self.opened[-1][1].start
        before = [token for token in self.tokens if (token.start_pos or 0) < start]
        return bool(before) and before[-1].type == "SUB"

    def in_superscript(self) -> bool:
        """Are we the first thing behind a `^`?"""
        kinds = [token.type for token in self.tokens[-2:]]
        return kinds[-1:] == ["SUP"] or kinds == ["SUP", "OPEN"]

    def last(self) -> str | None:
        """Return the type of the last token."""
        return self.tokens[-1].type if self.tokens else None

    def span(self, width: int) -> Span:
        """Return the place of what stands here."""
        return Span(self.source, self.at, self.at + width)

    def argument(self, printed: str) -> str:
        """Step over what stands in the braces behind a command, and return it."""
        text, self.at = take_argument(self.source, self.at, self.end, printed)
        return text

    # ----------------------------------------------------------------- adding

    def add(self, kind: str, value: str, width: int) -> None:
        """Add a token that stands here, and step over it."""
        self.at += width
        self.put(kind, value, self.at - width)

    def put(self, kind: str, value: str, start: int) -> None:
        """Add a token that reaches from `start` to here."""
        if self.ended and kind not in ("PUNCTUATION", "SEPARATOR"):
            place = Span(self.source, start, self.at)
            raise refuse("latex-unexpected", "the display has ended before this", place)
        self.tokens.append(Token(kind, value, start_pos=start, end_pos=self.at))

    def refuse(self, code: str, message: str, width: int, hint: str | None = None) -> NoReturn:
        """Refuse what stands here."""
        raise refuse(code, message, self.span(width), hint)


def _lays_out(kind: str) -> bool:
    """Does what is closed so lay out a display, and say nothing?"""
    return kind in words.ENVIRONMENTS or kind in ("$", "$$", "\\]", "\\)") or kind in SYSTEMS
