"""Every shipped rule arrives where it should, on a parabola and in the valley of Rosenbrock."""

import jax
import pytest

from optdsl.library import shipped
from tests.optax.landscapes import LANDSCAPES, distance

OPTIMIZERS = [name for name, each in shipped().items() if each.family == "optimizer"]
NEAR = 0.03

#: The first rate on the parabola, and in the valley; None for a rule without a rate.
RATES = {
    "Shampoo": (10.0, 1.0),
    "Adadelta": (None, None),
    "AdafactorUnfactored": (0.3, 0.01),
    "Adafactor": (0.3, 0.01),
    "Adagrad": (10.0, 1.0),
    "AdagradOutside": (10.0, 1.0),
    "AdamW": (10.0, 0.003),
    "AveragedSGD": (1.0, 0.003),
    "ASGD": (0.3, 0.003),
    "EMA": (1.0, 0.003),
    "DecoupledWeightDecay": (0.3, 0.003),
    "MaskedDecoupledWeightDecay": (0.3, 0.003),
    "Lookahead": (0.3, 0.003),
    "QHM": (3.0, 0.01),
    "RAdam": (0.3, 0.003),
    "RAdamTorch": (1.0, 0.001),
    "RpropPlus": (10.0, 0.001),
    "SAM": (0.01, 0.003),
    "SharpnessAwareSGD": (0.01, 0.003),
    "SharpnessAwareSGDUnguarded": (0.003, 0.003),
    "ScheduleFreeSGD": (3.0, 0.003),
    "ScheduleFreeAdamWCorrected": (1.0, 0.03),
    "SGD": (0.3, 0.003),
    "DecayedSGD": (0.3, 0.003),
    "PenalisedSGD": (0.3, 0.003),
    "PowerSign": (0.1, 0.001),
    "AddSign": (0.3, 0.001),
}

#: What else they are given.
ARGUMENTS = {
    "Adadelta": {"eps": 1e-5},
    "DecayedSGD": {"factor": 1.0},
    "DecoupledWeightDecay": {"weight_decay": 0.0},
    "EMA": {"decay": 0.9},
    "MaskedDecoupledWeightDecay": {"weight_decay": 0.0},
    "PenalisedSGD": {"weight_decay": 0.0},
    "Polyak": {"f_min": 0.0},
    "SAM": {"rho": 1e-3},
    "SharpnessAwareSGD": {"rho": 1e-3},
    "SharpnessAwareSGDUnguarded": {"rho": 1e-3},
    "StochasticPolyak": {"f_min": 0.0},
}

#: Those that cannot come as near, and how near they come.
FARTHER = {
    ("Adadelta", "rosenbrock"): 1.2,  # its steps are as short as its last ones were
    ("AveragedSGD", "rosenbrock"): 0.2,  # the first points weigh as much as the last
    ("SharpnessAwareSGDUnguarded", "parabola"): 0.6,  # undefined at the least value itself
}
NEVER = {"SGLD": "it samples around the least value"}


def check(rule, landscape):
    rate = RATES[rule][list(LANDSCAPES).index(landscape)]
    end = jax.jit(lambda: distance(rule, landscape, rate, ARGUMENTS.get(rule, {})))()
    assert float(end) <= FARTHER.get((rule, landscape), NEAR)


def test_every_rule_is_in_the_table():
    assert set(RATES) | set(NEVER) == set(OPTIMIZERS)


@pytest.mark.parametrize("landscape", LANDSCAPES)
def test_adam_arrives(landscape):
    check("Adam", landscape)


@pytest.mark.slow
@pytest.mark.parametrize("landscape", LANDSCAPES)
@pytest.mark.parametrize("rule", RATES)
def test_every_rule_arrives(rule, landscape):
    check(rule, landscape)
