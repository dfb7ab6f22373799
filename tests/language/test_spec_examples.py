"""Every definition at hand reads, formats, and reads back; the grammar has no conflict."""

from contextlib import suppress
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from lark import Lark
from lark.exceptions import GrammarError

from optdsl.diagnostics import DiagnosticError
from optdsl.language import format_file, normalize_time, parse, syntax
from optdsl.language.reading import GRAMMAR
from optdsl.language.trees import walk

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.opt"))
SHIPPED = sorted(Path(str(resources.files("optdsl.specs"))).glob("*/*.opt"))


@pytest.mark.parametrize("path", [*EXAMPLES, *SHIPPED], ids=lambda path: path.name)
def test_reads_and_is_written_back(path):
    file = parse(path.read_text(encoding="utf-8"), path.name)
    text = format_file(file)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 100
    again = parse(text)
    assert format_file(again) == text
    assert again == replace(file, definitions=tuple(map(normal, file.definitions)))


def normal(definition):
    with suppress(DiagnosticError):
        return normalize_time(definition)
    return definition


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_name_stands_where_its_span_says(path):
    file = parse(path.read_text(encoding="utf-8"), path.name)
    for node in walk(file):
        assert node.span is not None
        if isinstance(node, syntax.Name) and node.span.text.isascii():
            assert node.name in node.span.text
        if isinstance(node, syntax.Number) and node.span.text[0] not in "²³":
            assert node.text in node.span.text


def test_the_examples_cover_the_catalogue():
    found = [d for path in EXAMPLES for d in parse(path.read_text(encoding="utf-8")).definitions]
    assert len(found) > 60
    kinds = {type(node) for definition in found for node in walk(definition)}
    everything = {
        kind
        for kind in vars(syntax).values()
        if isinstance(kind, type) and issubclass(kind, syntax.Node)
    }
    assert everything - kinds == {syntax.Node, syntax.Statement, syntax.File}


def test_the_grammar_has_no_conflict():
    assert GRAMMAR.made(strict=True).parse("x = 1", start="equation") is not None


def test_a_conflict_would_be_noticed():
    ambiguous = 'start: start "+" start | "x"'
    with pytest.raises(GrammarError, match="conflict"):
        Lark(ambiguous, parser="lalr", strict=True)
