"""Cuts the LaTeX of a display into rows of tokens.

Spacing, alignment and size are dropped here, brackets are matched, bars are
told apart (opening or closing), and runs of letters become words or letters.
Anything else that the vocabulary does not hold is refused at its place.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from optdsl.diagnostics import Span, did_you_mean
from optdsl.latex import texts
from optdsl.latex import vocabulary as words
from optdsl.latex.cutting import COMMAND, Cutter
from optdsl.latex.onto import onto
from optdsl.latex.operands import ENDS_OPERAND
from optdsl.latex.problems import refuse
from optdsl.latex.respelling import respelled
from optdsl.latex.rows import Row
from optdsl.latex.scanning import heads_brackets, lists_behind, set_behind
from optdsl.latex.systems import begins_array, heads_system

_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
#: Pairs of letters that are names or words, and hardly ever products.
_NO_PRODUCTS = frozenset(("lr", "wd", "if", "or", "do", "of", "is", "we", "to", "by"))
_LETTERS = re.compile(r"[A-Za-z]+(?:(?:\\_|\\text\{\\?_\})[A-Za-z0-9]+)*")
_ONE = re.compile(r"\s*(\{[^{}]*\}|\d|\\?[A-Za-z]+)")
_SIGN = re.compile(r"\s*\{\s*(:?=|\\[A-Za-z]+)\s*\}")
_REMARK = re.compile(r"\s*[_^]\s*(?=\{)")


def tokenize(
    span: Span, declared: Collection[str] = (), *, condition: bool = False
) -> tuple[Row, ...]:
    """Return the rows of the LaTeX at `span`; words in `declared` are names, not products.

    In a `condition` the equals sign compares. Raises DiagnosticError at the first thing
    that is not understood.
    """
    tokenizer = _Tokenizer(span.source, span.start, span.end, frozenset(declared))
    tokenizer.condition = condition
    return tokenizer.rows()


class _Tokenizer(Cutter):
    condition = False

    def rows(self) -> tuple[Row, ...]:
        while self.at < self.end:
            self._next()
        if self.opened:
            _, place = self.opened[-1]
            raise refuse("latex-unbalanced", f"`{place.text}` is never closed", place)
        self.finish_row()
        return tuple(self.found)

    def _next(self) -> None:
        text, at = self.source.text, self.at
        character = text[at]
        if respelled(self):
            return
        if character.isspace() or character == "~":
            self.at += 1
        elif character == "%":
            newline = text.find("\n", at)
            self.at = self.end if newline < 0 else newline
        elif character == "$":
            self._dollar()
        elif text.startswith(":=", at):
            self.add("RELATION", ":=", 2)
        elif character == "\\":
            self._command()
        elif match := _NUMBER.match(text, at, self.end):
            self._number(match[0])
        elif match := _LETTERS.match(text, at, self.end):
            self._letters(match[0])
        elif character == "=":
            comparing = self.condition or self.in_condition()
            self.add(*(("COMPARE", "==") if comparing else ("RELATION", "=")), 1)
        elif character == "+" and self.last() == "RELATION":
            self.at += 1  # `g \gets +\nabla f`
        elif character in words.PLAIN:
            self.add(words.PLAIN[character], character.replace("−", "-"), 1)
        else:
            self._mark(character)

    # ------------------------------------------------------------- characters

    def _mark(self, character: str) -> None:
        if character == "{":
            self.open("OPEN", "CLOSE", 1)
        elif character == "}":
            self.close("CLOSE", 1)
        elif character == "[" and self.last() == "SQRT":
            self.open("LOPTION", "ROPTION", 1)
        elif character == "]" and self.opened and self.opened[-1][0] == "ROPTION":
            self.close("ROPTION", 1)
        elif character in words.OPENING or character in words.CLOSING or character in words.BARS:
            self.bracket(character, 1, None)
        elif character == "&":
            self._ampersand()
        elif character in ",;":
            kind = "SEPARATOR" if self.outside() else {",": "COMMA", ";": "SEMICOLON"}[character]
            self.add(kind, character, 1)
        elif character == ":":
            self.add("COLON", character, 1)
        elif character == ".":
            self.add("PUNCTUATION", character, 1)
        elif character == "'":
            self._prime()
        else:
            hint = "write `-` for a minus sign" if character in "–—" else None
            self.refuse("latex-character", f"`{character}` is not understood here", 1, hint)

    def _prime(self) -> None:
        """`u'` and `u''` are names of their own."""
        width = len(self.source.text[self.at :]) - len(self.source.text[self.at :].lstrip("'"))
        self.add("PRIME", "prime" * width, width)

    def _ampersand(self) -> None:
        if self.opened and self.opened[-1][0] == "END_CASES":
            self.drop_trailing(("COMMA", "SEMICOLON"))
            self.add("AMPERSAND", "&", 1)
        elif self.outside():
            if not self.goes_on(1) and self._between_columns():
                self.put("SEPARATOR", "&", self.at)
            self.at += 1
        elif self.goes_on(0):
            self.at += 1
        else:
            self.refuse("latex-unexpected", "an alignment mark inside a formula", 1)

    def _between_columns(self) -> bool:
        """`a &= b & c &= d`, `a &= b & \\text{why}`: has an equation ended before this mark?"""
        kinds = [token.type for token in self.tokens]
        since = (
            kinds[len(kinds) - kinds[::-1].index("SEPARATOR") :] if "SEPARATOR" in kinds else kinds
        )
        return "RELATION" in since and self.last() in ENDS_OPERAND

    def _dollar(self) -> None:
        width = 2 if self.source.text.startswith("$$", self.at) else 1
        if self.opened and self.opened[-1][0] == "$" * width:
            self.opened.pop()
            self.ended = True
        elif not self.opened and not self.tokens:
            self.opened.append(("$" * width, self.span(width)))
        else:
            self.check_closed()
            self.refuse("latex-unexpected", "a `$` inside a formula", width)
        self.at += width

    def _number(self, text: str) -> None:
        after = self.source.text[self.at + len(text) : self.at + len(text) + 3]
        if re.match(r"[eE][-+]?\d", after):
            hint = "write `10^{-8}` for the power of ten"
            self.refuse("latex-number", "a number in computer notation", len(text) + 1, hint)
        if self.last() == "FRAC" and len(text) == 2 and text.isdigit():
            self.add("NUMBER", text[0], 1)  # `\\frac12` is one half
            text = text[1]
        self.add("NUMBER", text, len(text))

    def _letters(self, text: str) -> None:
        if texts.JOINT.search(text):
            self.add("WORD", texts.JOINT.sub("_", text), len(text))
        elif text in ("True", "False") and self.last() == "COMPARE":
            self.add("SIGN", text.lower(), len(text))
        elif len(text) > 1 and self._is_word(text):
            self.add("WORD", text, len(text))
        elif text in ("min", "max") and lists_behind(
            self.source.text, self.at + len(text), self.end
        ):
            self.add("FUNCTION", text, len(text))  # letters before a list are no product
        elif text in words.FUNCTIONS:
            message = f"the letters `{text}` are a product here"
            hint = f"write `\\operatorname{{{text}}}` for the function"
            self.refuse("latex-ambiguous", message, len(text), hint)
        elif len(text) > 2 or text in _NO_PRODUCTS:
            message = f"is `{text}` one name or a product of letters?"
            hint = f"write `\\mathrm{{{text}}}` for a name, or declare it"
            self.refuse("latex-ambiguous", message, len(text), hint)
        else:
            for letter in text:
                self.add("LETTER", letter, 1)

    def _labels(self, width: int) -> bool:
        """`v^{max}`: a word alone above the line."""
        alone = self.last() == "OPEN" and self.source.text.startswith("}", self.at + width)
        return alone and self.in_superscript()

    def _is_word(self, text: str) -> bool:
        numbered = self.last() == "NUMBER" and len(text) == 1
        return not numbered and (
            text in self.declared
            or self.in_subscript()
            or ((text in words.FUNCTIONS or len(text) > 2) and self._labels(len(text)))
            or heads_brackets(text, self.source.text[self.at + len(text) : self.end])
        )

    # --------------------------------------------------------------- commands

    def _command(self) -> None:
        match = COMMAND.match(self.source.text, self.at, self.end)
        if match is None:
            self.refuse("latex-character", "a backslash ends the formula", 1)
        printed = match[0]
        name = printed[1:]
        if name == "\\":
            self.newline()
        elif name in words.GREEK:
            ours, font = words.GREEK[name]
            self.add("GREEK", f"{font} {ours}".strip(), len(printed))
        elif self.source.text.startswith(r"\mathbin{@}", self.at):
            self.add("TIMES", "@", 11)
        elif name in ("in", "sim", "triangleq", "doteq"):
            self._relation(name, len(printed))
        elif name == "%" and self.last() == "NUMBER":
            hint = "write `0.1` for ten percent, `10 \\bmod x` for a remainder"
            self.refuse("latex-ambiguous", "a percentage, or a remainder?", 2, hint)
        elif name in words.COMMANDS:
            self.add(*words.COMMANDS[name], len(printed))
            if self.tokens[-1].type == "DOTS" and self.outside():
                onto(self)
        elif name in words.SIZES:
            if not begins_array(self):
                self.sized(name, len(printed))
        elif printed in words.OPENING or printed in words.CLOSING or printed in words.BARS:
            self.bracket(printed, len(printed), None)
        elif name in words.LAYOUT:
            self.at += len(printed)
        elif name in words.GAPS:
            if self.outside():
                self.add("SEPARATOR", printed, len(printed))
            else:
                self.at += len(printed)
        else:
            self._command_with_argument(printed, name)

    def _relation(self, name: str, width: int) -> None:
        if name == "in" and (found := set_behind(self.source.text, self.at + width, self.end)):
            self.add("MEMBER", "in", width)
            self.add("SET", *found)
        else:
            self.add(*words.COMMANDS[name], width)

    def _command_with_argument(self, printed: str, name: str) -> None:
        start = self.at
        bare = name.rstrip("*")
        if bare in words.LAYOUT_WITH_ARGUMENTS:
            self.at += len(printed)
            for _ in range(words.LAYOUT_WITH_ARGUMENTS[bare]):
                self.argument(printed)
        elif name in ("tag", "label", "tag*"):
            self.at += len(printed)
            self.tags.append(self.argument(printed).strip())
        elif bare in ("begin", "end"):
            self.at += len(printed)
            self._environment(bare, self.argument(printed), start)
        elif name in words.FONTS:
            self.at += len(printed)
            texts.in_font(self, name, self._one_argument(printed), start)
        elif bare in words.WORDS:
            self._words(printed, start)
        elif name in ("[", "]", "(", ")"):
            self._display(name)
        else:
            self._wrapped(printed, name)

    def _one_argument(self, printed: str, bare: bool = False) -> str:
        """Return an argument; a single letter or command needs no braces."""
        match = _ONE.match(self.source.text, self.at, self.end)
        if match is None or match[1].startswith("{"):
            return self.argument(printed) if bare else self.argument(printed).strip()
        taken = match[1] if match[1].startswith("\\") else match[1][0]
        self.at = match.start(1) + len(taken)
        return taken

    def _words(self, printed: str, start: int) -> None:
        """Words; `\\text{if $x > 0$}` holds a formula."""
        inner = texts.condition_within(self.source.text, self.at, self.end)
        self.at += len(printed)
        if inner is None:
            taken = self._one_argument(printed, bare=True)
            texts.in_words(self, printed, taken, start)
            return
        word, low, high, end = inner
        self.at = low
        texts.in_words(self, printed, word, start)
        for row in tokenize(Span(self.source, low, high), self.declared, condition=True):
            self.tokens.extend(row.tokens)
        self.at = end

    def _wrapped(self, printed: str, name: str) -> None:
        """`\\underbrace{x}_{text}`, `\\boxed{x}`, `\\overset{def}{=}`: what they show."""
        bare = name.rstrip("*")
        if bare in words.WRAPPERS:
            self.at += len(printed)
            for _ in range(words.WRAPPERS[bare]):
                self.argument(printed)
        elif bare in ("underbrace", "overbrace"):
            self._braced(printed)
        elif bare in ("overset", "stackrel", "underset"):
            self.at += len(printed)
            self.argument(printed)
            self._set_over()
        elif bare == "middle":
            self.sized("big", len(printed))
        else:
            known = [*words.GREEK, *words.COMMANDS, *words.FONTS, *words.WORDS]
            near = did_you_mean(name, known)
            hint = words.INSTEAD.get(bare) or (near and near.replace("`", "`\\", 1))
            self.refuse("latex-command", f"`{printed}` is not understood", len(printed), hint)

    def _set_over(self) -> None:
        """`\\overset{def}{=}`: the sign in the braces is what counts."""
        match = _SIGN.match(self.source.text, self.at, self.end)
        if match is not None:
            self.at = match.start(1)
            while self.at < match.end(1):
                self._next()
            self.at = match.end()

    def _braced(self, printed: str) -> None:
        """A brace with a remark: the remark is taken away, the formula stays."""
        self.at += len(printed)
        start = self.at
        self.argument(printed)
        inner = Span(self.source, start, self.at)
        match = _REMARK.match(self.source.text, self.at, self.end)
        if match:
            self.at = match.end()
            self.argument(printed)
        for row in tokenize(inner, self.declared, condition=self.condition):
            for token in row.tokens:
                self.put(token.type, str(token), token.start_pos or 0)
                self.tokens[-1].end_pos = token.end_pos

    def _display(self, name: str) -> None:
        closes = {"[": "\\]", "(": "\\)"}.get(name)
        if closes and not self.opened and not self.tokens:
            self.opened.append((closes, self.span(2)))
        elif not closes and self.opened and self.opened[-1][0] == "\\" + name:
            self.opened.pop()
            self.ended = True
        else:
            self.check_closed()
            self.refuse("latex-unbalanced", f"`\\{name}` has no partner", 2)
        self.at += 2

    # ----------------------------------------------------------- environments

    def _environment(self, verb: str, name: str, start: int) -> None:
        place = Span(self.source, start, self.at)
        array = bool(self.opened) and self.opened[-1][0] == "\\right."
        if verb == "begin":
            if name in words.COLUMNS:
                self.argument(place.text)
            if name in words.CASES and heads_system(self, self.at):
                self.opened.append((f"system {name}", place))
            elif name in words.CASES or array:
                self.put("BEGIN_CASES", name, start)
                self.opened.append(("END_CASES", place))
            elif name in words.ENVIRONMENTS and self.outside() and not self.tokens:
                self.opened.append((name, place))
            else:
                raise refuse("latex-environment", f"`{name}` is not understood here", place)
            return
        self._end_environment(name, start, place)

    def _end_environment(self, name: str, start: int, place: Span) -> None:
        opened = self.opened[-1] if self.opened else ("", place)
        cases = opened[0] == "END_CASES" and opened[1].text.startswith(f"\\begin{{{name}}}")
        if not cases and opened[0] not in (name, f"system {name}"):
            self.check_closed()
            raise refuse("latex-unbalanced", f"`{place.text}` closes nothing that is open", place)
        self.opened.pop()
        if cases:
            self.drop_trailing(("COMMA", "SEMICOLON", "PUNCTUATION", "NEWLINE"))
            self.put("END_CASES", "cases", start)
        else:
            self.ended = True
