r"""Macros of a document, written out before anything is read.

Known are `\newcommand`, `\renewcommand`, `\providecommand`, `\def` with plain parameters, `\let`,
`\DeclareMathOperator` and `\DeclarePairedDelimiter`. A macro means what its last definition above
says. Lines stay where they are, so that diagnostics name the lines of the file; they show the text
as it is with macros written out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from optdsl.diagnostics import SourceText, Span
from optdsl.latex.problems import refuse

_DEFINES = re.compile(
    r"\\(?:(?P<command>(?:new|renew|provide)command|DeclareRobustCommand)|(?P<defined>def)"
    r"|(?P<same>let)|(?P<operator>DeclareMathOperator)|(?P<pair>DeclarePairedDelimiter))"
    r"(?![A-Za-z])\s*\*?"
)
_NAME = re.compile(r"\s*(?:\{\s*(\\(?:[A-Za-z@]+|.))\s*\}|(\\(?:[A-Za-z@]+|.)))")
_COUNT = re.compile(r"\s*\[\s*(\d)\s*\]")
_PARAMETERS = re.compile(r"\s*((?:#\d)*)\s*(?=\{)")
_CONTROL = re.compile(r"\\(?:[A-Za-z@]+|.)", re.DOTALL)
_CONTROL_OR_COMMENT = re.compile(r"\\(?:[A-Za-z@]+|.)|%[^\n]*", re.DOTALL)
_BRACE = re.compile(r"\\.|%[^\n]*|[{}]", re.DOTALL)
_BRACKETS = re.compile(r"\s*\[([^\[\]]*)\]")
_OTHER = re.compile(r"\s*=?\s*(\\(?:[A-Za-z@]+|.)|\S)")
_PARAMETER = re.compile(r"#(\d)")
_DEEPEST = 100
_LONGEST = 1_000_000  # characters of a document with its macros written out


@dataclass(frozen=True)
class _Macro:
    """What stands for a name; `optional` is its first argument where that is left out."""

    count: int
    body: str
    optional: str | None = None


#: Commands that matter to TeX alone.
_EVERYWHERE = {"\\ensuremath": _Macro(1, "#1"), "\\xspace": _Macro(0, "")}


def written_out(source: SourceText) -> SourceText:
    r"""Return a document without its macros.

    Raises:
        DiagnosticError: a definition or a use of a macro that is not understood, or a macro that
            is made of itself.

    >>> written_out(SourceText("a.tex", r"\newcommand{\half}[1]{\frac{#1}{2}} $\half{x}$")).text
    ' $\\frac{x}{2}$'
    """
    if not _DEFINES.search(source.text):
        return source
    return SourceText(source.name, _Writer(source).all())


class _Writer:
    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.macros = dict(_EVERYWHERE)
        self.used: tuple[int, int] = (0, 0)

    def all(self) -> str:
        text, at, parts = self.source.text, 0, []
        while match := _CONTROL_OR_COMMENT.search(text, at):
            parts.append(text[at : match.start()])
            at = match.end()
            if match[0].startswith("%"):
                parts.append(match[0])
            elif defining := _DEFINES.match(text, match.start()):
                at = self._define(defining)
                parts.append("\n" * text.count("\n", match.start(), at))
            else:
                self.used = match.span()
                written, at = self._use(text, match, 0)
                parts.append(written + "\n" * text.count("\n", match.start(), at))
        return "".join([*parts, text[at:]])

    # ------------------------------------------------------------- definitions

    def _define(self, match: re.Match[str]) -> int:
        """Take up a definition, and return where it ends."""
        text = self.source.text
        self.used = match.span()
        named = _NAME.match(text, match.end())
        if named is None:
            raise self._refuse("which macro this defines is not understood")
        name, at = named[1] or named[2], named.end()
        if match["same"]:
            return self._same(name, at)
        if match["pair"]:
            left, at = self._argument(text, at)
            right, at = self._argument(text, at)
            self.macros[name] = _Macro(1, rf"\left{left} #1 \right{right}")
            return at
        count, optional = 0, None
        if match["command"]:
            if counted := _COUNT.match(text, at):
                count, at = int(counted[1]), counted.end()
                optional, at = _bracketed(text, at)
        elif match["defined"]:
            parameters = _PARAMETERS.match(text, at)
            if parameters is None:
                raise self._refuse(f"`{name}` has parameters that are not understood")
            count, at = parameters[1].count("#"), parameters.end()
        body, at = self._argument(text, at)
        body = " ".join(re.sub(r"(?<!\\)%[^\n]*\n?", "", body).split("\n"))
        if match["operator"]:
            body = rf"\operatorname{{{body}}}"
        if match["command"] != "providecommand" or name not in self.macros:
            self.macros[name] = _Macro(count, body, optional)
        return at

    def _same(self, name: str, at: int) -> int:
        r"""`\let\a=\b`"""
        other = _OTHER.match(self.source.text, at)
        if other is None:
            raise self._refuse(f"what `{name}` shall mean is not understood")
        self.macros[name] = self.macros.get(other[1], _Macro(0, other[1]))
        return other.end()

    # -------------------------------------------------------------------- uses

    def _use(self, text: str, match: re.Match[str], depth: int) -> tuple[str, int]:
        """Return what a control sequence stands for, and where it and its arguments end."""
        macro, at = self.macros.get(match[0]), match.end()
        if macro is None:
            return match[0], at
        if depth > _DEEPEST:
            raise self._refuse(f"`{match[0]}` is made of itself")
        arguments = []
        if macro.optional is not None:
            given, at = _bracketed(text, at)
            arguments.append(macro.optional if given is None else given)
        while len(arguments) < macro.count:
            argument, at = self._argument(text, at)
            arguments.append(argument)
        body = self._filled(match[0], macro.body, arguments)
        written = self._within(body, depth + 1)
        if len(written) > _LONGEST:
            raise self._refuse(f"`{match[0]}` grows without end")
        ends_in_letters = re.search(r"\\[A-Za-z]+\Z", written) is not None
        return written + (" " if ends_in_letters and text[at : at + 1].isalpha() else ""), at

    def _within(self, text: str, depth: int) -> str:
        parts, at = [], 0
        while match := _CONTROL.search(text, at):
            parts.append(text[at : match.start()])
            written, at = self._use(text, match, depth)
            parts.append(written)
        return "".join([*parts, text[at:]])

    def _filled(self, name: str, body: str, arguments: list[str]) -> str:
        def argument(match: re.Match[str]) -> str:
            number = int(match[1])
            if not 1 <= number <= len(arguments):
                raise self._refuse(f"`{name}` has no argument {number}")
            return arguments[number - 1]

        return _PARAMETER.sub(argument, body)

    def _argument(self, text: str, at: int) -> tuple[str, int]:
        """Return the argument at a place: what braces hold, or one symbol; and where it ends."""
        while at < len(text) and text[at].isspace():
            at += 1
        if at >= len(text) or text[at] in "}%":
            raise self._refuse("an argument is missing")
        if text[at] != "{":
            match = _CONTROL.match(text, at)
            return (match[0], match.end()) if match else (text[at], at + 1)
        end = _closing(text, at)
        if end is None:
            raise self._refuse("`{` is never closed")
        return text[at + 1 : end], end + 1

    def _refuse(self, message: str) -> Exception:
        hint = "write out in the file what the macro stands for"
        return refuse("latex-macro", message, Span(self.source, *self.used), hint)


def _closing(text: str, at: int) -> int | None:
    """Return where the brace that opens at a place is closed."""
    depth = 0
    for match in _BRACE.finditer(text, at):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.start()
    return None


def _bracketed(text: str, at: int) -> tuple[str | None, int]:
    """Return what brackets hold at a place, None where there are none, and where they end."""
    match = _BRACKETS.match(text, at)
    return (None, at) if match is None else (match[1], match.end())
