"""From the trees that Lark gives to expressions, each node with its span."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from lark import Token, Tree

from optdsl.diagnostics import Diagnostic, DiagnosticError, SourceText, Span
from optdsl.language import syntax
from optdsl.language.characters import OPERATORS, SUPERSCRIPTS, ascii_name

Branch: TypeAlias = "Tree[Token]"
Part: TypeAlias = "Branch | Token"

CONSTANTS = frozenset({"pi", "inf", "true", "false"})

#: A number beyond these exponents is no float64 and would take for ever as a fraction.
_LARGEST_EXPONENT = 400
_LONGEST_NUMBER = 400


class ExpressionBuilder:
    """Builds the expressions of one logical line that begins at `offset`."""

    def __init__(self, source: SourceText, offset: int) -> None:
        self.source = source
        self.offset = offset

    def span(self, part: Part) -> Span:
        """Return where a tree or a token stands in the file."""
        if isinstance(part, Token):
            start, end = part.start_pos, part.end_pos
        else:
            start, end = part.meta.start_pos, part.meta.end_pos
        return Span(self.source, self.offset + (start or 0), self.offset + (end or 0))

    def fail(self, code: str, message: str, span: Span | None, hint: str | None = None) -> None:
        """Give up this line with one diagnostic."""
        raise DiagnosticError(Diagnostic(code, message, span, hint))

    def word(self, part: Part) -> str:
        """Return the ASCII name that a token is."""
        name = ascii_name(str(part))
        if name is None:
            self.fail("unexpected-character", f"`{part}` is no name", self.span(part))
        assert name is not None
        return name

    def expression(self, part: Part) -> syntax.Expression:
        """Build the expression that `part` is."""
        assert isinstance(part, Tree)
        build: Callable[[Branch], syntax.Expression] = getattr(self, f"_{part.data}")
        return build(part)

    def _number(self, tree: Branch) -> syntax.Expression:
        return self.number(tree.children[0])

    def number(self, part: Part) -> syntax.Number:
        """Build a number, unless none could hold it."""
        text = str(part)
        _, _, exponent = text.lower().partition("e")
        if len(text) > _LONGEST_NUMBER or abs(int(exponent[:6] or 0)) > _LARGEST_EXPONENT:
            self.fail("number-size", "this number is beyond what can be computed", self.span(part))
        return syntax.Number(text, span=self.span(part))

    def _string(self, tree: Branch) -> syntax.Expression:
        return syntax.String(self.text(tree.children[0]), span=self.span(tree))

    def text(self, part: Part) -> str:
        """Return what stands between the quotes of a string or the dollars of LaTeX."""
        return self.span(part).text[1:-1]

    def _infinity(self, tree: Branch) -> syntax.Expression:
        return syntax.Constant("inf", span=self.span(tree))

    def _name(self, tree: Branch) -> syntax.Expression:
        name = self.word(tree.children[0])
        span = self.span(tree)
        if name in CONSTANTS:
            if len(tree.children) > 1:
                self.fail("reserved-name", f"`{name}` is a number and has no index", span)
            return syntax.Constant(name, span=span)
        return syntax.Name(name, self.indices(tree.children[1:]), span=span)

    def indices(self, parts: list[Part]) -> tuple[syntax.Expression, ...]:
        """Build what stands in the brackets behind a name, if there are any."""
        return tuple(
            self.expression(index)
            for part in parts
            if isinstance(part, Tree)
            for index in part.children
        )

    def _call(self, tree: Branch) -> syntax.Expression:
        name, *arguments = tree.children
        built = tuple(self._argument(argument) for argument in arguments if argument is not None)
        return syntax.Call(self.word(name), built, span=self.span(tree))

    def _argument(self, part: Part) -> syntax.Expression | syntax.Keyword | syntax.Scope:
        if isinstance(part, Tree) and part.data == "keyword":
            return self._keyword(part)
        if isinstance(part, Tree) and part.data == "scope":
            return self._scope(part)
        return self.expression(part)

    def _keyword(self, tree: Branch) -> syntax.Keyword:
        left, right = tree.children
        name = _dotted(self.expression(left))
        if name is None:
            self.fail(
                "bad-keyword",
                "what stands before `=` in a call is the name of a hyperparameter",
                self.span(left),
                "write `eta=...` or `AdamW.eta=...`; write == to compare",
            )
        assert name is not None
        return syntax.Keyword(name, self.expression(right), span=self.span(tree))

    def _scope(self, tree: Branch) -> syntax.Scope:
        words = " ".join(str(token) for token in tree.children)
        span = self.span(tree)
        if words == "all":
            return syntax.Scope("all", span=span)
        if words == "per row":
            return syntax.Scope("per row", span=span)
        if words == "per column":
            return syntax.Scope("per column", span=span)
        self.fail("bad-scope", f"`{words}` is no scope", span, "write `per row` or `per column`")
        raise AssertionError

    def _attribute(self, tree: Branch) -> syntax.Expression:
        value, name = tree.children
        return syntax.Attribute(self.expression(value), self.word(name), span=self.span(tree))

    def _unary(self, tree: Branch) -> syntax.Expression:
        operator, operand = tree.children
        sign = OPERATORS.get(str(operator), str(operator))
        built = self.expression(operand)
        return syntax.Unary("not" if sign == "not" else "-", built, span=self.span(tree))

    def _binary(self, tree: Branch) -> syntax.Expression:
        left, operator, right = tree.children
        sign = OPERATORS.get(str(operator), str(operator))
        return syntax.Binary(
            sign,  # type: ignore[arg-type]  # the grammar admits no other operator
            self.expression(left),
            self.expression(right),
            span=self.span(tree),
        )

    def _superscript(self, tree: Branch) -> syntax.Expression:
        base, exponent = tree.children
        signs = "".join(SUPERSCRIPTS[sign] for sign in str(exponent))
        span = self.span(exponent)
        power: syntax.Expression = syntax.Number(signs.lstrip("-"), span=span)
        if signs.startswith("-"):
            power = syntax.Unary("-", power, span=span)
        return syntax.Binary("^", self.expression(base), power, span=self.span(tree))

    def _root(self, tree: Branch) -> syntax.Expression:
        argument = self.expression(tree.children[-1])
        return syntax.Call("sqrt", (argument,), span=self.span(tree))

    def _group(self, tree: Branch) -> syntax.Expression:
        return replace(self.expression(tree.children[0]), span=self.span(tree))

    def _tuple(self, tree: Branch) -> syntax.Expression:
        items = tuple(self.expression(item) for item in tree.children)
        return syntax.Tuple(items, span=self.span(tree))

    def _conditional(self, tree: Branch) -> syntax.Expression:
        value, condition, otherwise = (self.expression(child) for child in tree.children)
        return syntax.Conditional(value, condition, otherwise, span=self.span(tree))

    def _open_conditional(self, tree: Branch) -> syntax.Expression:
        value, condition = (self.expression(child) for child in tree.children)
        return syntax.Conditional(value, condition, None, span=self.span(tree))

    def _sequence(self, tree: Branch) -> syntax.Expression:
        first, steps, second = (self.expression(child) for child in tree.children)
        return syntax.Sequence(first, steps, second, span=self.span(tree))


def _dotted(expression: syntax.Expression) -> str | None:
    match expression:
        case syntax.Name(name, ()):
            return name
        case syntax.Attribute(value, name):
            before = _dotted(value)
            return None if before is None else f"{before}.{name}"
    return None
