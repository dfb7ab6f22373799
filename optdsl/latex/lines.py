"""Cuts an algorithm block into lines, as the packages algorithmic and algorithm2e set them.

The one begins every line by a word (`\\State`, `\\For{...}`, `\\EndFor`); the other ends every
line by `\\;` and puts what a loop or a branch holds between braces.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from optdsl.diagnostics import SourceText, Span
from optdsl.latex.problems import refuse
from optdsl.latex.scanning import take_argument

_LINE = re.compile(
    r"\\(?P<word>statex?|forall|for|while|if|els(?:e?)if|else|endif|endfor|endwhile|return"
    r"|require|ensure|input|output|comment|loop|endloop|repeat|until|procedure|function"
    r"|endprocedure|endfunction|begin|end|caption|label|kwin|kwout)(?![a-z])",
    re.IGNORECASE,
)
REMARKS = frozenset(("comment", "caption", "label"))
_WITH_ARGUMENT = REMARKS | {"for", "forall", "while", "if", "elsif", "elseif", "until"}

# algorithm2e: words before braces, and what each is in the other package
_LOOPS = {"For": "for", "lFor": "for", "ForEach": "for", "ForAll": "forall", "While": "while"}
_IFS = ("If", "uIf", "lIf", "eIf")
_ELSE_IFS, _ELSES = ("ElseIf", "uElseIf", "lElseIf"), ("Else", "uElse", "lElse")
_GIVEN = ("KwIn", "KwData", "KwOut", "KwResult", "Input", "Output", "Require", "Ensure")
_SAYS_NOTHING = re.compile(
    r"\\(?:DontPrintSemicolon|PrintSemicolon|SetAlgoLined|SetAlgoNoLine|SetAlgoVlined|LinesNumbered"
    r"|BlankLine|SetKwInOut\{[^{}]*\}\{[^{}]*\}|begin\{algorithm2?e?\*?\}(?:\[[^\]]*\])?"
    r"|end\{algorithm2?e?\*?\}|;)(?![A-Za-z])"
)
_COMMENT = re.compile(r"\\tc[pc]\*?(?:\[[^\]]*\])?\s*(?=\{)|\\(?:caption|label)\s*(?=\{)")
_BOLD = r"(?:\\(?:textbf|textit|bf|text)\s*\{?\s*)?"
_INLINE = re.compile(
    rf"\s*\{{?{_BOLD}(?P<word>if)\b\s*\}}?\s*(?P<condition>§+)(?:,?\s*{_BOLD}then\b\s*\}}?|[,:])\s*:?",
    re.IGNORECASE,
)
_OTHERWISE = re.compile(
    rf"[,;.]?\s*(?:and\s+)?{_BOLD}(?:else|otherwise)\b\s*\}}?\s*[,:]?", re.IGNORECASE
)
_TRIANGLE = re.compile(
    r"(?:\{\s*\\color\s*\{[^{}]*\}\s*)?(?:\$\s*|\\\(\s*)?"
    r"\\(?:triangleright|rhd|vartriangleright)(?![A-Za-z])"
)
_WORD = re.compile(r"\\([A-Za-z]+)")


@dataclass(frozen=True)
class Line:
    """One line: its word, the argument in braces that follows it, and the rest of its text."""

    word: str
    argument: Span | None
    text: Span
    span: Span


def lines(span: Span) -> Iterator[Line]:
    """Cut a block into lines; DiagnosticError where braces do not match."""
    text = span.source.text
    plain = re.sub(r"(?<!\\)%[^\n]*", lambda m: " " * len(m[0]), text)
    inside = plain[span.start : span.end]
    if "algorithmic" not in inside and re.search(r"\\;", re.sub(r"\$[^$]*\$", "", inside)):
        return _Braces(span.source, plain).lines(span.start, span.end)
    return _worded(span, plain)


def _worded(span: Span, plain: str) -> Iterator[Line]:
    """Each line is begun by a word of its own."""
    source = span.source
    matches = _LINE.finditer(plain, span.start, span.end)
    heads = [m for m in matches if not _within_math(plain, span.start, m.start())]
    for number, match in enumerate(heads):
        end = heads[number + 1].start() if number + 1 < len(heads) else span.end
        word, at = match["word"].lower(), match.end()
        if word in ("begin", "end"):
            continue
        place = Span(source, match.start(), match.end())
        argument: Span | None = None
        while at < end and plain[at].isspace():
            at += 1
        if word in _WITH_ARGUMENT and plain[at : at + 1] == "{":
            _, after = take_argument(source, at, end, place.text)
            argument, at = Span(source, at + 1, after - 1), after
        behind = _without_remark(Span(source, at, end))
        if word in ("state", "statex") and (inline := _INLINE.match(_formulas_gone(behind.text))):
            yield from _inline(inline, behind)
            continue
        yield Line(word, argument, behind, place)
        if argument is not None and word not in REMARKS and behind.text.strip():
            yield Line("", None, behind, behind)


def _formulas_gone(text: str) -> str:
    """Return the words of a line, with a sign for each formula, where they stand."""
    return re.sub(r"\$[^$]*\$", lambda match: "§" * len(match[0]), text)


def _inline(match: re.Match[str], text: Span) -> Iterator[Line]:
    """`if $\\|c_t\\| > 1$, then $a$ else $b$` on one line is a branch of its own."""

    def part(low: int, high: int) -> Span:
        return Span(text.source, text.start + low, text.start + high)

    word = part(*match.span("word"))
    other = _OTHERWISE.search(match.string, match.end())
    then = part(match.end(), other.start() if other else len(match.string))
    yield Line("if", part(*match.span("condition")), part(match.end(), match.end()), word)
    yield Line("state", None, then, then)
    if other is not None:
        rest = part(other.end(), len(match.string))
        yield Line("else", None, part(other.end(), other.end()), part(*other.span()))
        yield Line("state", None, rest, rest)
    yield Line("endif", None, part(match.end(), match.end()), word)


def _without_remark(text: Span) -> Span:
    """Cut off a remark behind a triangle, where no formula stands on the lines below it."""
    match = _TRIANGLE.search(text.text)
    if match is None or "$" in text.text[match.end() :].partition("\n")[2]:
        return text
    return Span(text.source, text.start, text.start + match.start())


def _within_math(text: str, start: int, at: int) -> bool:
    return text.count("$", start, at) % 2 == 1


@dataclass(frozen=True)
class _Braces:
    """Lines that end with `\\;`; `plain` is the text of the source without its comments."""

    source: SourceText
    plain: str

    def lines(self, at: int, end: int) -> Iterator[Line]:
        """Yield the lines of what stands between two places."""
        while (at := self._next(at, end)) < end:
            word = _WORD.match(self.plain, at, end)
            name = word[1] if word else ""
            if word is not None and name in _LOOPS:
                condition, body, after = self._two(word, end)
                yield Line(_LOOPS[name], condition, self._nothing(after), self._span(word))
                yield from self.lines(body.start, body.end)
                closing = "endwhile" if name == "While" else "endfor"
                yield Line(closing, None, self._nothing(after), self._span(word))
                at = after
            elif word is not None and name in _IFS:
                at = yield from self._branches(word, end)
            elif word is not None and name in _GIVEN:
                given, at = self._argument(word.end(), end, word[0])
                yield Line("input", None, given, self._span(word))
            else:
                at = yield from self._statement(at, end, name)

    def _statement(self, at: int, end: int, name: str) -> Generator[Line, None, int]:
        """One line, up to its `\\;`; returns where the next begins."""
        stop, after = self._end_of_line(at, end)
        if stop == at:
            place = Span(self.source, at, min(at + len(name) + 1, end))
            message = f"`{place.text}` is not understood here"
            raise refuse("latex-algorithm", message, place)
        if name in ("Return", "KwRet"):
            begun = at + len(name) + 1
            place = Span(self.source, at, begun)
            yield Line("return", None, Span(self.source, begun, stop), place)
        else:
            place = Span(self.source, at, stop)
            yield Line("state", None, place, place)
        return after

    def _branches(self, word: re.Match[str], end: int) -> Generator[Line, None, int]:
        """`\\If` and the branches behind it; returns where they have ended."""
        condition, body, at = self._two(word, end)
        yield Line("if", condition, self._nothing(at), self._span(word))
        yield from self.lines(body.start, body.end)
        if word[1] == "eIf":
            other, at = self._argument(at, end, word[0])
            yield Line("else", None, self._nothing(at), self._span(word))
            yield from self.lines(other.start, other.end)
        here = self._next(at, end)
        while (more := _WORD.match(self.plain, here, end)) and more[1] in (*_ELSE_IFS, *_ELSES):
            if more[1] in _ELSES:
                body, at = self._argument(more.end(), end, more[0])
                yield Line("else", None, self._nothing(at), self._span(more))
            else:
                condition, body, at = self._two(more, end)
                yield Line("elsif", condition, self._nothing(at), self._span(more))
            yield from self.lines(body.start, body.end)
            here = self._next(at, end)
        yield Line("endif", None, self._nothing(at), self._span(word))
        return at

    def _next(self, at: int, end: int) -> int:
        """Step over what says nothing: space, layout, comments."""
        while at < end:
            if self.plain[at].isspace():
                at += 1
            elif match := _SAYS_NOTHING.match(self.plain, at, end):
                at = match.end()
            elif match := _COMMENT.match(self.plain, at, end):
                _, at = take_argument(self.source, match.end(), end, match[0])
            else:
                break
        return at

    def _end_of_line(self, at: int, end: int) -> tuple[int, int]:
        """Return where the text of a line ends, and where the next begins."""
        inside = False
        while at < end:
            if self.plain[at] == "$":
                inside = not inside
            elif not inside and self.plain.startswith(r"\;", at):
                return at, at + 2
            elif not inside and self._ends_line(at, end):
                return at, at
            at += 1
        return end, end

    def _ends_line(self, at: int, end: int) -> bool:
        """Does a comment, a loop, a branch or the end of the block stand here?"""
        if _COMMENT.match(self.plain, at, end) or self.plain.startswith(r"\end{algo", at):
            return True
        word = _WORD.match(self.plain, at, end)
        return word is not None and word[1] in (*_LOOPS, *_IFS, *_ELSE_IFS, *_ELSES, *_GIVEN)

    def _two(self, word: re.Match[str], end: int) -> tuple[Span, Span, int]:
        """Return the condition, the body, and where both have ended."""
        condition, at = self._argument(word.end(), end, word[0])
        body, at = self._argument(at, end, word[0])
        return condition, body, at

    def _argument(self, at: int, end: int, printed: str) -> tuple[Span, int]:
        while at < end and self.plain[at].isspace():
            at += 1
        _, after = take_argument(self.source, at, end, printed)
        return Span(self.source, at + 1, after - 1), after

    def _span(self, match: re.Match[str]) -> Span:
        return Span(self.source, match.start(), match.end())

    def _nothing(self, at: int) -> Span:
        return Span(self.source, at, at)
