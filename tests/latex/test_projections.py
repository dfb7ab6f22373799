"""A projection reads only where a claim says what it is."""

import pytest

from optdsl.checks.claims import Finding, check_definition
from optdsl.language import parse
from optdsl.library import lookup_in


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path))


def finding(rule: str, claim: str) -> Finding:
    file = parse(f"optimizer Mine extends {rule}\n  {claim}\n", "<test>")
    (found,) = check_definition(file.definitions[-1], lookup_in(file))
    return found


PAGE = r"source raschka2021-l12 eq adabelief-adam where $\alpha$ = eta"


def test_the_identity_is_adam() -> None:
    assert finding("Adam", PAGE + r", $\Pi(x)$ = x").verdict.kind == "proved"
    exact = PAGE + r", $\Pi_{\mathcal{F}, \sqrt{\hat{v}_t}}(x)$ = x"
    assert finding("Adam", exact).verdict.kind == "proved"


def test_another_projection_is_not_adam() -> None:
    box = PAGE + r", $\Pi(x)$ = min(max(x, -1), 1)"
    assert finding("Adam", box).verdict.kind == "differs"


def test_nothing_said_is_not_understood() -> None:
    found = finding("Adam", PAGE)
    assert found.verdict.kind == "not understood"
    assert "nothing says what the function" in str(found.diagnostics[0])


def test_a_function_that_the_lines_do_not_have_is_a_mistake() -> None:
    claim = r"source raschka2021-l12 eq kingma-adam where $\alpha$ = eta, $\Pi(x)$ = x"
    found = finding("Adam", claim)
    assert found.verdict.kind == "not understood"
    assert "`Pi` is no function in these lines" in str(found.diagnostics[0])
