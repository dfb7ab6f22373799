"""Reads algorithm blocks: `\\For`, `\\While`, `\\If`, `\\State` and `\\Return`, in either case.

The loop over steps gives the letter that counts them and its first number; a
loop of fixed length gives an index, one over layers nothing. A branch makes
the values that it sets conditional. Words are understood where they say what
the formula beside them says anyway (`Initialize $m_0 = 0$`), or that data are
drawn; any others are refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from optdsl.diagnostics import Span
from optdsl.latex import shapes, wording
from optdsl.latex.branches import Branch, Inner, check_inner, joined
from optdsl.latex.counting import check_branch, clock_of, counted, counts_first, sets_clock
from optdsl.latex.entries import entry_letter, said_of_all
from optdsl.latex.lines import Line, lines
from optdsl.latex.loops import before_loop, letter_of_all, range_of, within
from optdsl.latex.notation import Raw, Scripted, Sides
from optdsl.latex.parsing import parse_condition, parse_row
from optdsl.latex.problems import refuse
from optdsl.latex.tables import is_table, table_lines
from optdsl.latex.tokens import tokenize
from optdsl.latex.tuples import paired
from optdsl.latex.wording import SETS

_BLOCK = re.compile(r"\\begin\{(algorithmic|algorithm|algorithm2e)(\*?)\}")
_COUNT = re.compile(
    r"\$?\s*(?P<letter>[a-zA-Z])\s*(?:=\s*\\\{|=|\\gets|\\leftarrow|\\in\s*\\\{)\s*"
    r"(?P<first>\d+)\s*\$?"
    r"(?P<rest>.*)",
    re.DOTALL,
)
_RETURN = re.compile(r"\s*(?:\\textbf\{)?return\b", re.IGNORECASE)
_FIXED = re.compile(
    r"[\s$,]*(?:\d+\s*,)?\s*(?:\\[lc]?dots|\\to|\\KwTo|\\text(?:bf)?\{ ?to ?\}|to)\s*,?\s*\$?\s*"
    r"(?P<last>\d+|[A-Za-z])\s*\$?\s*(?:\\textbf\{do\}|do|steps|rounds)?[\s:]*"
)
# `$t < T$`, perhaps with the layers, which say nothing; `$t \\in [T]$`
_BOUND = re.compile(
    r"\s*\$\s*(?P<letter>[a-z])\s*(?:<|=|\\(?:leq?|leqslant|neq?)(?![a-z]))\s*"
    r"(?:[A-Z]|\d+|[A-Z]_\{?\w+\}?)\s*(?:[-+]\s*1)?\s*\$\s*"
    r"(?:for (?:each|every|all) layers?.*|do)?\s*",
    re.DOTALL,
)
_WHOLE = re.compile(r"\s*\$\s*(?P<letter>[a-z])\s*\\in\s*\[\s*[A-Z]\s*\]\s*\$\s*(?:do)?\s*")
_GLOSS = re.compile(r"^[\sa-zA-Z-]+,?\s*i\.\s*e\.,?|\\(?:textbf|bf|bfseries)(?![A-Za-z])|[{}]")
_STOPS = re.compile(r"converge|stopp|terminat|criteri|\bdone\b|finished|budget", re.IGNORECASE)
_LOOPS = "a loop runs over the steps, `$t = 1$ to $T$`, over layers, or has a fixed length"
_SAYS = "a line of an algorithm holds formulas; write remarks as `\\Comment{}`"
_DOES = "write it as a formula, or as a remark in `\\Comment{}` if a formula says it"
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
    over: bool = False  # has the loop over steps ended?
    procedures: int = 0  # how many have begun
    entries: list[str] = field(default_factory=list)  # letters of loops over entries
    inner: list[Inner] = field(default_factory=list)  # what one branch alone sets
    above: list[list[Sides]] = field(default_factory=list)  # what stands above the open branches

    # ---------------------------------------------------------------- blocks

    def body(self, ends: Collection[str], above: Sequence[Sides] = ()) -> list[Sides]:
        """Read lines until one of `ends`; they stand below those in `above`."""
        found = list(above)
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
            case "for" | "forall" | "while" | "loop" | "repeat":
                return self._loop(line, before)
            case "if":
                self.above.append(before)
                branches = self._branches(line)
                self.above.pop()
                above = [one for block in self.above for one in block]
                return joined(before, branches, line.span, self.inner, above)
            case "return":
                return self._return(line, before)
            case "comment" | "caption" | "label" | "endprocedure" | "endfunction":
                return before
            case "procedure" | "function":
                return self._procedure(line, before)
        raise refuse("latex-algorithm", f"`{line.span.text}` is not understood here", line.span)

    def _procedure(self, line: Line, before: list[Sides]) -> list[Sides]:
        """The head of the one procedure of a block says nothing."""
        if self.procedures:
            message = "a second procedure; which of them is the rule?"
            raise refuse("latex-algorithm", message, line.span, "leave the rule in this block")
        self.procedures = 1
        return before

    def _close(self, line: Line, end: str) -> None:
        if self.at >= len(self.lines) or self.lines[self.at].word != end:
            raise refuse("latex-unbalanced", f"`{line.span.text}` is never closed", line.span)
        self.at += 1

    def _loop(self, line: Line, before: list[Sides]) -> list[Sides]:
        letter = entry_letter("" if line.argument is None else line.argument.text)
        if letter and (self.looping or self.loop is not None):
            self.entries.append(letter)
            inside = self.body(["endfor"], before)
            self.entries.pop()
            self._close(line, "endfor")
            return inside
        end = {"while": "endwhile", "loop": "endloop", "repeat": "until"}.get(line.word, "endfor")
        outer = self.loop
        index = None if line.word == "repeat" else self._header(line)
        counting = line.word != "repeat" and index is None and self.looping
        layers = line.word in ("for", "forall") and index is None and outer == self.loop
        if line.word == "repeat":
            self._require_first(line)
        inside = self.body([end])
        if end == "until" and self.at < len(self.lines):
            self._until(self.lines[self.at])
        self._close(line, end)
        self.over = self.over or (outer is None and self.loop is not None)
        if index is not None:
            return [*before, index, *(within(index, one) for one in inside)]
        if layers:
            inside = [replace(one, layer=True) for one in inside]
        if counting:
            return [*before, *inside]
        if line.word in ("for", "forall") and self.loop is not None:
            counts_first(inside, self.loop[0])
        elif self.loop is not None:
            self.loop = clock_of(self.loop, before, inside)
            before = [one for one in before if not sets_clock(one, self.loop[0])]
            inside = [one for one in inside if counted(one) != self.loop[0]]
        return [*map(before_loop, before), *inside]

    def _require_first(self, line: Line) -> None:
        """The loop that ends by a criterion is the one over steps."""
        if self.loop is not None or self.looping:
            message = f"`{line.span.text}` is not understood here"
            raise refuse("latex-algorithm", message, line.span, _LOOPS)
        self.loop = ("t", 1)

    def _until(self, line: Line) -> None:
        place = line.argument or line.span
        if not _STOPS.search(place.text) and _BOUND.fullmatch(place.text) is None:
            message = "this is not understood as the end of the steps"
            raise refuse("latex-algorithm", message, place, "write `converged`, or `$t = T$`")

    def _header(self, line: Line) -> Sides | None:
        """Read what a loop runs over: steps, layers, or an index with a fixed range."""
        place = line.argument or line.span
        text = "" if line.argument is None else line.argument.text
        count = _COUNT.fullmatch(text)
        by_t = count is not None and count["letter"] == "t"
        first = self.loop is None and (by_t or not self.looping)
        bound = _BOUND.fullmatch(text)
        if first and line.word == "while" and bound is not None:
            self.loop = (bound["letter"], 1)
            return None
        if wording.over_layers(text):
            self.looping = True
            return None
        if first:
            listed = count is not None and re.search(r"\\in|\\\{", text[: count.start("rest")])
            if line.word == "loop" or (line.word == "while" and _STOPS.search(text)):
                self.loop = ("t", 1)
                return None
            if count is not None and (line.word != "while" or listed):
                if not wording.counts_up(int(count["first"]), count["rest"]):
                    raise refuse("latex-algorithm", "this loop is not understood", place, _LOOPS)
                self.loop = (count["letter"], int(count["first"]))
                return None
            if (whole := _WHOLE.fullmatch(text)) is not None and line.word != "while":
                self.loop = (whole["letter"], 1)
                return None
        fixed = None if count is None else _FIXED.fullmatch(count["rest"])
        rising = count is not None and wording.counts_up(int(count["first"]), count["rest"])
        if line.word in ("for", "forall") and count and fixed and rising and not by_t:
            return range_of(place, count, fixed)
        raise refuse("latex-algorithm", "this loop is not understood", place, _LOOPS)

    def _branches(self, line: Line) -> list[Branch]:
        ends = (*_BRANCHES, "endif")
        found = [self._branch(self._condition(line), ends)]
        while self.at < len(self.lines) and self.lines[self.at].word in _BRANCHES:
            other = self.lines[self.at]
            self.at += 1
            condition = None if other.word == "else" else self._condition(other)
            found.append(self._branch(condition, ends))
        self._close(line, "endif")
        for branch in found:
            check_branch(branch.statements, self.loop[0] if self.loop else "t")
        return found

    def _branch(self, condition: Raw | None, ends: Collection[str]) -> Branch:
        begun = self.at
        statements = tuple(self.body(ends))
        inside = [line.text for line in self.lines[begun : self.at]] or [self.lines[begun].text]
        source, high = inside[0].source, max(one.end for one in inside)
        return Branch(condition, statements, Span(source, inside[0].start, high))

    def _condition(self, line: Line) -> Raw:
        if line.argument is None:
            raise refuse("latex-algorithm", "expected a condition in braces", line.span)
        inside = line.argument
        parts = wording.math_in(inside.text)
        if "$" not in inside.text and not parts and wording.is_formula(inside.text):
            return self._compared(inside, {inside.text.strip()})
        outside = _GLOSS.sub(
            "", wording.without_formulas(inside.text).replace(wording.FORMULA, "")
        ).strip()
        if len(parts) != 1 or outside not in ("", "then"):
            message = "this condition is not understood"
            raise refuse("latex-algorithm", message, inside, "write it as one formula")
        group = "math" if parts[0]["math"] is not None else "other"
        low, high = parts[0].span(group)
        return self._compared(Span(inside.source, inside.start + low, inside.start + high))

    def _compared(self, place: Span, named: Collection[str] = ()) -> Raw:
        rows = tokenize(place, self.declared | {*named}, condition=True)
        if len(rows) != 1:
            raise refuse("latex-algorithm", "expected a condition", place)
        return said_of_all(parse_condition(rows[0]), self.entries)

    # ----------------------------------------------------------------- lines

    def _formulas(self, place: Span) -> list[tuple[Span, tuple[Sides, ...]]]:
        """Return the formulas of a line, each with what it says."""
        found = []
        for low, high in wording.formulas(place.text):
            inside = Span(place.source, place.start + low, place.start + high)
            said = [one for row in tokenize(inside, self.declared) for one in parse_row(row)]
            found.append((inside, tuple(said)))
        return found

    def _statements(self, line: Line) -> Iterator[Sides]:
        text = line.text.text
        if not text.strip() or wording.is_heading(text) or wording.is_data(text):
            return
        started = self.looping or self.loop is not None
        if wording.is_given(text) and not (started and wording.does(text)):
            yield from self._declarations(line)
            return
        if "$" not in text and "\\(" not in text and re.search(r"=|\\gets|\\leftarrow", text):
            said = [one for row in tokenize(line.text, self.declared) for one in parse_row(row)]
            self._check_place(line, said)
            yield from self._paired(said)
            return
        self._check_words(line)
        formulas = self._formulas(line.text)
        if not formulas:
            raise refuse("latex-text", "these words are not understood", _trimmed(line.text), _SAYS)
        self._refuse(line, wording.unsaid(text), "no formula of this line does what this says")
        behind = wording.behind_where(text)  # says what the line reads, and is made before it
        formulas.sort(key=lambda one: one[0].start - line.text.start < behind)
        said = [one for _, statements in formulas for one in self._paired(statements)]
        made = {shapes.key_of(one.sides[0]) for one in said if one.relations}
        self._check_place(line, said)
        for one in said:
            if len(one.sides) == 1 and not one.relations:
                if wording.is_start(text) or shapes.key_of(one.sides[0]) in made - {()}:
                    continue
                hint = "a line sets something, as in `$m_0 = 0$`"
                raise refuse("latex-unexpected", "expected `=`", one.span, hint)
            yield one

    def _paired(self, said: Sequence[Sides]) -> tuple[Sides, ...]:
        """Return statements of the line that is read, each name with its own value."""
        whole = [said_of_all(_assigning(one, self.at), self.entries) for one in said]
        return tuple(paired(whole))

    def _check_place(self, line: Line, said: Sequence[Sides]) -> None:
        if self.over and any(one.relations for one in said):
            message = "this is set behind the loop over steps"
            raise refuse("latex-algorithm", message, _trimmed(line.text), "a rule is one step")

    def _check_words(self, line: Line) -> None:
        found = wording.strange(line.text.text)
        if found is None:
            return
        low, high, command = found
        place = Span(line.text.source, line.text.start + low, line.text.start + high)
        if command:
            raise refuse("latex-algorithm", f"`{place.text}` is not understood here", place)
        raise refuse("latex-text", "these words are not understood", place, _SAYS)

    def _refuse(self, line: Line, found: tuple[int, int] | None, message: str) -> None:
        if found is not None:
            low, high = found
            place = Span(line.text.source, line.text.start + low, line.text.start + high)
            raise refuse("latex-text", message, place, _DOES)

    def _declarations(self, line: Line) -> Iterator[Sides]:
        """What is given may start states, or set what has a time; the rest describes symbols."""
        for match in wording.math_in(line.text.text):
            low, high = match.span("math" if match["math"] is not None else "other")
            place = Span(line.text.source, line.text.start + low, line.text.start + high)
            if not SETS.search(wording.without_braces(place.text)):
                continue
            for row in tokenize(place, self.declared):
                for one in self._paired(parse_row(row)):
                    if one.relations and _is_timed(one.sides[0]):
                        self._refuse(line, wording.limit(line.text.text), "is this always so?")
                        yield one

    def _return(self, line: Line, before: list[Sides]) -> list[Sides]:
        """What is returned must be something that the lines set, and no choice among it."""
        if (found := wording.chooses(line.text.text)) is not None:
            self._refuse(line, found, "what is returned is more than the last value")
        set_here = {letter_of_all(one.sides[0]) for one in before}
        for place, statements in self._formulas(line.text):
            for one in statements:
                if len(one.sides) != 1 or letter_of_all(one.sides[0]) not in set_here - {""}:
                    message = "what is returned is set nowhere"
                    raise refuse("latex-algorithm", message, place)
        return before


def _is_timed(raw: Raw | None) -> bool:
    """Is it a symbol at time 0, or at t?"""
    scripts = raw.scripts if isinstance(raw, Scripted) else ()
    items = [item for script in scripts for item in script.items]
    times = any(shapes.time_of(item) is not None for item in items)
    return times or any(shapes.says(script, "0") for script in scripts if not script.raised)


def _trimmed(span: Span) -> Span:
    """Return a span without the space around it."""
    text = span.text
    low = span.start + len(text) - len(text.lstrip())
    return Span(span.source, low, low + len(text.strip()))


def _assigning(statement: Sides, line: int) -> Sides:
    """In an algorithm every equals sign sets what stands to its left."""
    relations = tuple(":=" if one == "=" else one for one in statement.relations)
    return replace(statement, relations=relations, line=line)


def holds_algorithm(latex: str) -> bool:
    """Is there an algorithm block in it?"""
    return _BLOCK.search(latex) is not None or is_table(latex)


def read_block(span: Span, declared: Collection[str] = ()) -> Block:
    """Return what the lines of an algorithm block say.

    Raises DiagnosticError at the first line that is not understood.
    """
    cut = table_lines(span) if is_table(span.text) else lines(span)
    reader = _Reader(list(cut), frozenset(declared))
    found = reader.body([])
    if not found:
        hint = "begin its lines with `\\State`, or end them with `\\;`"
        raise refuse("latex-algorithm", "this algorithm sets nothing", span, hint)
    check_inner(reader.inner, found)
    return Block(tuple(found), reader.loop)
