"""Claims on documents that number what they set: members, their ranges, rounds of a loop."""

import pytest

from optdsl.checks.claims import check_definition
from optdsl.language import parse
from optdsl.library import lookup_in


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path))


def found(rule, claim):
    file = parse(f"optimizer Mine extends {rule}\n  {claim}\n", "<test>")
    (finding,) = check_definition(file.definitions[-1], lookup_in(file))
    return finding


def test_a_range_ends_where_the_claim_says():
    finding = found("AggMo", r"source lucas2019 eq aggmo where $K$ = 3, $\gamma_t$ = eta")
    assert finding.verdict.kind == "proved", str(finding.verdict)


def test_a_shorter_range_is_another_rule():
    finding = found("AggMo", r"source lucas2019 eq aggmo where $K$ = 2, $\gamma_t$ = eta")
    assert finding.verdict.kind == "differs"


def test_a_longer_range_has_symbols_that_are_not_ours():
    finding = found("AggMo", r"source lucas2019 eq aggmo where $K$ = 4, $\gamma_t$ = eta")
    assert finding.verdict.kind == "not understood"
    assert "`beta_4`" in finding.diagnostics[0].message


def test_without_a_range_the_claim_says_what_to_declare():
    finding = found("AggMo", r"source lucas2019 eq aggmo where $\gamma_t$ = eta")
    assert finding.verdict.kind == "not understood"
    assert finding.diagnostics[0].hint == "say it in the claim: `where $K$ = 3`"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (r"$\beta^{(i)}$ = beta[i]", "proved"),
        (r"$\beta_1$ = beta_1, $\beta_2$ = beta_2", "proved"),
        (r"$\beta_1$ = beta_2, $\beta_2$ = beta_1, $\beta_3$ = beta_3", "proved"),
        (r"$\beta_1$ = beta_2, $\beta_2$ = beta_2", "differs"),
    ],
)
def test_members_may_be_named_one_by_one_or_all_at_once(said, kind):
    claim = rf"source lucas2019 eq aggmo where $K$ = 3, $\gamma_t$ = eta, {said}"
    assert found("AggMo", claim).verdict.kind == kind


SWITCH = (
    r"source keskar2017 eq algorithm-1 where $w_t$ = theta, $\alpha_t$ = eta, $a_t$ = v[t], "
    r"$\lambda_t$ = a[t], $\Lambda_t$ = r[t], $v_t$ = b[t] when delta = epsilon"
)


def test_states_that_a_claim_names_are_renamed_for_the_quick_proof():
    assert found("SWATS", SWITCH).verdict.kind == "proved"


def test_states_that_are_named_wrongly_are_not_proved():
    wrong = SWITCH.replace("= r[t]", "= a[t]")
    assert found("SWATS", wrong).verdict.kind != "proved"
