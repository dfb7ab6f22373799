"""What `optdsl compile` writes of claims: their words, and the verdicts that are known."""

import ast
import re

import pytest

from optdsl.codegen import emit
from optdsl.library import load_rule

HALF = """\
optimizer Half
  hyper eta = 0.1 in [0, inf)
  theta[t] = theta[t-1] - {step}
  source paper eq 1 where $\\alpha$ = eta  # by heart
  differs SGD because "it takes half of the step"
"""
PAPER = r"\begin{equation} \theta_t = \theta_{t-1} - \frac{\alpha}{2} g_t \tag{1} \end{equation}"


@pytest.fixture
def half(tmp_path, monkeypatch):
    """Write a rule and the document that it cites, with nothing known of either."""
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "paper.tex").write_text(PAPER)
    (tmp_path / "half.opt").write_text(HALF.format(step="eta*g[t]/2"))
    return tmp_path / "half.opt"


@pytest.fixture
def head(optdsl, tmp_path):
    """Return the head of the module that the command writes."""

    def compiled(rule, *more):
        done = optdsl("compile", rule, "-t", "reference", "-o", "build", *more)
        assert done.status == 0, done.text
        (path,) = (tmp_path / "build").glob("*.py")
        text = path.read_text()
        path.unlink()
        told = ast.get_docstring(ast.parse(text))
        claims = told[re.search(r"^(What it|It) claims", told, re.MULTILINE).start() :]
        assert max(map(len, claims.splitlines())) <= 100
        return told

    return compiled


def test_verdicts_are_told_once_they_are_known(half, head, optdsl):
    before = head("half.opt")
    assert "not checked yet: optdsl check half.opt\n\n    source paper eq 1 where" in before
    assert optdsl("check", "half.opt").status == 0
    after = head("half.opt")
    assert "what `optdsl check half.opt` found:\n" in after
    assert "    proved   source paper eq 1 where $\\alpha$ = eta\n" in after
    assert '    differs  differs SGD because "it takes half of the step"\n' in after
    half.write_text("# Said above it.\n" + half.read_text().replace("by heart", "from memory"))
    assert head("half.opt") == after
    assert "claims" not in emit(load_rule(half), "reference")


def test_verdicts_on_another_text_are_not_told(half, head, optdsl):
    optdsl("check", "half.opt")
    (half.parent / "paper.tex").write_text(PAPER.replace("2", "3"))
    told = head("half.opt")
    assert "to check the rest: optdsl check half.opt" in told
    assert "    not checked yet  source paper" in told
    assert "    differs          differs SGD" in told
    half.write_text(HALF.format(step="eta*g[t]"))
    assert "proved" not in head("half.opt")
    optdsl("check", "half.opt")
    assert "    proved (expected: differs)  differs SGD" in head("half.opt")


def test_nothing_is_written_where_a_claim_does_not_hold(half, head, optdsl):
    assert "    proved   source paper" in head("half.opt", "--check", "--name", "mine")
    half.write_text(HALF.format(step="eta*g[t]"))
    refused = optdsl("compile", "half.opt", "--check", "-t", "reference", "-o", "elsewhere")
    assert refused.status == 1
    assert "expected: proved; found: differs" in refused.text
    assert "2 claims of 1 rule, 2 not as expected" in refused.out
    assert not (half.parent / "elsewhere").exists()


def test_what_claims_nothing_says_so(half, head):
    told = head("ClipByGlobalNorm | SGD")
    assert "the claims of its parts: optdsl check ClipByGlobalNorm SGD" in told
    told = head("MuonWithAdamW")
    assert "the claims of its parts: optdsl check MuonNesterovWide MuonNesterovTall AdamW" in told
    half.write_text("optimizer Bare\n  theta[t] = theta[t-1] - g[t]\n")
    assert "no source and no other rule was compared with it" in head("half.opt")
