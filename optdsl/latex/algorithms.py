"""Reads algorithm blocks: `\\For`, `\\While`, `\\If`, `\\State` and `\\Return`, in either case.

The loop over steps gives the letter that counts them and its first number; a
loop of fixed length gives an index, one over layers nothing. A branch makes
the values that it sets conditional. Words are understood where they say what
the formula beside them says anyway (`Initialize $m_0 = 0$`), or that data are
drawn; any others are refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from optdsl.diagnostics import Span
from optdsl.latex import shapes
from optdsl.latex import vocabulary as words
from optdsl.latex.branches import Branch, joined
from optdsl.latex.lines import Line, lines
from optdsl.latex.notation import Digits, Raw, Run, Scripted, Sides, Symbol
from optdsl.latex.parsing import parse_condition, parse_row
from optdsl.latex.problems import refuse
from optdsl.latex.tokens import tokenize

_BLOCK = re.compile(r"\\begin\{(algorithmic|algorithm|algorithm2e)(\*?)\}")
_MATH = re.compile(r"\$(?P<math>[^$]*)\$|\\\((?P<other>.*?)\\\)", re.DOTALL)
_COUNT = re.compile(
    r"\$?\s*(?P<letter>[a-zA-Z])\s*(?:=|\\gets|\\leftarrow|\\in\s*\\\{)\s*(?P<first>\d+)\s*\$?"
    r"(?P<rest>.*)",
    re.DOTALL,
)
_RETURN = re.compile(r"\s*(?:\\textbf\{)?return\b", re.IGNORECASE)
_FIXED = re.compile(
    r"[\s$,]*(?:\d+\s*,)?\s*(?:\\[lc]?dots|\\to|\\KwTo|\\text(?:bf)?\{ ?to ?\}|to)\s*,?\s*\$?\s*"
    r"(?P<last>\d+|[A-Za-z])\s*\$?\s*(?:\\textbf\{do\}|do|steps|rounds)?[\s:]*"
)
_DATA = re.compile(
    r"\s*(?:sample|draw|receive|select|observe|get|choose|pick)\b.*"
    r"\b(?:batch|mini-?batch|data|samples?|examples?)\b",
    re.IGNORECASE | re.DOTALL,
)
_SETS = re.compile(r"=|\\gets|\\leftarrow|\\sim")
_LIMITS = re.compile(r"\b(?:if|when|unless|only|except|every|until|while|for|not)\b", re.IGNORECASE)
_LAYOUT = words.LAYOUT | words.GAPS | {"textbf", "textit", "emph", "text", "Comment"}
_BRANCHES = ("elsif", "elseif", "else")


@dataclass(frozen=True)
class Block:
    """What an algorithm block says: its statements, the letter of its steps and the first one."""

    statements: tuple[Sides, ...]
    loop: tuple[str, int] | None


@dataclass
class _Reader:
    lines: list[Line]
    declared: frozenset[str]
    at: int = 0
    loop: tuple[str, int] | None = None
    looping: bool = False

    # ---------------------------------------------------------------- blocks

    def body(self, ends: Collection[str]) -> list[Sides]:
        """Read lines until one of `ends`."""
        found: list[Sides] = []
        while self.at < len(self.lines) and self.lines[self.at].word not in ends:
            found = self._one(found)
        return found

    def _one(self, before: list[Sides]) -> list[Sides]:
        line = self.lines[self.at]
        self.at += 1
        match line.word:
            case "state" | "statex" if _RETURN.match(line.text.text):
                return self._return(line, before)
            case "state" | "statex" | "":
                return [*before, *self._statements(line)]
            case "require" | "ensure" | "input" | "output" | "kwin" | "kwout":
                return [*before, *self._declarations(line)]
            case "for" | "forall" | "while" | "loop":
                return self._loop(line, before)
            case "if":
                return joined(before, self._branches(line), line.span)
            case "return":
                return self._return(line, before)
            case "comment" | "caption" | "label":
                return before
        raise refuse("latex-algorithm", f"`{line.span.text}` is not understood here", line.span)

    def _close(self, line: Line, end: str) -> None:
        if self.at >= len(self.lines) or self.lines[self.at].word != end:
            raise refuse("latex-unbalanced", f"`{line.span.text}` is never closed", line.span)
        self.at += 1

    def _loop(self, line: Line, before: list[Sides]) -> list[Sides]:
        end = {"while": "endwhile", "loop": "endloop"}.get(line.word, "endfor")
        index = self._header(line)
        counting = index is None and self.looping
        inside = self.body([end])
        self._close(line, end)
        if index is not None:
            return [*before, index, *(_within(index, one) for one in inside)]
        if counting:
            return [*before, *inside]
        return [*(replace(one, initial=True) for one in before), *inside]

    def _header(self, line: Line) -> Sides | None:
        """Read what a loop runs over: steps, layers, or an index with a fixed range."""
        text = "" if line.argument is None else line.argument.text
        if re.search(r"\blayers?\b|\bparameters?\b|\btensors?\b", text):
            self.looping = True
            return None
        count = _COUNT.fullmatch(text)
        if self.loop is None and not self.looping:
            ends = line.word == "while" and re.search(r"converge|stopp|terminat", text)
            if line.word == "loop" or ends:
                self.loop = ("t", 1)
                return None
            if count is not None and line.word != "while":
                self.loop = (count["letter"], int(count["first"]))
                return None
        fixed = None if count is None else _FIXED.fullmatch(count["rest"])
        if line.word in ("for", "forall") and count is not None and fixed is not None:
            return _range_of(line.argument or line.span, count, fixed)
        place = line.argument or line.span
        hint = "a loop runs over the steps, `$t = 1$ to $T$`, over layers, or has a fixed length"
        raise refuse("latex-algorithm", "this loop is not understood", place, hint)

    def _branches(self, line: Line) -> list[Branch]:
        ends = (*_BRANCHES, "endif")
        found = [Branch(self._condition(line), tuple(self.body(ends)))]
        while self.at < len(self.lines) and self.lines[self.at].word in _BRANCHES:
            other = self.lines[self.at]
            self.at += 1
            condition = None if other.word == "else" else self._condition(other)
            found.append(Branch(condition, tuple(self.body(ends))))
        self._close(line, "endif")
        return found

    def _condition(self, line: Line) -> Raw:
        if line.argument is None:
            raise refuse("latex-algorithm", "expected a condition in braces", line.span)
        inside = line.argument
        parts = list(_MATH.finditer(inside.text))
        outside = _MATH.sub("", inside.text).strip()
        if len(parts) != 1 or outside not in ("", "then"):
            message = "this condition is not understood"
            raise refuse("latex-algorithm", message, inside, "write it as one formula")
        group = "math" if parts[0]["math"] is not None else "other"
        low, high = parts[0].span(group)
        place = Span(inside.source, inside.start + low, inside.start + high)
        rows = tokenize(place, self.declared, condition=True)
        if len(rows) != 1:
            raise refuse("latex-algorithm", "expected a condition", place)
        return parse_condition(rows[0])

    # ----------------------------------------------------------------- lines

    def _formulas(self, place: Span) -> list[tuple[Span, tuple[Sides, ...]]]:
        """Return the formulas of a line, each with what it says."""
        found = []
        for match in _MATH.finditer(place.text):
            low, high = match.span("math" if match["math"] is not None else "other")
            inside = Span(place.source, place.start + low, place.start + high)
            said = [one for row in tokenize(inside, self.declared) for one in parse_row(row)]
            found.append((inside, tuple(said)))
        return found

    def _statements(self, line: Line) -> Iterator[Sides]:
        text = line.text.text
        if not text.strip():
            return
        if "$" not in text and "\\(" not in text and re.search(r"=|\\gets|\\leftarrow", text):
            for row in tokenize(line.text, self.declared):
                yield from map(_assigning, parse_row(row))
            return
        if _DATA.match(_MATH.sub(" ", text)) and not _SETS.search(text):
            return
        self._check_words(line)
        said = [one for _, statements in self._formulas(line.text) for one in statements]
        if not said:
            raise refuse("latex-text", "these words are not understood", line.text)
        for one in said:
            if len(one.sides) == 1 and not one.relations:
                hint = "a line sets something, as in `$m_0 = 0$`"
                raise refuse("latex-unexpected", "expected `=`", one.span, hint)
            yield _assigning(one)

    def _check_words(self, line: Line) -> None:
        outside = _MATH.sub(" ", line.text.text)
        commands = [one for one in re.findall(r"\\([A-Za-z]+)", outside) if one not in _LAYOUT]
        if commands:
            at = line.text.text.index("\\" + commands[0]) + line.text.start
            place = Span(line.text.source, at, at + len(commands[0]) + 1)
            raise refuse("latex-algorithm", f"`{place.text}` is not understood here", place)
        said = re.findall(r"[A-Za-z][A-Za-z-]*", _MATH.sub(" ", _without_remarks(line.text.text)))
        strange = [word for word in said if word.lower() not in words.ALGORITHM]
        if strange:
            at = line.text.text.index(strange[0]) + line.text.start
            place = Span(line.text.source, at, at + len(strange[0]))
            hint = "a line of an algorithm holds formulas; write remarks as `\\Comment{}`"
            raise refuse("latex-text", "these words are not understood", place, hint)

    def _declarations(self, line: Line) -> Iterator[Sides]:
        """What is required may start states, `$m_0 = 0$`; the rest describes symbols."""
        for match in _MATH.finditer(line.text.text):
            low, high = match.span("math" if match["math"] is not None else "other")
            place = Span(line.text.source, line.text.start + low, line.text.start + high)
            if not _SETS.search(place.text):
                continue
            for row in tokenize(place, self.declared):
                for one in parse_row(row):
                    if one.relations and _is_start(one.sides[0]):
                        yield _assigning(one)

    def _return(self, line: Line, before: list[Sides]) -> list[Sides]:
        """What is returned must be something that the lines set."""
        set_here = {_letter(one.sides[0]) for one in before}
        for place, statements in self._formulas(line.text):
            for one in statements:
                if len(one.sides) != 1 or _letter(one.sides[0]) not in set_here - {""}:
                    message = "what is returned is set nowhere"
                    raise refuse("latex-algorithm", message, place)
        return before


def _is_start(raw: Raw | None) -> bool:
    """Is it a symbol at time 0?"""
    scripts = raw.scripts if isinstance(raw, Scripted) else ()
    return any(shapes.says(script, "0") for script in scripts if not script.raised)


def _letter(raw: Raw | None) -> str:
    base = None if raw is None else shapes.unscripted(raw)
    return base.name if isinstance(base, Symbol) else ""


def _range_of(place: Span, count: re.Match[str], fixed: re.Match[str]) -> Sides:
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


def _within(index: Sides, statement: Sides) -> Sides:
    """What stands in a loop of fixed length is done in each of its rounds."""
    return replace(statement, loops=(_letter(index.sides[0]), *statement.loops))


def _assigning(statement: Sides) -> Sides:
    """In an algorithm every equals sign sets what stands to its left."""
    relations = tuple(":=" if one == "=" else one for one in statement.relations)
    return replace(statement, relations=relations)


def _without_remarks(text: str) -> str:
    """Leave out what stands in brackets, and what a line's own font or layout says."""
    text = re.sub(r"\\(?:textbf|textit|emph|text)\{([^{}]*)\}", r" \1 ", text)
    text = re.sub(r"\([^()]*\)", lambda m: m[0] if _LIMITS.search(m[0]) else " ", text)
    return re.sub(r"\\[A-Za-z]+|\\.", " ", text)


def holds_algorithm(latex: str) -> bool:
    """Is there an algorithm block in it?"""
    return _BLOCK.search(latex) is not None


def read_block(span: Span, declared: Collection[str] = ()) -> Block:
    """Return what the lines of an algorithm block say.

    Raises DiagnosticError at the first line that is not understood.
    """
    reader = _Reader(list(lines(span)), frozenset(declared))
    found = reader.body([])
    if not found:
        raise refuse("latex-algorithm", "this algorithm sets nothing", span)
    return Block(tuple(found), reader.loop)
