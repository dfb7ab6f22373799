"""From one logical line to the tree that the grammar makes of it."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache

from lark import Lark, Tree, UnexpectedInput

from optdsl.diagnostics import Diagnostic, DiagnosticError, Span
from optdsl.language.builder import Branch
from optdsl.language.layout import Layout, Line
from optdsl.language.mistakes import FAMILIES
from optdsl.language.syntax_errors import explain
from optdsl.parsers import Grammar

START_RULES = (
    "header", "docstring", "hyper", "index", "input", "skip", "evaluate", "storage",
    "claim", "equation", "expression",
)  # fmt: skip

_WORD = re.compile(r"[^\W\d]\w*")
_AFTER_KEYWORD = re.compile(r"\s+[^\s=~\[]|$")

#: A tree deeper than this is refused: those who read it call themselves level by level.
DEEPEST = 100
_LONGEST_LINE = 20_000

#: The rule that reads a line beginning with each keyword.
KEYWORD_RULES = {
    "hyper": "hyper", "index": "index", "input": "input", "skip": "skip",
    "evaluate": "evaluate", "state": "storage", "source": "claim", "equals": "claim",
    "differs": "claim", "unreadable": "claim",
}  # fmt: skip


GRAMMAR = Grammar("optdsl.language", START_RULES, positions=True)


@cache
def lark_parser() -> Lark:
    """Return the parser of logical lines."""
    return GRAMMAR.parser()


def begins_definition(code: str) -> bool:
    """Does this line begin with `optimizer`, `schedule` or `transform` and a name?"""
    return _keyword(code) in FAMILIES


def start_rule(code: str) -> str:
    """Return the rule that reads a statement.

    A keyword is one only where a word follows it, so that `state[t] = 1` is an equation.
    """
    if code.startswith('"'):
        return "docstring"
    return KEYWORD_RULES.get(_keyword(code), "equation")


def _keyword(code: str) -> str:
    word = _WORD.match(code)
    return word[0] if word and _AFTER_KEYWORD.match(code, word.end()) else ""


def read_line(layout: Layout, line: Line, rule: str) -> Branch:
    """Read one logical line by a rule of the grammar; raises DiagnosticError."""
    code = layout.code[line.start : line.end]
    whole = Span(layout.source, line.start, line.end)
    if len(code) > _LONGEST_LINE:
        raise DiagnosticError(
            Diagnostic(
                "too-long",
                f"this statement has {len(code)} characters, more than {_LONGEST_LINE}",
                Span(layout.source, line.start, line.start + 1),
                "give names to its parts",
            )
        )
    try:
        tree = lark_parser().parse(code, start=rule)
    except UnexpectedInput as error:
        expected = _expected(code, rule)
        raise DiagnosticError(explain(error, code, whole, rule, expected)) from None
    _check_depth(tree, whole)
    return tree


def _expected(code: str, rule: str) -> frozenset[str]:
    """Return the terminals with which a line could have gone on where it went wrong.

    The error itself names too many: LALR(1) tables merge states that differ in what may follow.
    """
    parsing = lark_parser().parse_interactive(code, start=rule)
    with suppress(UnexpectedInput):
        for _ in parsing.iter_parse():
            pass
    return frozenset(parsing.accepts())  # type: ignore[no-untyped-call]


def _check_depth(tree: Branch, whole: Span) -> None:
    level: list[Branch] = [tree]
    for _ in range(DEEPEST):
        level = [child for branch in level for child in branch.children if isinstance(child, Tree)]
        if not level:
            return
    start, end = level[0].meta.start_pos, level[0].meta.end_pos
    raise DiagnosticError(
        Diagnostic(
            "nesting",
            f"this is nested more than {DEEPEST} levels deep",
            Span(whole.source, whole.start + start, whole.start + end),
            "give names to the inner parts",
        )
    )
