"""Whatever the text, the parser gives a tree or diagnostics, and nothing else."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optdsl.diagnostics import DiagnosticError
from optdsl.language import format_file, parse, parse_expression, syntax

SPECS = [
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parent / "examples").glob("*.opt"))
]
quick = settings(max_examples=100)
FRAGMENTS = [
    "optimizer", "schedule", "transform", "hyper", "index", "input", "state", "skip when",
    "evaluate", "source", "equals", "differs", "unreadable", "in", "as", "for", "then", "if",
    "else", "and", "or", "not", "per", "all", "where", "when", "gives", "because", "extends",
    "eq", "constant", "1..5", "[0, 1)", "(", ")", "[", "]", "=", "==", "^", "**", "√", "²", "β₁",
    "m̂", "≤", "−", "·", '"', '"a"', "$", "$x$", "#", ",", ".", "..", ":", "~", "|", "@", "!",
    "x", "t", "theta", "1", "0.5", "1e9", "\n", "\n  ", "\n      ", "\t", "\r\n", "\r", "\x00",
    "\ud800", "\ufeff", "\u2028", " ",
]  # fmt: skip


def read(text, reader=parse):
    """Read `text`; what comes of it must be a tree, or diagnostics that can be shown."""
    diagnostics = ()
    try:
        tree = reader(text)
    except DiagnosticError as error:
        diagnostics, tree = error.diagnostics, None
        assert_can_be_shown(diagnostics, text)
    assert isinstance(tree, syntax.Node) != bool(diagnostics)
    return tree


def assert_can_be_shown(diagnostics, text):
    for diagnostic in diagnostics:
        span = diagnostic.span
        assert 0 <= span.start <= span.end <= len(text)
        str(diagnostic).encode("utf-8")
    places = [diagnostic.span.start for diagnostic in diagnostics]
    assert places == sorted(places)


@quick
@given(st.text())
def test_any_text(text):
    read(text)


@quick
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(" ".join))
def test_any_words_of_the_language(text):
    read(text)
    read("optimizer A\n  " + text)


@quick
@given(st.text(st.characters()))
def test_any_text_as_an_expression(text):
    read(text, parse_expression)


@quick
@given(st.sampled_from(SPECS), st.data())
def test_a_spec_with_something_cut_out_and_something_put_in(spec, data):
    start = data.draw(st.integers(0, len(spec)))
    end = data.draw(st.integers(start, min(len(spec), start + 20)))
    inserted = data.draw(st.sampled_from(["", *FRAGMENTS]) | st.text(max_size=3))
    file = read(spec[:start] + inserted + spec[end:])
    if file is not None:
        text = format_file(file)
        assert format_file(parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "optimizer A\n  x = " + "(" * 5_000,
        "optimizer A\n  x = " + "(" * 5_000 + "1" + ")" * 5_000,
        "optimizer A\n  x = " + "-" * 15_000 + "1",
        "optimizer A\n  x = " + "not " * 4_000 + "y",
        "optimizer A\n  x = " + "2^" * 5_000 + "1",
        "optimizer A\n  x = " + "1 + " * 4_000 + "1",
        "optimizer A\n  x = A" + ".T" * 5_000,
        "optimizer A\n  x = " + "a if b else " * 1_500 + "c",
        "optimizer A\n  x = " + "f(" * 5_000 + ")" * 5_000,
        "optimizer A\n  x = " + "m[" * 5_000 + "t" + "]" * 5_000,
        "optimizer A = " + "A for 1 then " * 1_000 + "B",
        "optimizer A\n  x = " + "y" * 1_000_000,
        "optimizer A\n  x = 1e" + "9" * 10_000,
        "optimizer A\n  x = " + "9" * 10_000,
        "optimizer A\n  source b eq 1-" + "9" * 10_000,
        "optimizer A\n  state m : int8 blockwise(" + "9" * 10_000 + ")",
        "\n" * 100_000,
        "#" * 100_000,
        "\ufeff\ufeff",
        "optimizer A\x00\n  x = 1",
        "optimizer \ud800\n  x = \udfff",
    ],
    ids=lambda text: ascii(text[:40]),
)
def test_texts_that_would_exhaust_a_careless_reader(text):
    read(text)


def test_many_lines_are_all_read():
    lines = "".join(f"  x{n} = {n}*y\n" for n in range(2_000))
    assert len(read("optimizer A\n" + lines).definitions[0].statements) == 2_000


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_change_nothing(line_end, mark):
    for spec in SPECS:
        assert parse(mark + spec.replace("\n", line_end)) == parse(spec)
