"""Every equation of the shipped documents is claimed by a spec, or beside it stands why not."""

import json
from pathlib import Path

import jsonschema
import pytest

from optdsl.checks.coverage import coverage_of, mentions_in
from optdsl.language import parse
from optdsl.latex import document_names
from optdsl.latex.documents import parse_document

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schema" / "coverage.json"

RULE = r"""
optimizer Mine
  theta[t] = theta[t-1] - g[t]
  source paper eq 1-2, b
"""

PAPER = r"""% A paper.
\begin{equation} \tag{1}
x_t = 1
\end{equation}
%s
\begin{equation} \tag{2} x_t = 2 \end{equation}
%s
\begin{align}
x_t &= 3 \label{a} \\
x_t &= 4 \label{b}
\end{align}
"""


def found(second="", rows=""):
    document = parse_document("paper", PAPER.replace("%s", second, 1).replace("%s", rows, 1))
    return {e.tags: e for e in coverage_of(document, mentions_in(parse(RULE, "m").definitions))}


def test_nothing_of_what_is_shipped_is_left_out(optdsl):
    covered = optdsl("coverage")
    assert covered.status == 0, covered.text
    assert "to mend" not in covered.out


@pytest.mark.parametrize("name", document_names())
def test_every_shipped_equation_is_claimed_or_excused(optdsl, name):
    document = json.loads(optdsl("coverage", name, "--json").out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    (only,) = document["documents"]
    assert only["equations"]
    assert not [e for e in only["equations"] if e["problem"]]


def test_a_claim_covers_what_it_cites_and_no_more():
    equations = found()
    assert [m.rule for m in equations[("1",)].mentions] == ["Mine"]
    assert equations[("2",)].problem is None
    assert equations[("b",)].problem is None
    assert "no spec claims it" in equations[("a",)].problem


def test_a_comment_excuses_a_row_by_its_name():
    row = found(rows="% not claimed, a: it is a constant\n% of the paper.")[("a",)]
    assert (row.problem, row.excuse) == (None, "it is a constant of the paper.")


@pytest.mark.parametrize(
    ("second", "rows", "tag", "problem"),
    [
        ("% not claimed: it is trivial", "", "2", "it is claimed, and yet"),
        ("", "% not claimed: no row is", "b", "it is claimed, and yet"),
        ("", "% not claimed, b: the wrong one", "a", "no spec claims it"),
        ("", "% not claimed, a:", "a", "gives no reason"),
    ],
)
def test_an_excuse_must_fit(second, rows, tag, problem):
    assert problem in found(second, rows)[(tag,)].problem


def test_an_equation_without_a_name_is_a_finding():
    document = parse_document("paper", r"\begin{equation} x_t = 1 \end{equation}")
    (only,) = coverage_of(document, {})
    assert "neither a number nor a label" in only.problem


def test_an_unclaimed_equation_makes_the_command_fail(optdsl, monkeypatch):
    monkeypatch.setattr("optdsl.commands.coverage.shipped_definitions", list)
    failed = optdsl("coverage", "ruder2016")
    assert failed.status == 1
    assert "no spec claims it" in failed.out
    assert json.loads(optdsl("coverage", "ruder2016", "--json").out)["good"] is False


def test_an_unknown_document_is_misuse(optdsl):
    refused = optdsl("coverage", "ruder2015")
    assert refused.status == 2
    assert "did you mean `ruder2016`?" in refused.err
