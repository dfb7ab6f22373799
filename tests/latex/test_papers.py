"""LaTeX of papers: each line is read as what it says, or refused; and is written back the same."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.language import parse, syntax
from optdsl.latex import read, write_equations

from .papers import EQUATIONS

READ = {latex: ours for latex, ours in EQUATIONS.items() if ours is not None}
REFUSED = [latex for latex, ours in EQUATIONS.items() if ours is None]


def expected(text: str) -> syntax.Statement:
    (definition,) = parse(f"optimizer X\n  {text}\n", "<expected>").definitions
    return definition.statements[0]


@pytest.mark.parametrize(("latex", "ours"), READ.items(), ids=READ)
def test_a_line_of_a_paper_is_read_and_written_back(latex: str, ours: list[str]) -> None:
    equations = read(latex)
    assert [equation.statement for equation in equations] == [expected(text) for text in ours]
    statements = (
        *dict.fromkeys(index for equation in equations for index in equation.indices),
        *(equation.statement for equation in equations),
    )
    printed = write_equations(syntax.Definition("optimizer", "X", statements=statements))
    assert [again.statement for again in read(printed)] == [one.statement for one in equations]


@pytest.mark.parametrize("latex", REFUSED, ids=REFUSED)
def test_a_line_that_is_refused_has_a_caret(latex: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        read(latex)
    for found in caught.value.diagnostics:
        assert found.span is not None
        assert found.span.source.text == latex
        assert found.message
