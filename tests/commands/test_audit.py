import json
import re
from pathlib import Path

import jsonschema
import pytest

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schema" / "audit.json"


def test_a_few_of_one_library(optdsl):
    told = optdsl("audit", "--library", "torch", "rmsprop", "radam", "adam", "--json")
    assert (told.status, told.err) == (0, "")
    document = json.loads(told.out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    found = {row["name"].removeprefix("torch.optim."): row for row in document["rows"]}
    assert found["Adam"]["finding"] == "same"
    assert found["RAdam"]["rule"] == "RAdamTorch"
    assert found["RMSprop"]["finding"] == "variant"
    assert found["RMSprop"]["rule"] == "RMSpropOutside"
    assert found["RMSprop"]["paper"]["rule"] == "RMSprop"
    assert "epsilon stands inside the root" in found["RMSprop"]["note"]
    assert found["Adam(amsgrad=True)"]["rule"] == "AMSGradMaxThenCorrect"


def test_the_matrix_is_for_people_to_read(optdsl):
    told = optdsl("audit", "--library", "torch", "rmsprop", "sparseadam")
    assert "is RMSpropOutside" in told.out
    assert "1 more bear the name of no shipped rule" in told.out


def test_a_library_that_is_not_known(optdsl):
    told = optdsl("audit", "--library", "tensorflow")
    assert told.status == 2
    assert "there are torch, optax" in told.err


#: What is found of each: the finding, and the shipped rule that it is. For torch 2.13 and Optax
#: 0.2.8; read in their source where it says something surprising.
EXPECTED = {
    "torch": {
        "ASGD": ("same in part", "ASGD"),  # the step size it keeps is a step late
        "Adadelta": ("same", "Adadelta"),
        "Adagrad": ("variant", "AdagradOutside"),
        "Adam": ("same", "Adam"),
        "AdamW": ("same", "AdamW"),
        "Adamax": ("variant", "AdaMaxEpsilon"),
        "NAdam": ("variant", "NAdam"),
        "RAdam": ("variant", "RAdamTorch"),
        "RMSprop": ("variant", "RMSpropOutside"),
        "Rprop": ("same", "Rprop"),
        "SGD": ("same", "SGD"),
        "SGD(momentum=0.9)": ("variant", "MomentumOutside"),
        "SGD(momentum=0.9, nesterov=True)": ("same in part", "Nesterov"),
        "SGD(weight_decay=0.1)": ("same", "PenalisedSGD"),
        "RMSprop(momentum=0.9)": ("same", "RMSpropMomentum"),
        "Adam(amsgrad=True)": ("variant", "AMSGradMaxThenCorrect"),
    },
    "optax": {
        "adadelta": ("differs", None),  # without a step size it goes uphill
        "adadelta(learning_rate=1.0)": ("same", "Adadelta"),
        "adagrad": ("differs", None),  # its sums start at 0.1
        "adagrad(initial_accumulator_value=0.0)": ("same", "Adagrad"),
        "adam": ("same", "Adam"),
        "adam(nesterov=True)": ("variant", "NadamDozat"),
        "adamax": ("variant", "AdaMaxEpsilon"),
        "adamw": ("same", "AdamW"),
        "adan": ("differs", None),  # it weighs differences by 1 - b2 where the paper has b2
        "amsgrad": ("variant", "AMSGradCorrectThenMax"),
        "lion": ("same", "Lion"),
        "nadam": ("variant", "NadamDozat"),
        "novograd": ("same", "NovoGrad"),
        "radam": ("same", "RAdam"),
        "rmsprop": ("same", "RMSprop"),
        "rmsprop(eps_in_sqrt=False)": ("variant", "RMSpropOutside"),
        "rmsprop(initial_scale=1.0)": ("variant", "RMSpropTF"),
        "sgd": ("same", "SGD"),
        "sgd(momentum=0.9)": ("variant", "MomentumOutside"),
        "sgd(momentum=0.9, nesterov=True)": ("same in part", "Nesterov"),
        "sign_sgd": ("same", "SignSGD"),
        "signum": ("same", "Signum"),
        "yogi": ("variant", "YogiCorrected"),
    },
    "pytorch_optimizer": {
        "AdaBelief": ("same", "AdaBelief"),
        "Adan": ("variant", "AdanCorrected"),
        "AggMo": ("same", "AggMo"),
        "Lamb": ("differs", None),  # its trust ratio is of moments that are not corrected
        "Lion": ("same", "Lion"),
        "NAdam": ("variant", "NAdam"),
        "RAdam": ("differs", None),  # it takes no step before it adapts
        "RMSprop": ("variant", "RMSpropOutside"),
        "Tiger": ("same", "Tiger"),
        "Yogi": ("variant", "YogiCorrected"),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("library", EXPECTED)
def test_the_matrix(library, optdsl):
    told = optdsl("audit", "--library", library, "--json")
    assert (told.status, told.err) == (0, "")
    document = json.loads(told.out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    found = {
        re.sub(r"^(torch\.optim|optax|pytorch_optimizer)\.", "", row["name"]): row
        for row in document["rows"]
    }
    for name, (finding, rule) in EXPECTED[library].items():
        assert (found[name]["finding"], found[name]["rule"]) == (finding, rule), name


@pytest.mark.slow
def test_disagreements_of_libraries_come_out(optdsl):
    told = optdsl("audit", "rmsprop", "nadam", "radam", "lamb", "adafactor", "--json")
    rows = json.loads(told.out)["rows"]
    most = {}
    for row in rows:
        share = row["displacement"]["most"] or 0.0
        most[row["paper"]["rule"]] = max(share, most.get(row["paper"]["rule"], 0.0))
    for paper in ("RMSprop", "Nadam", "RAdam", "LAMB"):
        assert most[paper] > 0.1, paper


def test_a_name_that_no_library_has_is_misuse(optdsl):
    refused = optdsl("audit", "nothing", "--library", "torch")
    assert (refused.status, refused.out) == (2, "")
    assert "no installed library has `nothing`" in refused.err
