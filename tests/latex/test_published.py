"""Update rules as their authors set them: read in full or refused with a caret, and never misread.

Each file is typed from memory, in its authors' notation and with their words, brackets, macros and
slips. Beside it stands what is read, or what is said; its head names the shipped rule that it is.
"""

import re
from pathlib import Path

import pytest

from optdsl.checks.between import compare_sides, read_terms
from optdsl.diagnostics import DiagnosticError
from optdsl.language import format_expression, syntax
from optdsl.latex import read, to_definition, write_equations
from optdsl.latex.equations import SourceEquation
from optdsl.latex.manuscripts import parse_manuscript
from optdsl.library import find

FOLDER = Path(__file__).parent / "published"
PAPERS = sorted(FOLDER.glob("*.tex"))


def said(path: Path, word: str) -> list[str]:
    """What the head of a file says behind a word."""
    return re.findall(rf"(?m)^% {word}: (.+)$", path.read_text())


def equations_of(path: Path) -> tuple[SourceEquation, ...]:
    manuscript = parse_manuscript(path.stem, path.read_text(), path.name)
    return manuscript.equations(tuple(manuscript.units), ())


def shown(equations: tuple[SourceEquation, ...]) -> list[str]:
    """The rule that equations are, a line each."""
    reading = to_definition(equations)
    lines = [f"the parameter is {reading.parameter}"]
    for one in reading.definition.statements:
        if isinstance(one, syntax.Equation):
            lines.append(" = ".join(map(format_expression, (*one.targets, one.value))))
    return lines


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_is_read_so(path: Path, golden) -> None:
    try:
        text = "\n".join(shown(equations_of(path)))
    except DiagnosticError as error:
        text = "\n\n".join(map(str, error.diagnostics))
        for found in error.diagnostics:
            assert found.span is not None, found
    golden(text + "\n", path.with_suffix(".txt"))


def test_no_expectation_without_a_paper() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {path.stem for path in PAPERS}


CLAIMS = [
    pytest.param(path, marks=() if path.stem == "chen2023" else pytest.mark.slow)
    for path in PAPERS
    if said(path, "rule")
]


@pytest.mark.parametrize("path", CLAIMS, ids=lambda path: path.stem)
def test_is_the_rule_of_its_name(path: Path) -> None:
    (rule,), (verdict,) = said(path, "rule"), said(path, "verdict")
    document = syntax.Document(str(path), ())
    terms = read_terms(said(path, "where"), when=said(path, "when"))
    found = compare_sides(find(rule), document, terms)
    assert found.verdict.kind == verdict, found


def test_what_is_read_is_printed_and_read_again() -> None:
    for path in PAPERS:
        try:
            definition = to_definition(equations_of(path)).definition
        except DiagnosticError:
            continue
        if "@" in " ".join(shown(equations_of(path))):  # long, and tested with the shipped rules
            continue
        again = read(write_equations(definition), declared=names_of(definition))
        kept = [one for one in definition.statements if isinstance(one, syntax.Equation)]
        assert [one.statement for one in again] == kept, path.stem


def names_of(definition: syntax.Definition) -> list[str]:
    return [one.name for one in definition.statements if isinstance(one, syntax.Hyper)]
