import json
from pathlib import Path

import jsonschema
import pytest

from optdsl.library import shipped, single_rules

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schema" / "analyze.json"


def test_a_rule_is_told_in_sentences(optdsl):
    told = optdsl("analyze", "Adam")
    assert (told.status, told.err) == (0, "")
    assert "eta carries [theta], epsilon carries [loss]/[theta]" in told.out
    assert "m: 1/2 becomes 1/4 in step 2, where the gradient is 0" in told.out
    assert "a loss multiplied by c changes nothing if epsilon = 0" in told.out
    assert "epsilon = 1e-8 is 0 in float16" in told.out
    assert "the states are then m times c, v times c^2" in told.out


def test_the_letter_of_the_scale_is_not_one_of_the_rule(optdsl):
    assert (
        "a loss multiplied by k gives u times k with c times k"
        in optdsl("analyze", "ClipByGlobalNorm").out
    )


@pytest.mark.slow
def test_all_that_is_shipped_in_one_table(optdsl):
    told = optdsl("analyze")
    assert told.status == 0
    for name in single_rules():
        assert (name in told.out) == (shipped()[name].family != "schedule")


@pytest.mark.parametrize("rule", ["Adam", "Cosine", "Sign", "ClipByGlobalNorm(c=1) | AdamW"])
def test_json_follows_its_schema(optdsl, rule):
    document = json.loads(optdsl("analyze", rule, "--json").out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    (told,) = document["rules"]
    assert told["units"]["misfits"] == []


def test_rules_that_are_chosen_are_told_one_by_one(optdsl):
    told = optdsl("analyze", "SignSGD if ndim == 1 else SGD(eta=1)")
    assert (told.status, told.err) == (0, "")
    assert told.out.count("zero gradients") == 2
    assert "where ndim == 1: SignSGD" in told.out
    assert "where ndim != 1: SGD" in told.out
    assert "SGD_eta" not in told.out
    document = json.loads(optdsl("analyze", "SGD for 3 then SignSGD", "--json").out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert [rule["case"] for rule in document["rules"]] == [
        {"title": "in steps 1 to 3", "rule": "SGD"}, {"title": "from step 4", "rule": "SignSGD"},
    ]  # fmt: skip


def test_a_rule_that_goes_on_from_another_is_refused(optdsl, tmp_path):
    (tmp_path / "turn.opt").write_text(
        "transform Average gives u\n  m[0] = 0\n  m[t] = 0.9*m[t-1] + g[t]\n  u = m[t]\n"
        "optimizer Turn = Average | (SGD for 3 then SignSGD)\n",
        encoding="utf-8",
    )
    refused = optdsl("analyze", "turn.opt:Turn")
    assert refused.status != 0
    assert "goes on from what another rule of `Turn` left" in refused.err


def test_json_tells_powers(optdsl):
    (told,) = json.loads(optdsl("analyze", "Adam", "--json").out)["rules"]
    assert told["units"]["hyperparameters"]["epsilon"] == {"loss": "1", "theta": "-1"}
    assert told["invariance"]["at_zero"]["states"] == {"m": "1", "v": "2"}
    assert told["sparsity"]["counterexample"]["inputs"]["g[2]"] == "0"


def test_a_name_that_is_nothing_is_misuse(optdsl):
    refused = optdsl("analyze", "Adamm")
    assert refused.status == 2
    assert "did you mean" in refused.err
