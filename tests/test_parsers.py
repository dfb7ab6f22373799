"""Parsers from tables that are kept."""

import dataclasses

import pytest
from lark import UnexpectedInput

from optdsl.language import reading
from optdsl.latex import parsing

GRAMMARS = [reading.GRAMMAR, parsing.GRAMMAR]


@pytest.mark.parametrize("grammar", GRAMMARS, ids=lambda grammar: grammar.package)
def test_the_tables_are_those_of_the_grammar(grammar):
    assert grammar.kept() is not None, "run `python -m optdsl.parsers`"


def test_kept_tables_read_as_those_that_are_made():
    kept, made = reading.GRAMMAR.parser(), reading.GRAMMAR.made()
    line = "m[t] = beta*m[t-1] + (1 - beta)*(g[t] if t > 1 else 0) + 3"
    tree = kept.parse(line, start="equation")
    assert tree == made.parse(line, start="equation")
    assert (tree.meta.start_pos, tree.meta.end_pos) == (0, len(line))
    told = []
    for parser in (kept, made):
        with pytest.raises(UnexpectedInput) as raised:
            parser.parse("m[t] = beta*", start="equation")
        told.append((raised.value.pos_in_stream, raised.value.accepts))
    assert told[0] == told[1]


def test_tables_of_another_grammar_are_not_read():
    other = dataclasses.replace(reading.GRAMMAR, start=("equation",))
    assert other.kept() is None
    assert other.parser().parse("m[t] = 1") is not None
