"""Cuts the LaTeX of a display into rows of tokens.

Spacing, alignment and size are dropped here, brackets are matched, bars are
told apart (opening or closing), and runs of letters become words or letters.
Anything else that the vocabulary does not hold is refused at its place.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NoReturn

from lark import Token

from optdsl.diagnostics import SourceText, Span, did_you_mean
from optdsl.latex import vocabulary as words
from optdsl.latex.problems import refuse
from optdsl.latex.rows import Row, make_row
from optdsl.latex.scanning import heads_brackets, take_argument

_COMMAND = re.compile(r"\\(?:[A-Za-z]+\*?|.)", re.DOTALL)
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_LETTERS = re.compile(r"[A-Za-z]+(?:(?:\\_|\\text\{\\?_\})[A-Za-z0-9]+)*")
_JOINT = re.compile(r"\\_|\\text\{\\?_\}|_")
_WORD = re.compile(r"(?:[A-Za-z]|\\?_)(?:[A-Za-z0-9]|\\?_)*")
_LENGTH = re.compile(r"\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm|in)\s*\]")
_ENDS_OPERAND = frozenset(
    ("NUMBER", "LETTER", "GREEK", "WORD", "SIGN", "CLOSE", "END_CASES")
    + ("RPAR", "RBRACKET", "RSET", "RFLOOR", "RBAR", "RNORM")
)


def tokenize(span: Span, declared: Collection[str] = ()) -> tuple[Row, ...]:
    """Return the rows of the LaTeX at `span`; words in `declared` are names, not products.

    Raises DiagnosticError at the first thing that is not understood.
    """
    return _Tokenizer(span.source, span.start, span.end, frozenset(declared)).rows()


@dataclass
class _Tokenizer:
    source: SourceText
    at: int
    end: int
    declared: frozenset[str]
    tokens: list[Token] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    found: list[Row] = field(default_factory=list)
    opened: list[tuple[str, Span]] = field(default_factory=list)  # what closes it, where it opened
    ended: bool = False  # the display is over: only punctuation may follow

    def rows(self) -> tuple[Row, ...]:
        while self.at < self.end:
            self._next()
        if self.opened:
            _, place = self.opened[-1]
            raise refuse("latex-unbalanced", f"`{place.text}` is never closed", place)
        self._finish_row()
        return tuple(self.found)

    def _next(self) -> None:
        text, at = self.source.text, self.at
        character = text[at]
        if character.isspace() or character == "~":
            self.at += 1
        elif character == "%":
            newline = text.find("\n", at)
            self.at = self.end if newline < 0 else newline
        elif character == "$":
            self._dollar()
        elif text.startswith(":=", at):
            self._add("RELATION", ":=", 2)
        elif character == "\\":
            self._command()
        elif match := _NUMBER.match(text, at, self.end):
            self._number(match[0])
        elif match := _LETTERS.match(text, at, self.end):
            self._letters(match[0])
        elif character in words.PLAIN:
            self._add(words.PLAIN[character], character.replace("−", "-"), 1)
        else:
            self._mark(character)

    # ------------------------------------------------------------- characters

    def _mark(self, character: str) -> None:
        if character == "{":
            self._open("OPEN", "CLOSE", 1)
        elif character == "}":
            self._close("CLOSE", 1)
        elif character == "[" and self._last() == "SQRT":
            self._open("LOPTION", "ROPTION", 1)
        elif character == "]" and self.opened and self.opened[-1][0] == "ROPTION":
            self._close("ROPTION", 1)
        elif character in words.OPENING or character in words.CLOSING or character in words.BARS:
            self._bracket(character, 1, None)
        elif character == "&":
            self._ampersand()
        elif character in ",;":
            kind = "SEPARATOR" if self._outside() else {",": "COMMA", ";": "SEMICOLON"}[character]
            self._add(kind, character, 1)
        elif character == ":":
            self._add("COLON", character, 1)
        elif character == ".":
            self._add("PUNCTUATION", character, 1)
        else:
            hint = "write `-` for a minus sign" if character in "–—" else None
            self._refuse("latex-character", f"`{character}` is not understood here", 1, hint)

    def _ampersand(self) -> None:
        if self.opened and self.opened[-1][0] == "END_CASES":
            self._drop_trailing(("COMMA", "SEMICOLON"))
            self._add("AMPERSAND", "&", 1)
        elif self._outside():
            self.at += 1
        else:
            self._refuse("latex-unexpected", "an alignment mark inside a formula", 1)

    def _dollar(self) -> None:
        width = 2 if self.source.text.startswith("$$", self.at) else 1
        if self.opened and self.opened[-1][0] == "$" * width:
            self.opened.pop()
            self.ended = True
        elif not self.opened and not self.tokens:
            self.opened.append(("$" * width, self._span(width)))
        else:
            self._refuse("latex-unexpected", "a `$` inside a formula", width)
        self.at += width

    def _number(self, text: str) -> None:
        after = self.source.text[self.at + len(text) : self.at + len(text) + 3]
        if re.match(r"[eE][-+]?\d", after):
            hint = "write `10^{-8}` for the power of ten"
            self._refuse("latex-number", "a number in computer notation", len(text) + 1, hint)
        if self._last() == "FRAC" and len(text) == 2 and text.isdigit():
            self._add("NUMBER", text[0], 1)  # `\\frac12` is one half
            text = text[1]
        self._add("NUMBER", text, len(text))

    def _letters(self, text: str) -> None:
        if _JOINT.search(text):
            self._add("WORD", _JOINT.sub("_", text), len(text))
        elif len(text) > 1 and self._is_word(text):
            self._add("WORD", text, len(text))
        elif text in words.FUNCTIONS:
            message = f"the letters `{text}` are a product here"
            hint = f"write `\\operatorname{{{text}}}` for the function"
            self._refuse("latex-ambiguous", message, len(text), hint)
        elif len(text) > 2:
            message = f"is `{text}` one name or a product of letters?"
            hint = f"write `\\mathrm{{{text}}}` for a name, or declare it"
            self._refuse("latex-ambiguous", message, len(text), hint)
        else:
            for letter in text:
                self._add("LETTER", letter, 1)

    def _is_word(self, text: str) -> bool:
        return (
            text in self.declared
            or self._in_subscript()
            or heads_brackets(text, self.source.text[self.at + len(text) : self.end])
        )

    def _in_subscript(self) -> bool:
        """Are we directly within the braces of a subscript?"""
        if not self.opened or self.opened[-1][0] != "CLOSE":
            return False
        start = self.opened[-1][1].start
        before = [token for token in self.tokens if (token.start_pos or 0) < start]
        return bool(before) and before[-1].type == "SUB"

    # --------------------------------------------------------------- commands

    def _command(self) -> None:
        match = _COMMAND.match(self.source.text, self.at, self.end)
        if match is None:
            self._refuse("latex-character", "a backslash ends the formula", 1)
        printed = match[0]
        name = printed[1:]
        if name == "\\":
            self._newline()
        elif name in words.GREEK:
            ours, font = words.GREEK[name]
            self._add("GREEK", f"{font} {ours}".strip(), len(printed))
        elif name in words.COMMANDS:
            self._add(*words.COMMANDS[name], len(printed))
        elif name in words.SIZES:
            self._sized(name, len(printed))
        elif printed in words.OPENING or printed in words.CLOSING or printed in words.BARS:
            self._bracket(printed, len(printed), None)
        elif name in words.LAYOUT:
            self.at += len(printed)
        elif name in words.GAPS:
            if self._outside():
                self._add("SEPARATOR", printed, len(printed))
            else:
                self.at += len(printed)
        else:
            self._command_with_argument(printed, name)

    def _command_with_argument(self, printed: str, name: str) -> None:
        start = self.at
        bare = name.rstrip("*")
        if bare in words.LAYOUT_WITH_ARGUMENTS:
            self.at += len(printed)
            for _ in range(words.LAYOUT_WITH_ARGUMENTS[bare]):
                self._argument(printed)
        elif name in ("tag", "label", "tag*"):
            self.at += len(printed)
            self.tags.append(self._argument(printed).strip())
        elif bare in ("begin", "end"):
            self.at += len(printed)
            self._environment(bare, self._argument(printed), start)
        elif name in words.FONTS:
            self.at += len(printed)
            self._in_font(name, self._argument(printed).strip(), start)
        elif bare in words.WORDS:
            self.at += len(printed)
            self._text(self._argument(printed), start)
        elif name in ("[", "]"):
            self._display(name)
        else:
            known = [*words.GREEK, *words.COMMANDS, *words.FONTS, *words.WORDS]
            near = did_you_mean(name, known)
            hint = near and near.replace("`", "`\\", 1)
            self._refuse("latex-command", f"`{printed}` is not understood", len(printed), hint)

    def _display(self, name: str) -> None:
        if name == "[" and not self.opened and not self.tokens:
            self.opened.append(("\\]", self._span(2)))
        elif name == "]" and self.opened and self.opened[-1][0] == "\\]":
            self.opened.pop()
            self.ended = True
        else:
            self._refuse("latex-unbalanced", f"`\\{name}` has no partner", 2)
        self.at += 2

    def _argument(self, printed: str) -> str:
        text, self.at = take_argument(self.source, self.at, self.end, printed)
        return text

    def _in_font(self, font: str, text: str, start: int) -> None:
        greek = words.GREEK.get(text.removeprefix("\\")) if text.startswith("\\") else None
        if greek is not None:
            self._put("GREEK", f"{font} {greek[0]}", start)
        elif len(text) == 1 and text.isalpha() and text.isascii():
            self._put("LETTER", f"{font} {text}", start)
        elif _WORD.fullmatch(text):
            self._put("WORD", f"{font} {_JOINT.sub('_', text)}", start)
        else:
            place = Span(self.source, start, self.at)
            raise refuse("latex-text", f"expected a letter in `\\{font}`", place)

    def _text(self, text: str, start: int) -> None:
        word = text.strip()
        in_cases = bool(self.opened) and self.opened[-1][0] == "END_CASES"
        connective = words.CONNECTIVES.get(word.rstrip(".,:"))
        prose = word != text or word.lower() in words.PROSE
        if connective and in_cases:
            self._put(connective, word, start)
        elif word == "and" and self._outside():
            self._put("SEPARATOR", word, start)
        elif word in words.FUNCTIONS:
            self._put("FUNCTION", words.FUNCTIONS[word], start)
        elif (_WORD.fullmatch(word) and not connective and not prose) or self._is_lowered(word):
            self._put("WORD", _JOINT.sub("_", word), start)
        else:
            place = Span(self.source, start, self.at)
            hint = "an equation may hold names, and `if` and `otherwise` within cases"
            raise refuse("latex-text", "these words are not understood", place, hint)

    def _is_lowered(self, word: str) -> bool:
        """A subscript may be a number set as text: a name's part, where `_0` may be a time."""
        return word.isdigit() and (self._last() == "SUB" or self._in_subscript())

    def _environment(self, verb: str, name: str, start: int) -> None:
        place = Span(self.source, start, self.at)
        if verb == "begin":
            if name == "cases":
                self._put("BEGIN_CASES", "cases", start)
                self.opened.append(("END_CASES", place))
            elif name in words.ENVIRONMENTS and self._outside() and not self.tokens:
                self.opened.append((name, place))
            else:
                raise refuse("latex-environment", f"`{name}` is not understood here", place)
            return
        closes = "END_CASES" if name == "cases" else name
        if not self.opened or self.opened[-1][0] != closes:
            raise refuse("latex-unbalanced", f"`{place.text}` closes nothing that is open", place)
        self.opened.pop()
        if name == "cases":
            self._drop_trailing(("COMMA", "SEMICOLON", "PUNCTUATION", "NEWLINE"))
            self._put("END_CASES", "cases", start)
        else:
            self.ended = True

    def _sized(self, name: str, width: int) -> None:
        text = self.source.text
        after = self.at + width
        while after < self.end and text[after].isspace():
            after += 1
        match = _COMMAND.match(text, after, self.end)
        printed = match[0] if match else text[after : after + 1]
        side = {"t": True, "l": True, "r": False}.get(name[-1]) if name[-1] in "lr" else None
        side = {"left": True, "right": False}.get(name, side)
        known = printed in words.OPENING or printed in words.CLOSING or printed in words.BARS
        if not known or after >= self.end:
            self._refuse("latex-unexpected", f"expected a bracket after `\\{name}`", width)
        self._bracket(printed, after + len(printed) - self.at, side)

    def _bracket(self, printed: str, width: int, opens: bool | None) -> None:
        if printed in words.BARS:
            kind = words.BARS[printed]
            if opens is None:
                inside = bool(self.opened) and self.opened[-1][0] == "R" + kind
                opens = not (inside and self._last() in _ENDS_OPERAND)
            left, right = "L" + kind, "R" + kind
        else:
            left = words.OPENING.get(printed, "")
            right = left.replace("L", "R", 1) if left else words.CLOSING[printed]
            opens = bool(left)
        if opens:
            self._open(left, right, width)
        else:
            self._close(right, width)

    def _open(self, kind: str, closes: str, width: int) -> None:
        self.opened.append((closes, self._span(width)))
        self._add(kind, self.source.text[self.at : self.at + width], width)

    def _close(self, kind: str, width: int) -> None:
        place = self._span(width)
        if not self.opened or self._outside():
            raise refuse("latex-unbalanced", f"`{place.text}` closes nothing", place)
        expected, opened = self.opened[-1]
        if expected != kind:
            message = f"`{place.text}` does not close `{opened.text}`"
            raise refuse("latex-unbalanced", message, place)
        self.opened.pop()
        self._add(kind, place.text, width)

    def _newline(self) -> None:
        width = 2
        if match := _LENGTH.match(self.source.text, self.at + 2, self.end):
            width = match.end() - self.at
        if self.opened and self.opened[-1][0] == "END_CASES":
            self._drop_trailing(("COMMA", "SEMICOLON", "PUNCTUATION"))
            self._add("NEWLINE", "\\\\", width)
        elif self._outside():
            self._finish_row()
            self.at += width
        else:
            self._refuse("latex-unexpected", "a new row inside a formula", 2)

    def _finish_row(self) -> None:
        self._drop_trailing(("SEPARATOR", "PUNCTUATION"))
        row = make_row(self.source, self.tokens, self.tags)
        if row is not None:
            self.found.append(row)
        elif self.tags and self.found:
            above = self.found[-1]
            self.found[-1] = Row(above.tokens, above.tags + tuple(self.tags), above.span)
        self.tokens, self.tags = [], []

    def _drop_trailing(self, kinds: tuple[str, ...]) -> None:
        while self.tokens and self.tokens[-1].type in kinds:
            self.tokens.pop()

    def _outside(self) -> bool:
        """Are we within no bracket, but for the environments that lay out a display?"""
        return all(
            kind in words.ENVIRONMENTS or kind in ("$", "$$", "\\]") for kind, _ in self.opened
        )

    def _last(self) -> str | None:
        return self.tokens[-1].type if self.tokens else None

    def _span(self, width: int) -> Span:
        return Span(self.source, self.at, self.at + width)

    def _add(self, kind: str, value: str, width: int) -> None:
        self.at += width
        self._put(kind, value, self.at - width)

    def _put(self, kind: str, value: str, start: int) -> None:
        if self.ended and kind not in ("PUNCTUATION", "SEPARATOR"):
            place = Span(self.source, start, self.at)
            raise refuse("latex-unexpected", "the display has ended before this", place)
        self.tokens.append(Token(kind, value, start_pos=start, end_pos=self.at))

    def _refuse(self, code: str, message: str, width: int, hint: str | None = None) -> NoReturn:
        raise refuse(code, message, self._span(width), hint)
