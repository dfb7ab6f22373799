"""Verdicts on the documents that no claim of one rule can hold: odd readings, and tables."""

from __future__ import annotations

import pytest

import optdsl
from optdsl.checks.claims import check_definition
from optdsl.checks.equivalence import compare
from optdsl.language import parse
from optdsl.latex import to_definition
from optdsl.latex.documents import parse_document
from optdsl.latex.finding import load_document
from optdsl.library import load_system, lookup_in
from optdsl.model import build


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path))


def verdict(rule, claim):
    """Return the verdict on a claim of a shipped rule."""
    file = parse(f"optimizer Mine extends {rule}\n  {claim}\n", "<test>")
    (finding,) = check_definition(file.definitions[-1], lookup_in(file))
    return finding.verdict


def as_printed(document, tags, old, new):
    """Return the system of a document in which a repair is taken back."""
    text = load_document(document).source.text
    assert old in text
    changed = parse_document(document, text.replace(old, new))
    names = ("eta", "beta1", "beta2", "epsilon")
    reading = to_definition(changed.equations(tags, names), names)
    return build(reading.definition, lookup_in(None), allow_unused=True)


def test_the_power_of_eta_in_the_summary_row_is_damage():
    tags = ["13", "14", "summary-adam", "summary-theta"]
    row = r"\frac{\eta}{\sqrt{\hat{v}_t} + \epsilon} \hat{m}_t" + "\n\\end{equation}\n\n\\begin"
    assert load_document("ruder2017-slides").source.text.count(row) == 1
    printed = as_printed("ruder2017-slides", tags, row, row.replace(r"\eta", r"\eta^{t}"))
    found = compare(load_system("Adam"), printed)
    assert found.kind == "differs"
    assert found.counterexample.step == 2


@pytest.mark.parametrize(
    ("rule", "claim"),
    [
        (
            "AdaMax",
            "source ruder2016-blog eq adam-first-moment, adam-first-correction, adamax-max, adamax",
        ),
        (
            "AdamUncorrected",
            "source raschka2021-l12 eq ema, adam-average, adam-step "
            r"where $\alpha$ = beta1, $\beta$ = beta2",
        ),
    ],
)
def test_what_is_never_assigned_must_be_declared(rule, claim):
    assert verdict(rule, claim).kind == "not understood"


@pytest.mark.parametrize(
    ("rule", "claim", "step"),
    [
        ("MomentumOutside", "differs Momentum", 2),
        ("MomentumAverage", "differs Momentum", 1),
        ("Momentum", "differs Nesterov", 2),
        ("SGDW", "differs WeightDecay | Momentum", 2),
        ("SGDWAfter", r"differs ruder2017-highlights eq sgdw where $w_t$ = lambda", 1),
        ("AdagradOutside", "differs Adagrad", 1),
        ("RMSpropOutside", "differs ruder2016 eq 18 when gamma = 0.9", 1),
        ("AdamUncorrected", "differs Adam", 1),
        ("AdaBelief", "differs Adam", 1),
        (
            "AdaMax",
            "differs ruder2016-blog eq adam-moments, adam-corrections, adamax-max, adamax",
            2,
        ),
        ("Adam", "differs ruder2016-blog eq adam-moments, adam-corrections, nadam-previous", 2),
        ("Adam", "differs ruder2016-blog eq adam-moments, adam-corrections, nadam", 1),
        ("Nadam", "differs NadamDozat", 1),
        ("AMSGrad", "differs AMSGradMaxThenCorrect", 1),
        ("AMSGrad", "differs AMSGradCorrectThenMax", 1),
        ("AMSGradMaxThenCorrect", "differs AMSGradCorrectThenMax", 2),
        ("AMSGradPrevious", "differs AMSGrad", 3),
    ],
)
def test_the_step_at_which_two_part(rule, claim, step):
    found = verdict(rule, claim)
    assert found.kind == "differs", str(found)
    assert found.counterexample.step == step


@pytest.mark.parametrize(
    ("rule", "numbers"),
    [
        ("SGD", 0),
        ("Momentum", 1),
        ("RMSpropOutside", 1),
        ("RMSpropMomentum", 2),
        ("Adam", 2),
        ("AdamW", 2),
        ("AMSGrad", 3),
    ],
)
def test_numbers_kept_for_each_parameter(rule, numbers):
    states = optdsl.load(rule, "reference").layout.states
    assert sum(state.kind == "entry" for state in states) == numbers


def test_adamw_has_one_hyperparameter_more_than_adam():
    adam, adamw = (load_system(name).hyperparameters for name in ("Adam", "AdamW"))
    assert len(adamw) == len(adam) + 1
