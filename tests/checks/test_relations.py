"""The well-known relations between rules are claims of the shipped specs, and proved.

No file of its own decides them: `equals ... when ...` is decided as every claim is.
"""

import pytest

from optdsl.checks.claims import check_claim
from optdsl.checks.known import claim_text
from optdsl.language import syntax
from optdsl.library import find
from optdsl.model import build

KNOWN = [
    ("Momentum", "equals SGD when gamma = 0"),
    ("Nesterov", "equals SGD when gamma = 0"),
    ("MomentumOutside", "equals Momentum for constant eta where v = eta*v[t]"),
    ("AdamW", "equals Adam when lambda = 0"),
    ("SGDW", "equals Momentum when lambda = 0"),
    ("QHM", "equals SGD when nu = 0"),
    ("QHM", "equals MomentumAverage where gamma = beta when nu = 1"),
    # Ma & Yarats 2019, section 4.1: Nesterov's point of the gradient is where QHM stands.
    ("QHM", "equals Nesterov for constant eta, beta where eta = eta*(1 - beta), gamma = beta, "
            "v = eta*m[t], theta = theta[t] + beta*eta*m[t] when nu = beta"),
    ("QHAdam", "equals Adam when nu1 = 1, nu2 = 1"),
    ("AdamUncorrected", "equals RMSpropOutside where gamma = beta2 when beta1 = 0"),
    ("Adam", "equals AdamUncorrected when beta1 = 0, beta2 = 0"),
    ("AdEMAMix", "equals AdamW when alpha = 0"),
    ("AdagradOutside", "equals Adagrad when epsilon = 0"),
    ("AdaMaxEpsilon", "equals AdaMax when epsilon = 0"),
    ("AdanCorrected", "equals Adam where beta2 = beta3 when beta2 = 0, lambda = 0"),
    ("AggMo", "equals SGD when beta_1 = 0, beta_2 = 0, beta_3 = 0"),
    ("Lion", "equals Tiger where beta = beta1 when beta2 = beta1"),
    ("Lion", "equals SignSGD when beta1 = 0, lambda = 0"),
    ("Signum", "equals SignSGD when beta = 0"),
    ("Nadam", "equals Adam when beta1 = 0"),
    ("NAdam", "equals Adam when beta1 = 0"),
    ("SharpnessAwareSGD", "equals SGD when rho = 0"),
    ("Lookahead", "equals SGD when alpha = 1"),
    ("EMA", "equals SGD when beta = 0"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "relation"), KNOWN)
def test_known_relations_are_claimed_and_proved(rule, relation):
    definition, lookup = find(rule)
    claims = {
        claim_text(claim): claim
        for claim in definition.statements
        if isinstance(claim, syntax.Claim)
    }
    finding = check_claim(claims[relation], build(definition, lookup), lookup)
    assert finding.verdict.kind == "proved"
