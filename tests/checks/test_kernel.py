"""Kernels beside documents: what agrees, and that a wrong kernel or source would be seen."""

from dataclasses import replace

import pytest

from optdsl.checks import kernel
from optdsl.library import find


def verified(definition, lookup, **options):
    ((_, found),) = kernel.verify(definition, lookup, **options)
    return found


def first_source(rule):
    """Return the definition of a rule with the first of its sources alone."""
    definition, lookup = find(rule)
    sources = [s for s in definition.statements if getattr(s, "verb", "") == "source"]
    kept = tuple(s for s in definition.statements if s not in sources[1:])
    return replace(definition, statements=kept), lookup


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("SGD", marks=pytest.mark.slow),
        "ClipByGlobalNorm",
        "Exponential",
        "WarmRestarts",
        pytest.param("Adam", marks=pytest.mark.slow),
        pytest.param("Nesterov", marks=pytest.mark.slow),
    ],
)
def test_kernels_follow_their_sources(rule):
    assert_follows(find(rule))


def test_a_kernel_follows_its_first_source():
    assert_follows(first_source("SGD"))


def assert_follows(rule):
    found = [each for each in verified(*rule, runs=3) if each.source and each.errors]
    assert found
    for each in found:
        assert each.good
        assert each.steps == 60
        assert {worst.format for worst in each.errors} >= {"float64"}
        assert all(worst.ulps < 8 for worst in each.errors)


def test_a_rule_without_a_source_is_compared_with_itself():
    (own,) = verified(*find("YogiCorrected"), runs=1)
    assert own.source is None
    assert own.good
    assert len(own.errors) == 2


def test_what_is_drawn_is_not_compared():
    (own,) = verified(*find("SGLD"), runs=1)
    assert not own.errors
    assert "random" in own.reason


def test_a_kernel_of_other_equations_is_seen(monkeypatch):
    """AdamUncorrected in Adam's place: what the kernel does is held against the document."""
    wrong = kernel._kernel(kernel.build(*find("AdamUncorrected")))
    monkeypatch.setattr(kernel, "_kernel", lambda ours: wrong)
    found = verified(*first_source("Adam"), runs=1)
    assert any(each.errors for each in found)
    assert not any(each.good for each in found if each.errors)


def test_a_small_error_is_seen(monkeypatch):
    """A kernel whose theta is off by 1e-13 of its size is off by more than 100 units."""
    real = kernel._optimizer

    def off(ours, run, format_):
        for given in real(ours, run, format_):
            yield {"theta": given["theta"] * (1 + 1e-13)}

    monkeypatch.setattr(kernel, "_optimizer", off)
    (first, *_) = verified(*first_source("SGD"), runs=1)
    errors = {worst.format: worst for worst in first.errors}
    assert errors["float64"].ulps > 100
    assert not errors["float64"].good


def test_a_source_that_differs_is_not_run():
    definition, lookup = find("AdamUncorrected")
    claims = [s for s in definition.statements if getattr(s, "verb", "") == "differs"]
    turned = [replace(claim, verb="source") for claim in claims if claim.when]
    other = replace(definition, statements=(*definition.statements, *turned))
    found = verified(other, lookup, runs=1)
    assert any("not what our equations say" in (each.reason or "") for each in found)


def test_a_choice_is_verified_rule_by_rule():
    found = kernel.verify(*find("Sign | (SGD if ndim == 1 else Adagrad)"), runs=1, steps=3)
    assert [(a.case, a.system.name) for a, _ in found] == [
        ("where ndim == 1", "SGD"), ("where ndim != 1", "Adagrad"),
    ]  # fmt: skip
    for _, results in found:  # the sources of SGD say nothing of `Sign | SGD`
        assert [each.source for each in results] == [None]
        assert results[0].good


def test_a_rule_that_a_choice_takes_as_it_is_keeps_its_sources():
    definition, lookup = find("SGD if ndim == 1 else SGD(eta=1)")
    (one, first), (_, second) = kernel.verify(definition, lookup, runs=1, steps=2)
    assert one.name != one.system.name == "SGD"
    assert [each.source for each in first] == [each.source for each in second]
    assert first[0].source == "source ruder2016 eq 1"
