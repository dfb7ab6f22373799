"""Builds the notation tree of a row of tokens, with the LALR grammar of grammar.lark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, cast

from lark import Lark, Token, UnexpectedToken
from lark.exceptions import VisitError
from lark.lexer import Lexer
from lark.visitors import Transformer_NonRecursive

from optdsl.diagnostics import Diagnostic, DiagnosticError, SourceText, Span
from optdsl.latex.notation import (
    Accent,
    Bars,
    Big,
    Braces,
    Case,
    Cases,
    Chain,
    Change,
    Comparison,
    Digits,
    Entrywise,
    Fraction,
    Group,
    Infix,
    Logic,
    Member,
    Negative,
    Operator,
    Raw,
    Root,
    Run,
    Script,
    Scripted,
    Sides,
    Sign,
    Slice,
    Symbol,
    Text,
    Where,
)
from optdsl.latex.problems import refuse
from optdsl.latex.rows import Row
from optdsl.latex.vocabulary import CALLED
from optdsl.parsers import Grammar

_MARKS = {"+": "plus", "-": "minus", "*": "star", "\\odot": "circ", "\\times": "times"}


def parse_row(row: Row) -> tuple[Sides, ...]:
    """Return the statements of a row; every token of it stands in one of them.

    Raises DiagnosticError where a token does not fit, and says what would.
    """
    return cast("tuple[Sides, ...]", _parse(row, "row"))


def parse_condition(row: Row) -> Raw:
    """Return the condition that a row is; DiagnosticError where it is none."""
    return cast(Raw, _parse(row, "condition"))


def _parse(row: Row, start: str) -> object:
    source = row.span.source
    try:
        tree = _parser().parse(cast(Any, list(row.tokens)), start=start)
    except UnexpectedToken as error:
        raise DiagnosticError(_unexpected(error, source, row.span.end)) from None
    try:
        return _Builder(source).transform(tree)
    except VisitError as error:
        raise error.orig_exc from None


@dataclass(frozen=True)
class _Argument:
    """What a command takes: one token, or all that stands between braces."""

    items: tuple[Raw, ...]
    separators: tuple[str, ...]
    span: Span


class _Given(Lexer):
    """Hands on tokens that are cut already."""

    def __init__(self, _: object) -> None:
        pass

    def lex(self, tokens: Iterable[Token]) -> Iterator[Token]:  # type: ignore[override]
        yield from tokens


GRAMMAR = Grammar("optdsl.latex", ("row", "condition"), lexer=_Given)


@cache
def _parser() -> Lark:
    return GRAMMAR.parser()


def _unexpected(error: UnexpectedToken, source: SourceText, end: int) -> Diagnostic:
    token = error.token
    fitting = error.accepts or error.expected
    expected = sorted({CALLED.get(name, name) for name in fitting})
    listed = " or ".join(filter(None, (", ".join(expected[:-1]), expected[-1])))
    if token.type == "$END":
        span = Span(source, end, end)
        return Diagnostic("latex-unexpected", f"the formula ends here; expected {listed}", span)
    span = Span(source, token.start_pos or 0, token.end_pos or 0)
    return Diagnostic("latex-unexpected", f"expected {listed}", span)


class _Builder(Transformer_NonRecursive[Token, Any]):
    """One method a rule of the grammar; each gives a node of the notation."""

    def __init__(self, source: SourceText) -> None:
        super().__init__(visit_tokens=False)
        self._source = source

    def _span(self, *parts: Any) -> Span:
        first, last = self._place(parts[0]), self._place(parts[-1])
        return Span(self._source, first.start, last.end)

    def _place(self, part: Any) -> Span:
        if isinstance(part, Token):
            return Span(self._source, part.start_pos or 0, part.end_pos or 0)
        return cast(Span, part.span)

    def row(self, parts: list[Any]) -> tuple[Sides, ...]:
        return tuple(part for part in parts if isinstance(part, Sides))

    def statement(self, parts: list[Any]) -> Sides:
        relations = tuple(str(token) for token in parts[1::2])
        return Sides(tuple(parts[::2]), relations, self._span(*parts))

    def continuation(self, parts: list[Any]) -> Sides:
        relations = tuple(str(token) for token in parts[::2])
        return Sides((None, *parts[1::2]), relations, self._span(*parts))

    def phrase(self, parts: list[Any]) -> Sides:
        return Sides((parts[1],), (), self._span(*parts), str(parts[0]))

    def member(self, parts: list[Any]) -> Sides:
        return Sides((parts[0],), ("in",), self._span(*parts))

    def run(self, parts: list[Any]) -> Sides:
        run = Run(parts[3], parts[7], self._span(*parts[2:]))
        return Sides((parts[0], run), ("in",), self._span(*parts))

    def counted(self, parts: list[Any]) -> Sides:
        """`k = 1, \\dots, 5` says what k runs over."""
        run = Run(parts[2], parts[4], self._span(*parts[2:]))
        return Sides((parts[0], run), ("in",), self._span(*parts))

    def condition(self, parts: list[Any]) -> Raw:
        return cast(Raw, parts[0])

    # --------------------------------------------------------------- operators

    def negative(self, parts: list[Any]) -> Negative:
        return Negative(parts[1], self._span(*parts))

    def infix(self, parts: list[Any]) -> Infix:
        first, sign, operand = parts
        if isinstance(first, Infix):
            together = _same_level(first.rest[-1][0], str(sign))
            if together:
                rest = (*first.rest, (str(sign), operand))
                return Infix(first.first, rest, self._span(*parts))
        return Infix(first, ((str(sign), operand),), self._span(*parts))

    def remainder(self, parts: list[Any]) -> Infix:
        return Infix(parts[0], (("mod", self._one(parts[2])),), self._span(*parts))

    def chain(self, parts: list[Any]) -> Chain:
        return Chain(tuple(parts), self._span(*parts))

    def tail(self, parts: list[Any]) -> Chain:
        head = parts[0].factors if isinstance(parts[0], Chain) else (parts[0],)
        return Chain((*head, parts[1]), self._span(*parts))

    def big(self, parts: list[Any]) -> Big:
        name = cast('Literal["sum", "prod"]', str(parts[0]))
        return Big(name, tuple(parts[1:-1]), parts[-1], self._span(*parts))

    # ----------------------------------------------------------------- scripts

    def scripted(self, parts: list[Any]) -> Scripted:
        return Scripted(parts[0], tuple(parts[1:]), self._span(*parts))

    def subscript(self, parts: list[Any]) -> Script:
        return self._script(parts, raised=False)

    def superscript(self, parts: list[Any]) -> Script:
        return self._script(parts, raised=True)

    def _script(self, parts: list[Any], *, raised: bool) -> Script:
        argument: _Argument = parts[1]
        return Script(raised, argument.items, argument.separators, self._span(*parts))

    def evaluated(self, parts: list[Any]) -> Script:
        argument: _Argument = parts[2]
        return Script(False, argument.items, argument.separators, self._span(*parts), True)

    def prime(self, parts: list[Any]) -> Script:
        place = self._span(*parts)
        return Script(True, (Symbol(str(parts[0]), "mark", "", place),), (), place)

    def mark(self, parts: list[Any]) -> _Argument:
        token = next(part for part in parts if part.type in ("PLUS", "MINUS", "TIMES"))
        place = self._span(*parts)
        return _Argument((Symbol(_MARKS[str(token)], "mark", "", place),), (), place)

    def entrywise(self, parts: list[Any]) -> _Argument:
        place = self._span(*parts)
        if str(parts[1]) != "\\odot":
            raise refuse("latex-script", "this superscript is not understood", place)
        return _Argument((Entrywise(parts[2], place),), (), place)

    def bare(self, parts: list[Any]) -> _Argument:
        (token,) = parts
        if token.type == "NUMBER" and len(token) > 1:
            message = f"without braces only `{token[0]}` belongs here"
            hint = f"write `{{{token}}}`"
            raise DiagnosticError(Diagnostic("latex-script", message, self._place(token), hint))
        builders: dict[str, Callable[[list[Any]], Raw]] = {
            "NUMBER": self.number,
            "SIGN": self.sign,
            "FUNCTION": self.function,
        }
        node: Raw = builders.get(token.type, self.symbol)(parts)
        return _Argument((node,), (), self._place(token))

    def braced(self, parts: list[Any]) -> _Argument:
        items, separators = parts[1]
        return _Argument(items, separators, self._span(*parts))

    def items(self, parts: list[Any]) -> tuple[tuple[Raw, ...], tuple[str, ...]]:
        return tuple(parts[::2]), tuple(str(token) for token in parts[1::2])

    def slice(self, parts: list[Any]) -> Slice:
        return Slice(parts[0], parts[2], self._span(*parts))

    def membership(self, parts: list[Any]) -> Raw:
        if isinstance(parts[2], Token):
            message = "what runs over a set is not understood"
            raise refuse("latex-sum", message, self._span(*parts))
        return Member(parts[0], parts[2], self._span(*parts))

    def _one(self, argument: _Argument) -> Raw:
        """The single expression that a fraction, a root or an accent takes."""
        if len(argument.items) > 1:
            message = "expected one expression here, not a list"
            place = argument.items[1].span
            raise DiagnosticError(Diagnostic("latex-unexpected", message, place))
        return argument.items[0]

    # ------------------------------------------------------------------- atoms

    def number(self, parts: list[Any]) -> Digits:
        return Digits(str(parts[0]), self._place(parts[0]))

    def sign(self, parts: list[Any]) -> Sign:
        return Sign(str(parts[0]), self._place(parts[0]))

    def function(self, parts: list[Any]) -> Operator:
        return Operator(str(parts[0]), "function", self._place(parts[0]))

    def operator(self, parts: list[Any]) -> Operator:
        return Operator(str(parts[0]), "operator", self._place(parts[0]))

    def string(self, parts: list[Any]) -> Text:
        return Text(str(parts[0]), self._place(parts[0]))

    def scope(self, parts: list[Any]) -> Where:
        name = cast('Literal["all", "per row", "per column"]', str(parts[0]))
        return Where(name, self._place(parts[0]))

    def nabla(self, parts: list[Any]) -> Operator:
        return Operator("nabla", "nabla", self._place(parts[0]))

    def partial(self, parts: list[Any]) -> Operator:
        return Operator("partial", "partial", self._place(parts[0]))

    def symbol(self, parts: list[Any]) -> Symbol:
        (token,) = parts
        font, _, name = str(token).rpartition(" ")
        kind = cast('Literal["letter", "greek", "word"]', token.type.lower())
        return Symbol(name, kind, font, self._place(token))

    def accent(self, parts: list[Any]) -> Accent:
        mark, argument = parts
        return Accent(str(mark), self._one(argument), self._span(*parts))

    def delta(self, parts: list[Any]) -> Symbol:
        """`\\Delta_t`: a difference that has no other name."""
        return Symbol("Delta", "greek", "", self._place(parts[0]))

    def change(self, parts: list[Any]) -> Change:
        return Change(parts[1], self._span(*parts))

    def group(self, parts: list[Any]) -> Group:
        items, separators = parts[1] if len(parts) == 3 else ((), ())
        bracket = {"LPAR": "(", "LBRACKET": "[", "LSET": "\\{"}
        kind = cast(Any, bracket.get(parts[0].type, "\\" + parts[0].type.lower()))
        return Group(kind, items, separators, self._span(*parts))

    def bars(self, parts: list[Any]) -> Bars:
        """`||x||` is a norm: nobody takes an absolute value of one."""
        inner = parts[1]
        if parts[0].type == "LBAR" and isinstance(inner, Bars) and not inner.double:
            return Bars(True, inner.value, self._span(*parts))
        return Bars(parts[0].type == "LNORM", parts[1], self._span(*parts))

    def braces(self, parts: list[Any]) -> Raw:
        """Braces around brackets say nothing: `f{(x)}`."""
        if isinstance(parts[1], Group):
            return parts[1]
        return Braces(parts[1], self._span(*parts))

    def fraction(self, parts: list[Any]) -> Fraction:
        return Fraction(self._one(parts[1]), self._one(parts[2]), self._span(*parts))

    def root(self, parts: list[Any]) -> Root:
        degree = parts[2] if len(parts) == 5 else None
        return Root(self._one(parts[-1]), degree, self._span(*parts))

    # ------------------------------------------------------------------- cases

    def cases(self, parts: list[Any]) -> Cases:
        rows = tuple(part for part in parts if isinstance(part, Case))
        return Cases(rows, self._span(*parts))

    def case(self, parts: list[Any]) -> Case:
        condition = None if isinstance(parts[-1], Token) else parts[-1]
        return Case(parts[0], condition, self._span(*parts))

    def logic(self, parts: list[Any]) -> Logic:
        tokens = [part for part in parts if isinstance(part, Token)]
        operands = tuple(part for part in parts if not isinstance(part, Token))
        operator = cast('Literal["and", "or", "not"]', tokens[0].type.lower())
        if str(tokens[0]) in ("wedge", "vee") and not all(map(_compares, operands)):
            meant = {"and": "min", "or": "max"}[operator]
            message = f"is this `{operator}`, or `\\{meant}`?"
            hint = f"write `\\{meant}(a, b)`, or `\\l{operator}` for what compares"
            raise refuse("latex-ambiguous", message, self._place(tokens[0]), hint)
        return Logic(operator, operands, self._span(*parts))

    def comparison(self, parts: list[Any]) -> Comparison | Logic:
        """`a < b`; `a < b < c` says both."""
        found: Comparison | Logic | None = None
        for left, token, right in zip(parts[::2], parts[1::2], parts[2::2], strict=False):
            one = Comparison(str(token), left, right, self._span(left, right))
            found = one if found is None else Logic("and", (found, one), self._span(*parts))
        return cast("Comparison | Logic", found)

    def congruence(self, parts: list[Any]) -> Comparison:
        return Comparison("mod", parts[0], parts[2], self._span(*parts))


def _compares(raw: Raw) -> bool:
    """Is it a condition, perhaps in brackets?"""
    match raw:
        case Group(_, (inner,)) | Braces(inner):
            return _compares(inner)
    return isinstance(raw, Comparison | Logic)


def _same_level(sign: str, other: str) -> bool:
    sums = ("+", "-")
    return (sign in sums) == (other in sums)
