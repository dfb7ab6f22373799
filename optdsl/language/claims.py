"""From the trees that Lark gives to claims: `source`, `equals`, `differs`, `unreadable`."""

from __future__ import annotations

import re
from typing import Any

from lark import Token, Tree

from optdsl.language import syntax
from optdsl.language.builder import Branch, ExpressionBuilder, Part

_NUMBERS = re.compile(r"([0-9]+)-([0-9]+)")
_LONGEST_RANGE = 1000

#: What each verb speaks of.
_SPEAKS_OF = {"source": "document", "unreadable": "document", "equals": "rule"}

_CLAUSE_WORDS = {
    "for_constant": "for constant",
    "where": "where",
    "when": "when",
    "gives": "gives",
    "because": "because",
}


class ClaimBuilder(ExpressionBuilder):
    """Builds the claim that one logical line is."""

    def _common(self, tree: Branch) -> dict[str, Any]:
        raise NotImplementedError

    def whole(self, part: Part) -> int:
        """Return the whole number that a token is."""
        if not str(part).isdecimal() or len(str(part)) > 9:
            self.fail("whole-number", f"`{part}` should be a whole number", self.span(part))
        return int(str(part))

    def _claim_statement(self, tree: Branch) -> syntax.Claim:
        verb, other, *clauses = tree.children
        target = self._other(str(verb), other)
        fields: dict[str, Any] = {}
        for clause in clauses:
            assert isinstance(clause, Tree)
            kind = str(clause.data)
            if kind in fields:
                self.fail(
                    "repeated-clause",
                    f"`{_CLAUSE_WORDS[kind]}` stands twice in this claim",
                    self.span(clause),
                    "join both, separated by a comma" if kind in ("where", "when") else None,
                )
            fields[kind] = getattr(self, f"_{kind}")(clause)
        return syntax.Claim(
            verb=str(verb),  # type: ignore[arg-type]  # the grammar admits no other word
            other=target,
            gives=fields.get("gives"),
            constant=fields.get("for_constant", ()),
            where=fields.get("where", ()),
            when=fields.get("when", ()),
            because=fields.get("because"),
            **self._common(tree),
        )

    def _other(self, verb: str, other: Part) -> syntax.Document | syntax.Expression:
        is_document = isinstance(other, Tree) and other.data == "document"
        speaks_of = _SPEAKS_OF.get(verb)
        if speaks_of == "document" and not is_document:
            self.fail(
                "bad-claim",
                f"`{verb}` names a document and its equations",
                self.span(other),
                f"write `{verb} DOCUMENT eq NUMBER`, or `equals` to compare with a rule",
            )
        if speaks_of == "rule" and is_document:
            self.fail(
                "bad-claim",
                f"`{verb}` compares with a rule",
                self.span(other),
                "write `source` to compare with a document",
            )
        if not is_document:
            return self.expression(other)
        assert isinstance(other, Tree)
        name, *tags = other.children
        if str(name).endswith(".tex"):
            stem = str(name).removesuffix(".tex")
            self.fail(
                "bad-claim",
                "a document is named without the end of its file's name",
                self.span(name),
                f"write `{stem}`; {stem}.tex beside the spec comes first",
            )
        found = tuple(one for tag in tags for one in self._tags(tag))
        return syntax.Document(str(name), found, span=self.span(other))

    def _tags(self, part: Part) -> tuple[str, ...]:
        both = _NUMBERS.fullmatch(str(part))
        if both is None:
            return (str(part),)
        low, high = (int(text[:9]) for text in both.groups())
        if not low < high <= low + _LONGEST_RANGE:
            self.fail(
                "bad-range",
                f"`{part}` is no range of equations",
                self.span(part),
                f"write `{high}-{low}`" if high < low else None,
            )
        return tuple(str(number) for number in range(low, high + 1))

    def _for_constant(self, tree: Branch) -> tuple[str, ...]:
        return tuple(self.word(name) for name in tree.children)

    def _where(self, tree: Branch) -> tuple[syntax.Where, ...]:
        return tuple(self._binding(child) for child in tree.children)

    def _binding(self, part: Part) -> syntax.Where:
        assert isinstance(part, Tree)
        symbol, value = part.children
        latex = isinstance(symbol, Token) and symbol.type == "LATEX"
        name = self.text(symbol) if latex else self.word(symbol)
        return syntax.Where(name, latex, self.expression(value), span=self.span(part))

    def _when(self, tree: Branch) -> tuple[syntax.When, ...]:
        return tuple(self._setting(child) for child in tree.children)

    def _setting(self, part: Part) -> syntax.When:
        assert isinstance(part, Tree)
        name, value = part.children
        return syntax.When(self.word(name), self.expression(value), span=self.span(part))

    def _gives(self, tree: Branch) -> str:
        return self.word(tree.children[0])

    def _because(self, tree: Branch) -> str:
        return self.text(tree.children[0])
