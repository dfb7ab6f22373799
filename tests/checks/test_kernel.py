"""Kernels beside documents: what agrees, and that a wrong kernel or source would be seen."""

from dataclasses import replace

import pytest

from optdsl.checks import kernel
from optdsl.library import find


@pytest.mark.parametrize(
    "rule",
    [
        "SGD",
        "ClipByGlobalNorm",
        "Exponential",
        "WarmRestarts",
        pytest.param("Adam", marks=pytest.mark.slow),
        pytest.param("Nesterov", marks=pytest.mark.slow),
    ],
)
def test_kernels_follow_their_sources(rule):
    found = [each for each in kernel.verify(*find(rule), runs=3) if each.source and each.errors]
    assert found
    for each in found:
        assert each.good
        assert each.steps == 60
        assert {worst.format for worst in each.errors} >= {"float64"}
        assert all(worst.ulps < 8 for worst in each.errors)


def test_a_rule_without_a_source_is_compared_with_itself():
    (own,) = kernel.verify(*find("YogiCorrected"), runs=1)
    assert own.source is None
    assert own.good
    assert len(own.errors) == 2


def test_what_is_drawn_is_not_compared():
    (own,) = kernel.verify(*find("SGLD"), runs=1)
    assert not own.errors
    assert "random" in own.reason


def test_a_kernel_of_other_equations_is_seen(monkeypatch):
    """AdamUncorrected in Adam's place: what the kernel does is held against the document."""
    wrong = kernel._kernel(kernel.build(*find("AdamUncorrected")))
    monkeypatch.setattr(kernel, "_kernel", lambda ours: wrong)
    found = kernel.verify(*find("Adam"), runs=1)
    assert not any(each.good for each in found if each.errors)


def test_a_small_error_is_seen(monkeypatch):
    """A kernel whose theta is off by 1e-13 of its size is off by more than 100 units."""
    real = kernel._optimizer

    def off(ours, run, format_):
        for given in real(ours, run, format_):
            yield {"theta": given["theta"] * (1 + 1e-13)}

    monkeypatch.setattr(kernel, "_optimizer", off)
    (first, *_) = kernel.verify(*find("SGD"), runs=1)
    errors = {worst.format: worst for worst in first.errors}
    assert errors["float64"].ulps > 100
    assert not errors["float64"].good


def test_a_source_that_differs_is_not_run():
    definition, lookup = find("AdamUncorrected")
    claims = [s for s in definition.statements if getattr(s, "verb", "") == "differs"]
    turned = [replace(claim, verb="source") for claim in claims if claim.when]
    other = replace(definition, statements=(*definition.statements, *turned))
    found = kernel.verify(other, lookup, runs=1)
    assert any("not what our equations say" in (each.reason or "") for each in found)
