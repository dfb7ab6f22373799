import json
from pathlib import Path

import jsonschema

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schema" / "verify.json"


def test_errors_are_told_for_each_source(optdsl):
    told = optdsl("verify", "SGD", "--runs", "1", "--steps", "5")
    assert (told.status, told.err) == (0, "")
    assert "source ruder2016 eq 1" in told.out
    assert "ulp" in told.out
    assert "5 steps in 1 runs" in told.out


def test_a_rule_without_a_source_is_told_so(optdsl):
    told = optdsl("verify", "YogiCorrected", "--runs", "1", "--steps", "5")
    assert told.status == 0
    assert "it claims no source: its own equations stand in" in told.out


def test_json_follows_its_schema(optdsl):
    told = optdsl(
        "verify", "SGD", "SGLD", "Halving", "Muon", "--runs", "1", "--steps", "5", "--json"
    )
    document = json.loads(told.out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert document["good"]
    assert [rule["name"] for rule in document["rules"]] == [
        "SGD", "SGLD", "Halving", "Muon", "Muon",
    ]  # fmt: skip
    assert [rule["case"] and rule["case"]["rule"] for rule in document["rules"]] == [
        None, None, None, "MuonWide", "MuonTall",
    ]  # fmt: skip


def test_a_spec_of_ones_own(optdsl, tmp_path):
    (tmp_path / "mine.opt").write_text(
        "optimizer Mine\n"
        "  hyper eta as lr = 0.01 in [0, inf)\n"
        "  theta[t] = theta[t-1] - eta*g[t]\n"
        "  source ruder2016 eq 1\n",
        encoding="utf-8",
    )
    told = optdsl("verify", "mine.opt", "--runs", "1")
    assert told.status == 0
    assert "source ruder2016 eq 1" in told.out
