"""From the trees that Lark gives to headers and statements."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from lark import Token, Tree

from optdsl.diagnostics import SourceText
from optdsl.language import syntax
from optdsl.language.builder import Branch, Part
from optdsl.language.claims import ClaimBuilder
from optdsl.language.layout import Line

#: Names that mean something of their own wherever they stand.
RESERVED = frozenset(
    ("t", "theta", "g", "loss", "pi", "inf", "all", "per", "if", "else", "and", "or", "not")
    + ("for", "then", "true", "false")
)

#: The reserved names that an equation may define, or, of the loss, what was before the first step.
DEFINABLE = frozenset({"theta", "g", "loss"})


class StatementBuilder(ClaimBuilder):
    """Builds the header or statement that one logical line is."""

    def __init__(self, source: SourceText, line: Line) -> None:
        super().__init__(source, line.start)
        self.line = line

    def statement(self, tree: Branch) -> syntax.Statement:
        """Build the statement that `tree` is."""
        build: Callable[[Branch], syntax.Statement] = getattr(self, f"_{tree.data}_statement")
        return build(tree)

    def _common(self, tree: Branch) -> dict[str, Any]:
        return {
            "span": self.span(tree),
            "comments": self.line.comments,
            "trailing_comment": self.line.trailing_comment,
            "gap": self.line.gap,
        }

    def new_name(self, part: Part, what: str) -> str:
        """Return the name that a line gives to something, unless it is taken."""
        name = self.word(part)
        if name in RESERVED:
            self.fail(
                "reserved-name",
                f"`{name}` is reserved and cannot be the name of {what}",
                self.span(part),
                "choose another name",
            )
        return name

    # ------------------------------------------------------------- headers

    def header(self, tree: Branch) -> syntax.Definition:
        """Build the definition that a header begins, without its statements."""
        family, name, *_ = tree.children
        clauses = _clauses(tree)
        extends, value = clauses.get("extends"), clauses.get("definition")
        definition = syntax.Definition(
            family=str(family),  # type: ignore[arg-type]  # the grammar admits no other word
            name=self.new_name(name, f"{_article(str(family))} {family}"),
            parameters=self._names(clauses.get("parameters"), "a rule"),
            extends=None if extends is None else self.expression(extends.children[0]),
            gives=self._names(clauses.get("gives"), "what a definition gives"),
            doc=self._doc(tree),
            value=None if value is None else self.expression(value.children[0]),
            **self._common(tree),
        )
        self._check_header(definition, self.span(name))
        return definition

    def _check_header(self, definition: syntax.Definition, name: Any) -> None:
        family = definition.family
        if keyword.iskeyword(definition.name):
            self.fail(
                "reserved-name",
                f"Python reserves `{definition.name}`, so no class can be called so",
                name,
                "choose another name",
            )
        complete = definition.value is not None or definition.extends is not None
        if family == "optimizer" and definition.gives:
            self.fail(
                "gives", "an optimizer gives theta and says no `gives`", name, "leave `gives` out"
            )
        if family != "optimizer" and not definition.gives and not complete:
            example = "eta" if family == "schedule" else "u"
            self.fail(
                "gives",
                f"this {family} does not say what it gives",
                name,
                f"write `{family} {definition.name} gives {example}`",
            )

    def _names(self, tree: Branch | None, what: str) -> tuple[str, ...]:
        if tree is None:
            return ()
        return tuple(self.new_name(child, what) for child in tree.children)

    def _doc(self, tree: Branch) -> str | None:
        last = tree.children[-1]
        is_string = isinstance(last, Token) and last.type == "STRING"
        return self.text(last) if is_string else None

    # ---------------------------------------------------------- statements

    def _hyper_statement(self, tree: Branch) -> syntax.Hyper:
        name = self.new_name(tree.children[0], "a hyperparameter")
        clauses = _clauses(tree)
        indices, default = clauses.get("indices"), clauses.get("default")
        domain = clauses.get("interval") or clauses.get("range")
        alias = self._alias(clauses.get("alias"))
        if alias is None and keyword.iskeyword(name):
            self.fail(
                "needs-alias",
                f"Python reserves `{name}`, so nobody could pass it by this name",
                self.span(tree.children[0]),
                f"give it an alias: `hyper {name} as {name}_ ...`",
            )
        return syntax.Hyper(
            name=name,
            indices=() if indices is None else self.indices([indices]),
            alias=alias,
            default=None if default is None else self.expression(default.children[0]),
            domain=None if domain is None else self._domain(domain),
            doc=self._doc(tree),
            **self._common(tree),
        )

    def _alias(self, tree: Branch | None) -> syntax.Alias | None:
        if tree is None:
            return None
        name = self.word(tree.children[0])
        if keyword.iskeyword(name):
            self.fail(
                "needs-alias",
                f"Python reserves `{name}`, so it is no use as an alias",
                self.span(tree.children[0]),
                "choose another alias",
            )
        position = None if len(tree.children) == 1 else self.whole(tree.children[1])
        if position == 0:
            self.fail(
                "whole-number",
                "the positions of an alias count from 1",
                self.span(tree.children[1]),
                f"write `{name}[1]` for the first",
            )
        return syntax.Alias(name, position, span=self.span(tree))

    def _domain(self, tree: Branch) -> syntax.Interval | syntax.Range:
        if tree.data == "range":
            return self._range(tree)
        opening, low, _, high, closing = tree.children
        return syntax.Interval(
            self.expression(low),
            self.expression(high),
            str(opening) == "(",
            str(closing) == ")",
            span=self.span(tree),
        )

    def _range(self, tree: Branch) -> syntax.Range:
        low, high = (self.expression(bound) for bound in tree.children)
        return syntax.Range(low, high, span=self.span(tree))

    def _index_statement(self, tree: Branch) -> syntax.Index:
        name, bounds = tree.children
        assert isinstance(bounds, Tree)
        return syntax.Index(
            name=self.new_name(name, "an index"), range=self._range(bounds), **self._common(tree)
        )

    def _input_statement(self, tree: Branch) -> syntax.Input:
        name = self.new_name(tree.children[0], "an input")
        return syntax.Input(name=name, doc=self._doc(tree), **self._common(tree))

    def _skip_statement(self, tree: Branch) -> syntax.SkipWhen:
        condition = self.expression(tree.children[0])
        return syntax.SkipWhen(condition=condition, **self._common(tree))

    def _evaluate_statement(self, tree: Branch) -> syntax.Evaluate:
        return syntax.Evaluate(point=self.expression(tree.children[0]), **self._common(tree))

    def _storage_statement(self, tree: Branch) -> syntax.Storage:
        name, storage, *rest = tree.children
        block = [child for child in rest if isinstance(child, Token) and child.type == "NUMBER"]
        rounding = [child for child in rest if child not in block]
        size = self.whole(block[0]) if block else None
        if size == 0:
            self.fail("whole-number", "a block holds at least one entry", self.span(block[0]))
        return syntax.Storage(
            name=self.word(name),
            format=self.word(storage),
            block=size,
            rounding=self.word(rounding[0]) if rounding else None,
            **self._common(tree),
        )

    def _equation_statement(self, tree: Branch) -> syntax.Equation:
        sides = [child for child in tree.children if isinstance(child, Tree)]
        targets = tuple(self._target(side) for side in sides[:-1])
        value = self.expression(sides[-1])
        return syntax.Equation(
            targets=targets, value=value, doc=self._doc(tree), **self._common(tree)
        )

    def _draw_statement(self, tree: Branch) -> syntax.Draw:
        sides = [child for child in tree.children if isinstance(child, Tree)]
        target, distribution = self._target(sides[0]), self.expression(sides[1])
        if not isinstance(distribution, syntax.Call):
            self.fail(
                "bad-draw",
                "what stands behind ~ is a distribution",
                self.span(sides[1]),
                "write `normal(mean, deviation)` or `uniform(low, high)`",
            )
        assert isinstance(distribution, syntax.Call)
        return syntax.Draw(
            target=target, distribution=distribution, doc=self._doc(tree), **self._common(tree)
        )

    def _target(self, tree: Branch) -> syntax.Name:
        built = self.expression(tree)
        span = self.span(tree)
        name = built.name if isinstance(built, syntax.Name | syntax.Constant) else None
        if name in RESERVED - DEFINABLE:
            self.fail(
                "reserved-name",
                f"`{name}` is reserved and cannot be defined",
                span,
                "choose another name",
            )
        if not isinstance(built, syntax.Name) or tree.data == "group":
            self.fail(
                "bad-target",
                "what stands before `=` is the name that the equation defines",
                span,
                "write one name, as in `m[t] = ...`",
            )
        assert isinstance(built, syntax.Name)
        return built

    def _lone_value_statement(self, tree: Branch) -> syntax.Statement:
        value = tree.children[0]
        built = self.expression(value)
        if isinstance(built, syntax.Binary) and built.operator == "==" and tree is not None:
            assert isinstance(value, Tree)
            self.fail(
                "comparison-as-equation",
                "== compares; an equation is written with =",
                self.span(value.children[1]) if value.data == "binary" else self.span(value),
                "write =",
            )
        self.fail(
            "missing-equals",
            "this line defines nothing",
            self.span(tree),
            "an equation is `name = value`",
        )
        raise AssertionError


def _clauses(tree: Branch) -> dict[str, Branch]:
    return {str(child.data): child for child in tree.children if isinstance(child, Tree)}


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def with_statements(
    definition: syntax.Definition, statements: Iterable[syntax.Statement]
) -> syntax.Definition:
    """Return `definition` with its statements, its span reaching to the last."""
    found = tuple(statements)
    span = definition.span
    if found and span is not None and found[-1].span is not None:
        span = span.to(found[-1].span)
    return replace(definition, statements=found, span=span)
