"""What the formatter writes says what the tree says, and the parser reads it back."""

from contextlib import suppress
from dataclasses import replace

from hypothesis import HealthCheck, given, settings

from optdsl.diagnostics import DiagnosticError
from optdsl.language import (
    format_expression,
    format_file,
    normalize_time,
    parse,
    parse_expression,
    syntax,
)
from tests.language.strategies import OPERATORS, expressions, files

quick = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def normal(file):
    """Return `file` as the formatter writes it: nothing defined at `[t+1]`."""
    definitions = []
    for definition in file.definitions:
        with suppress(DiagnosticError):
            definition = normalize_time(definition)
        definitions.append(definition)
    return replace(file, definitions=tuple(definitions))


X, Y, Z = (syntax.Name(name) for name in "xyz")

#: Every way in which an expression holds another.
HOLDERS = [
    *(lambda e, sign=sign: syntax.Binary(sign, e, Y) for sign in OPERATORS),
    *(lambda e, sign=sign: syntax.Binary(sign, Y, e) for sign in OPERATORS),
    lambda e: syntax.Unary("-", e),
    lambda e: syntax.Unary("not", e),
    lambda e: syntax.Attribute(e, "T"),
    lambda e: syntax.Name("m", (e,)),
    lambda e: syntax.Name("m", (Y, e)),
    lambda e: syntax.Call("f", (e,)),
    lambda e: syntax.Call("f", (Y, e, syntax.Scope("all"))),
    lambda e: syntax.Call("f", (syntax.Keyword("A.eta", e),)),
    lambda e: syntax.Tuple((e,)),
    lambda e: syntax.Tuple((Y, e)),
    lambda e: syntax.Conditional(e, Y, Z),
    lambda e: syntax.Conditional(Y, e, Z),
    lambda e: syntax.Conditional(Y, Z, e),
    lambda e: syntax.Sequence(e, Y, Z),
    lambda e: syntax.Sequence(Y, e, Z),
    lambda e: syntax.Sequence(Y, Z, e),
]


def test_every_expression_in_every_other_reads_back_as_written():
    for outer in HOLDERS:
        for inner in HOLDERS:
            expression = outer(inner(X))
            assert parse_expression(format_expression(expression)) == expression


def test_no_bracket_could_be_left_out():
    for outer in HOLDERS:
        for inner in HOLDERS:
            expression = outer(inner(X))
            bare = format_expression(expression)
            for opening in (at for at, sign in enumerate(bare) if sign == "("):
                closing = closing_of(bare, opening)
                if opening and (bare[opening - 1].isalnum() or bare[closing - 1] == ","):
                    continue
                without = bare[:opening] + bare[opening + 1 : closing] + bare[closing + 1 :]
                try:
                    assert parse_expression(without) != expression, bare
                except DiagnosticError:
                    continue


def closing_of(text, opening):
    depth = 0
    for at in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at
    raise AssertionError(text)


@quick
@given(expressions)
def test_expressions_read_back_as_written(expression):
    assert parse_expression(format_expression(expression)) == expression


@settings(quick, max_examples=30)
@given(files)
def test_files_read_back_as_written_and_formatting_twice_changes_nothing(file):
    text = format_file(file)
    again = parse(text)
    assert again == normal(file)
    assert format_file(again) == text
    for definition in again.definitions:
        assert text[definition.span.start : definition.span.end].startswith(definition.family)
        for statement in definition.statements:
            assert 0 <= statement.span.start < statement.span.end <= len(text)
