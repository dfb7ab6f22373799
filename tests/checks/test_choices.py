"""Claims about rules that choose: decided case by case, and left alone where that would not do."""

import pytest

from optdsl.checks.claims import check_definition
from optdsl.language import parse
from optdsl.library import lookup_in

CLIPPED_APART = "(ClipByGlobalNorm | SGD) if ndim == 2 else (ClipByGlobalNorm | Adam)"
CLIPPED_TOGETHER = "ClipByGlobalNorm | (SGD if ndim == 2 else Adam)"


def verdict(rule, claim):
    file = parse(f"optimizer Ours = {rule}\n  {claim}\n")
    (found,) = check_definition(file.definitions[-1], lookup_in(file))
    return found.verdict


@pytest.mark.parametrize(
    ("rule", "claim"),
    [
        ("Momentum if ndim == 2 else Adam", "equals Momentum if ndim == 2 else Adam"),
        ("Momentum if ndim == 2 else Adam", "equals Adam if not ndim == 2 else Momentum"),
        ("Momentum if ndim == 2 else Adam", "equals SGD if ndim == 2 else Adam when gamma = 0"),
        ("SGD if ndim == 2 else Momentum if size > 3 else SGD",
         "equals Momentum if not ndim == 2 and size > 3 else SGD"),
        ("Momentum if ndim >= 2 else Adam", "equals Adam if ndim < 2 else Momentum"),
        ("Momentum if ndim > 1 else Adam", "equals Momentum if ndim >= 2 else Adam"),
        ("Momentum if rows*columns > 8 else Adam", "equals Momentum if size >= 9 else Adam"),
        ("Momentum if rows > 1 and ndim > 1 else Adam", "equals Momentum if rows >= 2 else Adam"),
        ('Momentum if ndim >= 2 and not named("*e*") else Adam',
         'equals Adam if named("*e*") or ndim < 2 else Momentum'),
        ("Momentum if max(rows, columns) < 100 else Adam",
         "equals Momentum if rows < 100 and columns < 100 else Adam"),
        ("Momentum if size > 3 and size < 2 else SGD", "equals SGD"),
        ("SGD if ndim == 2 else SGD", "equals SGD"),
        ("SGD", "equals SGD if ndim == 2 else SGD"),
        (CLIPPED_TOGETHER, f"equals {CLIPPED_TOGETHER}"),
        (CLIPPED_APART, f"equals {CLIPPED_APART}"),
        ("ClipByGlobalNorm | (SGD if ndim == 2 else SGD)", "equals ClipByGlobalNorm | SGD"),
        ("ClipByGlobalNorm | (SGD if ndim == 2 else SGD)",
         "equals (ClipByGlobalNorm | SGD)"),
        ("SGD for 10 then Adam", "equals (SGD for 10 then Adam)"),
        ("SGD for 10 then Momentum", "equals (SGD for 10 then SGD) when gamma = 0"),
        ("(SGD for 10 then Adam) if ndim == 2 else (Momentum for 10 then Adam)",
         "equals (SGD if ndim == 2 else Momentum) for 10 then Adam"
         .replace("equals ", "equals (") + ")"),
    ],
)  # fmt: skip
def test_what_agrees_case_by_case_is_proved(rule, claim):
    assert verdict(rule, claim).kind == "proved"


@pytest.mark.parametrize(
    ("rule", "claim"),
    [
        ("Momentum if size >= 7919 else SGD", "equals Momentum if size > 7919 else SGD"),
        ("Momentum if rows > 1 else SGD", "equals Momentum if ndim > 1 else SGD"),
        ("Momentum if rows >= columns else SGD", "equals Momentum if rows > columns else SGD"),
        ('Momentum if named("*a*") else SGD', 'equals Momentum if named("*a") else SGD'),
    ],
)
def test_conditions_that_part_for_some_tensor_are_not_taken_for_one(rule, claim):
    assert verdict(rule, claim).kind not in ("proved", "agrees")


@pytest.mark.parametrize(
    ("rule", "claim", "where"),
    [
        ("SGD if ndim == 2 else AdamW", "differs SGD if ndim == 2 else Adam when lambda = 0.1",
         "where ndim != 2"),
        ("Adam if ndim == 2 else Momentum", "differs Adam if ndim == 2 else SGD",
         "where ndim != 2"),
        ("SGD for 10 then Momentum", "differs (SGD for 10 then SGD)", "from step 11"),
        ("Momentum for 10 then SGD", "differs (SGD for 10 then SGD)", "in steps 1 to 10"),
    ],
)  # fmt: skip
def test_a_difference_in_one_case_is_one_of_the_rules(rule, claim, where):
    found = verdict(rule, claim)
    assert found.kind == "differs"
    assert where in found.counterexample.what


@pytest.mark.parametrize(
    ("rule", "claim", "why"),
    [
        # A norm of all tensors is not a norm of some: each case alone would seem to agree.
        (CLIPPED_TOGETHER, f"equals {CLIPPED_APART}", "may span different tensors"),
        (CLIPPED_APART, f"equals {CLIPPED_TOGETHER}", "may span different tensors"),
        ("(ClipByGlobalNorm | SGD) if ndim == 2 else (ClipByGlobalNorm | SGD)",
         "equals (ClipByGlobalNorm | SGD)", "may span different tensors"),
        ("(ClipByGlobalNorm | SGD) if ndim == 2 else (ClipByGlobalNorm | SGD)",
         "equals (ClipByGlobalNorm | SGD) if rows > 2 else (ClipByGlobalNorm | SGD)",
         "may span different tensors"),
        # What changes at other steps, or goes on through the change, is not compared.
        ("SGD for 10 then Adam", "equals (SGD for 11 then Adam)", "at the same steps"),
        ("SGD for 10 then SGD", "equals SGD", "at the same steps"),
        ("Lookahead(SGD for 10 then Momentum)", "equals Lookahead(SGD for 10 then Momentum)",
         "goes on"),
        # No differences where no tensor takes both rules, or none was found that does.
        ("Momentum if size^2 == 2 else SGD", "differs SGD", "perhaps for no tensor"),
        # A difference beyond the last step of a case is none.
        ("Momentum for 1 then SGD", "equals (SGD for 1 then SGD)", "after its last step"),
    ],
)  # fmt: skip
def test_what_cases_do_not_tell_is_not_decided(rule, claim, why):
    found = verdict(rule, claim)
    assert found.kind == "not understood"
    assert why in found.reason


def test_a_document_is_not_compared_with_a_choice():
    found = verdict("SGD if ndim == 2 else SGD", "source ruder2016 eq 3")
    assert found.kind == "not understood"
    assert "one rule" in found.reason


@pytest.mark.parametrize("clause", ["when lambda = 0", "for constant lambda", "where q = theta"])
def test_a_name_that_no_case_has_is_refused(clause):
    found = verdict("SGD if ndim == 2 else Adam", f"equals SGD if ndim == 2 else Adam {clause}")
    assert found.kind == "not understood"
    assert "no case" in found.reason
