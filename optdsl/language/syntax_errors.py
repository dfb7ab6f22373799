"""What is said of a line that the grammar cannot read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lark import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from optdsl.diagnostics import Diagnostic, Span, did_you_mean
from optdsl.language.characters import SUPERSCRIPTS

KEYWORDS = (
    "hyper", "index", "input", "skip", "evaluate", "state", "source", "equals", "differs",
    "unreadable",
)  # fmt: skip

#: What the terminals of the grammar are called before people.
_WORDS = {
    "NAME": "a name", "NUMBER": "a number", "STRING": "a string", "LATEX": "LaTeX between $ signs",
    "EQUAL": "`=`", "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`", "COMMA": "`,`",
    "COLON": "`:`", "DOT": "`.`", "TILDE": "`~`", "__ANON_0": "`..`", "PIPE": "`|`",
    "$END": "the end of the line", "DOCUMENT": "a document", "TAG": "the number of an equation",
    "PLUS": "`+`", "MINUS": "`-`", "POWER": "`^`", "VERB": "a claim",
    "ROUNDING": "`stochastic` or `compensated`",
}  # fmt: skip

#: How what was found is told apart, whatever the grammar would have called it there.
_TOKEN = re.compile(
    r"(?P<NUMBER>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(?P<ALL>all\b)|(?P<PER>per\b)|"
    r"(?P<KEYWORD>(?:if|else|and|or|not|for|then)\b)|(?P<NAME>[^\W\d]\w*)|"
    r'(?P<STRING>"[^"]*")|(?P<COMPARE>[<>=!]=|[<>≤≥≠])|(?P<LPAR>\()|(?P<ROOT>√)|'
    r"(?P<INFINITY>∞)|(?P<PLUS>\+)|(?P<OTHER>\.\.|.)"
)

_BEGIN_VALUE = {"NAME", "NUMBER", "LPAR", "STRING", "ROOT", "INFINITY"}
_FOLLOW_VALUE = {"PLUS", "MINUS", "TIMES", "POWER", "COMPARE"}
_QUOTED = re.compile(r'"[^"]*"|\$[^$]*\$')
_DOMAIN = re.compile(r"\bin\s*[\[(][^\[\]()]*[\])]")

_FOREIGN = re.compile(
    r"\*\*|//|&&|\|\||[-+*/^:]=(?!=)|=>|=<|<>|=!|\+\+|===|!(?!=)|\.\^|\.\*|\.(?=/)|"
    r"\b(?:lambda|def|return|import|let)\b(?=\s+\w)|\b(?:elif|elseif|otherwise|xor|mod)\b(?!\s*\()"
)
_FOREIGN_HINTS = {
    "**": "write ^ for powers", "//": "write floor(a/b)", "&&": "write `and`",
    "||": "write `or`", ":=": "write =", "=>": "write >=", "=<": "write <=", "<>": "write !=",
    "===": "write ==", "=!": "write !=", "!": "write `not`", ".^": "write ^", ".*": "write *",
    ".": "write /", "++": "write one +", "elif": "write `else ... if`",
    "elseif": "write `else ... if`", "otherwise": "write `else`", "xor": "write !=",
    "mod": "write mod(a, b)",
}  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """A line that the grammar refused: where, at what, and what it expected there."""

    code: str
    whole: Span
    rule: str
    start: int
    end: int
    kind: str
    expected: frozenset[str]

    @property
    def found(self) -> str:
        """What stands where the grammar gave up."""
        return self.code[self.start : self.end]

    @property
    def masked(self) -> str:
        """The line with its strings and LaTeX blanked."""
        return _QUOTED.sub(lambda found: "_" * len(found[0]), self.code)

    def span(self, start: int, end: int) -> Span:
        """Return the place in the file of a stretch of the line."""
        return Span(self.whole.source, self.whole.start + start, self.whole.start + end)

    def tell(
        self, code: str, message: str, hint: str | None = None, at: tuple[int, int] | None = None
    ) -> Diagnostic:
        """Return a diagnostic, at what was found unless `at` says otherwise."""
        start, end = (self.start, self.end) if at is None else at
        return Diagnostic(code, message, self.span(start, end), hint)


def explain(
    error: UnexpectedInput, code: str, whole: Span, rule: str, expected: frozenset[str]
) -> Diagnostic:
    """Return what is wrong with a line, in words that know nothing of grammars."""
    start = len(code)
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        start = error.token.start_pos or 0
    elif isinstance(error, UnexpectedCharacters):
        start = error.pos_in_stream or 0
    found = _TOKEN.match(code, start)
    kind = "$END" if found is None else found.lastgroup or "OTHER"
    end = start if found is None else found.end()
    failure = Failure(code, whole, rule, start, end, kind, expected)
    for look in _LOOKS:
        diagnostic = look(failure)
        if diagnostic is not None:
            return diagnostic
    return _unexpected(failure)


# ------------------------------------------------------------ one look each


def _brackets(failure: Failure) -> Diagnostic | None:
    text = _DOMAIN.sub(lambda found: "_" * len(found[0]), failure.masked)
    open_brackets: list[int] = []
    for at, sign in enumerate(text):
        if sign in "([":
            open_brackets.append(at)
        elif sign in ")]":
            if not open_brackets:
                return failure.tell(
                    "unopened-bracket", f"this `{sign}` closes nothing", None, (at, at + 1)
                )
            opening = open_brackets.pop()
            if text[opening] + sign not in ("()", "[]"):
                return failure.tell(
                    "mismatched-bracket",
                    f"`{text[opening]}` is closed by `{sign}`",
                    f"write `{')' if text[opening] == '(' else ']'}`",
                    (at, at + 1),
                )
    if open_brackets:
        at = open_brackets[-1]
        closing = ")" if text[at] == "(" else "]"
        return failure.tell(
            "unclosed-bracket",
            f"this `{text[at]}` is never closed",
            f"write `{closing}` where it ends",
            (at, at + 1),
        )
    return None


def _misspelt_keyword(failure: Failure) -> Diagnostic | None:
    words = re.match(r"([^\W\d]\w*)\s+[^\W\d]", failure.code)
    if failure.rule != "equation" or words is None or failure.start < words.end() - 1:
        return None
    near = did_you_mean(words[1].lower(), KEYWORDS)
    if near is None:
        return None
    return failure.tell(
        "unknown-statement", f"`{words[1]}` begins no statement", near, words.span(1)
    )


def _foreign_operator(failure: Failure) -> Diagnostic | None:
    for found in _FOREIGN.finditer(failure.masked):
        sign = found[0]
        if found.end() < failure.start or found.start() > failure.end:
            continue
        if sign in ("+=", "-=", "*=", "/=", "^="):
            hint = f"write the equation out: `x[t] = x[t-1] {sign[0]} ...`"
        else:
            hint = _FOREIGN_HINTS.get(sign, "an equation is `name = value`")
        return failure.tell(
            "unknown-operator", f"`{sign}` is not of this language", hint, found.span()
        )
    return None


def _chained_comparison(failure: Failure) -> Diagnostic | None:
    if failure.kind != "COMPARE" or "AND" not in failure.expected:
        return None
    return failure.tell(
        "chained-comparison", "comparisons are not chained", "write `a < b and b < c`"
    )


def _missing_else(failure: Failure) -> Diagnostic | None:
    if "_ELSE" not in failure.expected or failure.kind in _BEGIN_VALUE:
        return None
    found = re.search(r"\bif\b(?!.*\bif\b)", failure.masked[: failure.start])
    if found is None:
        return None
    return failure.tell(
        "missing-else",
        "this `if` has no `else`",
        "write `a if condition else b`; only an equation as a whole may end without `else`",
        found.span(),
    )


def _missing_operator(failure: Failure) -> Diagnostic | None:
    if failure.kind not in _BEGIN_VALUE or "PLUS" not in failure.expected:
        return None
    found = _found(failure)
    if failure.rule == "equation" and "EQUAL" in failure.expected and "=" not in failure.masked:
        return failure.tell(
            "missing-equals", f"`=` is missing before {found}", "an equation is `name = value`"
        )
    if failure.rule == "claim" and re.fullmatch(r"\w+\s+[\w.-]+\s+", failure.code[: failure.start]):
        near = _near_keyword(failure) or f"write `eq {failure.found}` for an equation of a document"
        return failure.tell("syntax", f"{found} cannot stand here", near)
    if failure.rule == "claim" and failure.found == "eq":
        return failure.tell(
            "bad-claim",
            "what stands before `eq` is no name of a document",
            "write its name as it is, without quotes: `source kingma2015 eq algorithm-1`",
        )
    hint = _near_keyword(failure) or "did you mean `*`?"
    *above, before = failure.whole.text[: failure.start].split("\n")
    if above and not before.strip():
        hint = "a line indented deeper continues the one above: begin it where that one begins"
    if "COMMA" in failure.expected and "$END" not in failure.expected:
        hint = "did you mean `,`?" if "RPAR" not in failure.expected else "did you mean `,` or `*`?"
    return failure.tell("missing-operator", f"an operator is missing before {found}", hint)


def _near_keyword(failure: Failure) -> str | None:
    if failure.kind != "NAME":
        return None
    keywords = [name[1:].lower() for name in failure.expected if name.startswith("_")]
    return did_you_mean(failure.found, keywords)


def _power_of_root(failure: Failure) -> Diagnostic | None:
    if not failure.found.startswith(("^", *SUPERSCRIPTS)):
        return None
    if "√" not in failure.code[: failure.start]:
        return failure.tell("syntax", "a power of a power needs brackets", "write `(x^2)^2`")
    return failure.tell(
        "syntax",
        "this power may belong to the root or to what stands under it",
        "write `sqrt(x)^2` or `sqrt(x^2)`",
    )


def _missing_equals(failure: Failure) -> Diagnostic | None:
    if "EQUAL" not in failure.expected or failure.kind not in ("NUMBER", "LPAR"):
        return None
    return failure.tell(
        "missing-equals", f"`=` is missing before {_found(failure)}", f"write `= {failure.found}`"
    )


def _misplaced_scope(failure: Failure) -> Diagnostic | None:
    if failure.kind not in ("ALL", "PER"):
        return None
    return failure.tell(
        "bad-scope",
        f"`{failure.found}` says over what a reduction runs and stands nowhere else",
        "write it as the last argument: `norm(x, all)`, `sum(x, per row)`",
    )


def _missing_value(failure: Failure) -> Diagnostic | None:
    if not failure.expected >= {"NUMBER", "NAME", "LPAR"}:
        return None
    if failure.kind == "PLUS":
        return failure.tell("syntax", "a value cannot begin with `+`", "leave the `+` out")
    decimals = re.match(r"\.[0-9]+", failure.code[failure.start :])
    if decimals:
        at = (failure.start, failure.start + decimals.end())
        return failure.tell("syntax", "a number begins with a digit", f"write `0{decimals[0]}`", at)
    before = failure.code[: failure.start].rstrip()
    last = re.search(r"(\w+|[<>=!]=|\.\.|\S)$", before)
    where = f" after `{last[0]}`" if last else ""
    return failure.tell("syntax", f"expected a value{where}, found {_found(failure)}")


_LOOKS: tuple[Callable[[Failure], Diagnostic | None], ...] = (
    _brackets,
    _misspelt_keyword,
    _foreign_operator,
    _chained_comparison,
    _missing_else,
    _power_of_root,
    _missing_operator,
    _missing_equals,
    _misplaced_scope,
    _missing_value,
)


def _unexpected(failure: Failure) -> Diagnostic:
    words = sorted(set(_say(failure.expected)))
    expected = " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    hint = _near_keyword(failure)
    if failure.rule == "header" and failure.code[failure.start :] == ":":
        hint = "leave the `:` out"
    if not expected:
        return failure.tell("syntax", f"{_found(failure)} cannot stand here", hint)
    return failure.tell("syntax", f"expected {expected}, found {_found(failure)}", hint)


def _say(expected: frozenset[str]) -> Iterator[str]:
    """Yield what was expected, an operator standing for all of them."""
    rest = set(expected)
    if rest >= _FOLLOW_VALUE:
        rest -= _FOLLOW_VALUE | {"TIMES", "AND", "OR", "PIPE", "SUPERSCRIPT", "LSQB", "LPAR", "DOT"}
        yield "an operator"
    for name in rest:
        if name == "INFINITY":
            continue
        if name in _WORDS:
            yield _WORDS[name]
        elif name.lstrip("_").isalpha():
            yield f"`{name.lstrip('_').lower()}`"


def _found(failure: Failure) -> str:
    if failure.kind == "$END":
        return "the end of the line"
    return f"`{failure.found}`"
