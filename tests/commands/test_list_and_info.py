import json
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from optdsl.library import shipped
from tests.sampling import sampled

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schema"


def valid(text, schema):
    """Return the document in `text` if it is as `schema` says."""
    document = json.loads(text)
    validator(schema).validate(document)
    return document


@cache
def validator(schema):
    document = json.loads((SCHEMAS / schema).read_text(encoding="utf-8"))
    kind = jsonschema.validators.validator_for(document)
    kind.check_schema(document)
    return kind(document)


def test_list_names_all_that_is_shipped(optdsl):
    listed = optdsl("list")
    assert listed.status == 0
    assert all(name in listed.out for name in shipped())


def test_list_as_json(optdsl):
    rules = {
        rule["name"]: rule for rule in valid(optdsl("list", "--json").out, "list.json")["rules"]
    }
    assert list(rules) == list(shipped())
    assert rules["Adam"]["family"] == "optimizer"
    assert "ruder2016" in rules["Adam"]["sources"]


SAMPLE = {
    "ClipByGlobalNorm(c=1) | AdamW", "Adafactor", "Adam", "Lookahead", "MuonWide",
    "Plateau", "SAM", "SGLD", "SWATS",
}  # fmt: skip


@pytest.mark.parametrize("name", sampled([*shipped(), "ClipByGlobalNorm(c=1) | AdamW"], SAMPLE))
def test_info_of_all_that_is_shipped(optdsl, name):
    assert optdsl("info", name).status == 0
    valid(optdsl("info", name, "--json").out, "info.json")


def test_info_tells_what_adam_is(optdsl):
    told = valid(optdsl("info", "Adam", "--json").out, "info.json")
    assert told["parts"] == [
        {
            "name": "Adam",
            "when": None,
            "equations": [
                "m[0] = v[0] = 0",
                "m[t] = beta1*m[t-1] + (1 - beta1)*g[t]",
                "v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2",
                "mhat = m[t]/(1 - beta1^t)",
                "vhat = v[t]/(1 - beta2^t)",
                "theta[t] = theta[t-1] - eta*mhat/(sqrt(vhat) + epsilon)",
            ],
        }
    ]
    assert told["hyperparameters"][1] == {
        "name": "beta1",
        "alias": "betas[1]",
        "default": 0.9,
        "domain": "[0, 1)",
        "doc": "decay of the first moment",
    }
    # Reads theta, g, m, v and writes theta, m, v: seven streams of four bytes in one pass.
    assert told["state_bytes_per_parameter"] == 8
    assert (told["passes"], told["bytes_moved_per_parameter"]) == (1, 28)


def test_a_composition_names_whose_hyperparameter_it_is(optdsl):
    told = valid(optdsl("info", "ClipByGlobalNorm | SGD", "--json").out, "info.json")
    assert [item["name"] for item in told["hyperparameters"]] == ["ClipByGlobalNorm.c", "SGD.eta"]
    assert [part["name"] for part in told["parts"]] == ["ClipByGlobalNorm", "SGD"]
    assert told["passes"] == 2


def test_what_is_taken_over_is_shown(optdsl):
    told = valid(optdsl("info", "AdamW", "--json").out, "info.json")
    assert "mhat = m[t]/(1 - beta1^t)" in told["parts"][0]["equations"]


def test_formulas_and_missing_defaults(optdsl, tmp_path):
    (tmp_path / "a.opt").write_text(
        "schedule A gives eta\n"
        "  hyper a in 1..inf\n"
        "  hyper b = 1/sqrt(t)\n"
        "  hyper c = inf\n"
        "  eta = min(a*b, c)\n"
    )
    told = valid(optdsl("info", "a.opt", "--json").out, "info.json")
    assert [item["default"] for item in told["hyperparameters"]] == [None, "1/sqrt(t)", "inf"]
    assert [item["domain"] for item in told["hyperparameters"]] == ["1..inf", None, None]
    assert "must be given" in optdsl("info", "a.opt").out


def test_an_unknown_name_is_misuse_with_a_suggestion(optdsl):
    refused = optdsl("info", "Momentun")
    assert refused.status == 2
    assert "did you mean `Momentum`?" in refused.err


@pytest.mark.parametrize("stage", ["equations", "latex", "program", "source", "assembly"])
def test_every_stage_of_adam_can_be_seen(optdsl, stage):
    seen = optdsl("show", "Adam", "--as", stage)
    assert (seen.status, seen.err) == (0, "")
    telling = {
        "equations": "v[t] = beta2*v[t-1] + (1 - beta2)*g[t]^2",
        "latex": r"\sqrt{\hat{v}}",
        "program": "pass",
        "source": "Adam = from_layout(LAYOUT)",
        "assembly": "sqrt",
    }
    assert telling[stage] in seen.out


def test_machine_code_is_shown_though_it_is_cached(optdsl):
    first = optdsl("show", "SGD", "--as", "assembly")
    again = optdsl("show", "SGD", "--as", "assembly")
    assert "ret" in first.out
    assert len(again.out.splitlines()) == len(first.out.splitlines())


def test_a_schedule_has_no_machine_code(optdsl):
    refused = optdsl("show", "Cosine", "--as", "assembly")
    assert refused.status == 2
    assert "schedule" in refused.err


CHOICE = 'ClipByGlobalNorm(c=1) | (Momentum if ndim == 2 and not named("*embed*") else AdamW)'


def test_info_of_a_choice_tells_what_each_case_costs(optdsl):
    data = valid(optdsl("info", CHOICE, "--json").out, "info.json")
    assert [(part["name"], part["when"]) for part in data["parts"]] == [
        ("ClipByGlobalNorm", None),
        ("Momentum", 'where ndim == 2 and not named("*embed*")'),
        ("AdamW", 'where ndim != 2 or named("*embed*")'),
    ]
    costs = [(case["state_bytes_per_parameter"], case["passes"]) for case in data["cases"]]
    assert costs == [(4, 2), (8, 2)]
    assert data["state_bytes_per_parameter"] == 8
    shown = optdsl("info", CHOICE).out
    assert 'AdamW, where ndim != 2 or named("*embed*")' in shown
    assert "AdamW.weight_decay" not in shown


def test_info_of_rules_in_turn_tells_when_each_is_taken(optdsl):
    shown = optdsl("info", "SGD for 100 then Adam").out
    for line in ("SGD, for 100 steps", "Adam, from then on", "in steps 1 to 100", "from step 101"):
        assert line in shown


@pytest.mark.parametrize("stage", ["equations", "latex", "program", "source"])
def test_every_stage_of_a_choice_can_be_seen(optdsl, stage):
    shown = optdsl("show", CHOICE, "--as", stage)
    assert shown.status == 0
    assert 'ndim == 2 and not named("*embed*")' in shown.out


def test_a_choice_can_be_compiled_to_a_module(optdsl, tmp_path, monkeypatch):
    spec = tmp_path / "mixed.opt"
    spec.write_text("optimizer Mixed = Momentum if ndim == 2 else AdamW\n", encoding="utf-8")
    assert optdsl("compile", str(spec), "-o", str(tmp_path / "made"), "-t", "reference").status == 0
    monkeypatch.syspath_prepend(tmp_path / "made")
    import mixed
    import numpy as np

    parameters = [np.ones((2, 2)), np.ones(2)]
    mixed.Mixed(parameters, lr=0.1).step([np.ones((2, 2)), np.ones(2)])
    assert parameters[0][0, 0] == pytest.approx(0.9)
    assert mixed.Mixed.layout.cases[0].name == "where ndim == 2"
