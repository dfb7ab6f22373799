"""The table of memory and hyperparameters, beside what the papers and the lecture say."""

import json
from pathlib import Path

import jsonschema
import pytest

from optdsl.library import shipped, single_rules

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schema" / "costs.json"

# Counted in the papers, by hand: numbers kept a parameter, of four bytes each, and
# hyperparameters, epsilon among them. Wrappers stand around SGD.
KNOWN = {
    "SGD": (0, 1),
    "DecayedSGD": (0, 2),  # the step size, the factor
    "PenalisedSGD": (0, 2),
    "SGLD": (0, 1),
    "SignSGD": (0, 1),
    "Polyak": (0, 1),  # the least loss
    "StochasticPolyak": (0, 3),  # with c and the greatest step size
    "Momentum": (1, 2),
    "MomentumOutside": (1, 2),
    "MomentumAverage": (1, 2),
    "Nesterov": (1, 2),
    "SGDW": (1, 3),
    "SGDWAfter": (1, 3),
    "QHM": (1, 3),
    "Signum": (1, 2),
    "Lion": (1, 4),
    "Tiger": (1, 3),
    "PowerSign": (1, 4),  # step size, base, decay of the average, f(t)
    "AddSign": (1, 4),
    "LARS": (1, 4),  # step size, trust, weight decay, momentum
    "LARSGuarded": (1, 4),
    "NovoGrad": (1, 5),  # its second moment is one number a tensor
    "AggMo": (3, 4),  # three velocities, three decays
    "Adagrad": (1, 2),
    "AdagradOutside": (1, 2),
    "Adadelta": (2, 2),  # two averages
    "RMSprop": (1, 3),
    "RMSpropOutside": (1, 3),
    "RMSpropMomentum": (2, 4),
    "RMSpropTF": (2, 4),
    "AdafactorUnfactored": (1, 5),
    "Adafactor": (0, 5),  # a number a row and a number a column
    "MuonWide": (1, 3),
    "MuonTall": (1, 3),
    "MuonNesterovWide": (1, 3),
    "MuonNesterovTall": (1, 3),
    "Shampoo": (0, 2),  # numbers a pair of rows, and a pair of columns
    "Adam": (2, 4),
    "AdamUncorrected": (2, 4),
    "AdamRestarts": (2, 5),
    "AdamW": (2, 5),  # one more than Adam
    "AdaMax": (2, 3),  # no epsilon
    "AdaMaxEpsilon": (2, 4),
    "Nadam": (2, 4),
    "NadamDozat": (2, 4),
    "NAdam": (2, 5),
    "RAdam": (2, 5),  # the threshold of 4 is one here
    "RAdamTorch": (2, 5),
    "AMSGrad": (3, 4),  # two moments, the greatest second one
    "AMSGradMaxThenCorrect": (3, 4),
    "AMSGradCorrectThenMax": (3, 4),
    "AMSGradPrevious": (2, 4),  # in words: the second moment itself is not let fall
    "AdaBelief": (2, 4),
    "AdaBeliefOutside": (2, 4),
    "AdaBeliefBox": (2, 6),  # the two ends of the box
    "Yogi": (2, 4),
    "YogiCorrected": (2, 5),  # a first value of v
    "QHAdam": (2, 6),
    "LAMB": (2, 5),
    "LAMBUnguarded": (2, 5),
    "Adan": (4, 6),  # three averages, the last gradient
    "AdanCorrected": (4, 6),
    "AdEMAMix": (3, 7),
    "MADGRAD": (3, 3),  # two sums, the start
    "SWATS": (3, 5),  # Adam's two and the velocity of SGD
    "LocalGains": (2, 2),  # gains, the last gradient
    "Rprop": (2, 5),  # step sizes, the last gradient
    "RpropMinus": (2, 5),
    "RpropPlus": (3, 5),  # and the last step
    "Prodigy": (4, 5),  # two moments, a sum, the start
    "DAdaptAdam": (3, 5),  # two moments, a sum
    "DAdaptAdamLagged": (3, 5),
    "DAdaptSGD": (2, 3),  # a sum, the start less that sum
    "ScheduleFreeSGD": (1, 2),
    "ScheduleFreeAdamW": (2, 5),  # as AdamW
    "ScheduleFreeAdamWCorrected": (2, 5),
    "AveragedSGD": (1, 1),
    "ASGD": (1, 4),
    "EMA": (1, 2),
    "Lookahead": (1, 3),
    "SAM": (0, 2),
    "SharpnessAwareSGD": (0, 2),
    "SharpnessAwareSGDUnguarded": (0, 2),
    "DecoupledWeightDecay": (0, 2),
    "MaskedDecoupledWeightDecay": (0, 3),
}

# The lecture's table: bytes of n parameters over n, and tunable hyperparameters; epsilon is not.
LECTURE = {
    "SGD": (0, 1),
    "Momentum": (4, 2),
    "Adagrad": (4, 1),
    "RMSpropMomentum": (4, 3),
    "Adam": (8, 3),
    "AdamW": (8, 3),
    "LARS": (4, 3),
}


@pytest.fixture(scope="module")
def costs():
    from optdsl.commands.costs import costs
    from optdsl.library import load_system

    return {name: costs(load_system(name)) for name in optimizers()}


def optimizers():
    return [name for name in single_rules() if shipped()[name].family == "optimizer"]


@pytest.mark.parametrize("name", optimizers())
def test_memory_and_hyperparameters_are_those_of_the_paper(costs, name):
    numbers, hyperparameters = KNOWN[name]
    assert costs[name]["state_bytes_per_parameter"] == 4 * numbers
    assert costs[name]["hyperparameter_count"] == hyperparameters


def test_no_rule_is_known_that_is_not_shipped():
    assert set(KNOWN) == set(optimizers())


def test_the_lecture_is_transcribed(costs):
    said = {
        name: (each["state_bytes_per_parameter"], each["tunable_hyperparameter_count"])
        for name, cost in costs.items()
        for each in cost["said"]
    }
    assert said == LECTURE


def test_what_contradicts_the_equations(costs):
    """RMSprop with momentum keeps 8n bytes; AdamW has one hyperparameter more than Adam."""
    wrong = {n for n, cost in costs.items() if not all(said["agrees"] for said in cost["said"])}
    assert wrong == {"RMSpropMomentum", "AdamW", "LARS"}
    adam, adamw = costs["Adam"], costs["AdamW"]
    assert adamw["tunable_hyperparameter_count"] == adam["tunable_hyperparameter_count"] + 1


def test_the_table_names_every_optimizer_and_the_contradictions(optdsl):
    told = optdsl("info")
    assert told.status == 0
    lines = [line.split() for line in told.out.splitlines() if line.strip()]
    cells = {line[0].rstrip("*"): line[1:] for line in lines}
    assert cells["RMSprop"] == ["4", "2", "3", "1", "20", "0.652"]
    assert set(optimizers()) <= set(cells)
    assert "RMSprop 4 bytes a parameter, where the equations have 8" in told.out
    assert "AdamW 3 tunable hyperparameters, where the equations have 4" in told.out


def test_one_rule_says_what_contradicts_it(optdsl):
    assert "where the equations have 8" in " ".join(optdsl("info", "RMSpropMomentum").out.split())
    assert "contradicted" not in optdsl("info", "Adam").out


def test_the_table_as_json(optdsl):
    document = json.loads(optdsl("info", "--json").out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    rules = {rule["name"]: rule for rule in document["optimizers"]}
    assert set(rules) == set(optimizers())
    (said,) = rules["RMSpropMomentum"]["said"]
    assert (said["state_bytes_per_parameter"], said["agrees"]) == (4, False)
