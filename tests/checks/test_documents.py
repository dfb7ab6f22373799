"""What the checker must find in the first five documents: each row of the project's table.

A row names claims of a rule, the verdict of each, and for a difference the step at which the
sides part. Most of these claims stand in the shipped specs, too.
"""

from __future__ import annotations

import json

import pytest

from optdsl.checks.claims import check_definition
from optdsl.commands import main
from optdsl.language import parse
from optdsl.library import load_system, lookup_in

BELOW = {
    "Written": """
optimizer Written
  hyper gamma   = 0.9  in [0, 1)
  hyper epsilon = 1e-6 in [0, inf)
  G[0] = D[0] = 0
  G[t] = gamma*G[t-1] + (1 - gamma)*g[t]^2
  d = -sqrt(D[t-1] + epsilon)/sqrt(G[t] + epsilon)*g[t]
  D[t] = gamma*D[t-1] + (1 - gamma)*d^2
  theta[t] = theta[t-1] + d
""",
    "Ahead": """
optimizer Ahead extends Nesterov
  g[t] = grad(theta[t-1])
  theta[t] = theta[t-1] - gamma*v[t] - eta*g[t]
""",
    "AheadNext": """
optimizer AheadNext extends Nesterov
  g[t] = grad(theta[t-1])
  theta[t] = theta[t-1] - gamma[t+1]*v[t] - eta*g[t]
""",
    "EtaToTheT": """
optimizer EtaToTheT extends Adam
  theta[t] = theta[t-1] - eta^t*mhat/(sqrt(vhat) + epsilon)
""",
    "NadamPrevious": """
optimizer NadamPrevious extends Adam
  mhat[0] = 0
  mbar = beta1*mhat[t-1] + (1 - beta1)*g[t]/(1 - beta1^t)
  theta[t] = theta[t-1] - eta*mbar/(sqrt(vhat) + epsilon)
""",
    "HalfCosine": """
schedule HalfCosine extends WarmRestarts
  eta[t] = 0.5 + 0.5*cos(T_cur[t]/T_i[t]*pi)
""",
    "NextEpoch": """
schedule NextEpoch extends WarmRestarts
  N[0] = T_0
  N[t] = N[t-1] + T_i[t] if restart
  eta[t] = eta_min + 1/2*(eta_max - eta_min)*(1 + cos(T_cur[t]/N[t]*pi))
""",
}  # fmt: skip

PROVED, NOT_UNDERSTOOD = "proved", "not understood"
CORRECTED = "ruder2016-blog eq adam-moments, adam-corrections"
RMSPROP_L12 = "raschka2021-l12 eq rmsprop-average, rmsprop-step where $\\beta$ = gamma"
SGDR_NAMES = "where $T_{cur}$ = T_cur[t], $T_i$ = T_i[t]"
EFFICIENT = (
    "kingma2015 eq first-moment, second-moment, efficient-order "
    "where $\\alpha$ = eta, $\\hat{\\epsilon}$ ="
)
ADAM_L12 = (
    "raschka2021-l12 eq ema, adam-average, adam-step where $\\alpha$ = beta1, $\\beta$ = beta2"
)

#: Of each row: the rule that claims, the claim, the verdict (a number: differs at this step).
ROWS: dict[str, list[tuple[str, str, str | int]]] = {
    "momentum of the papers": [
        ("Momentum", "source ruder2016 eq 4", PROVED),
        ("Momentum", "source ruder2017-slides eq 1", PROVED),
        ("Momentum", "source raschka2021-l12 eq velocity, step where $\\alpha$ = gamma", PROVED),
    ],
    "momentum against Nesterov": [("Momentum", "differs ruder2016 eq 5", 2)],
    "momentum against that of PyTorch": [
        ("MomentumOutside", "differs ruder2016 eq 4", 2),
        ("MomentumOutside", "equals Momentum for constant eta where v = eta*v[t]", PROVED),
    ],
    "the lecture's velocity against its average": [
        (
            "MomentumAverage",
            "source raschka2021-l12 eq ema where $\\alpha$ = gamma gives m",
            PROVED,
        ),
        ("MomentumAverage", "differs Momentum", 1),
        (
            "MomentumAverage",
            "equals Momentum for constant eta, gamma where eta = eta*(1 - gamma)",
            PROVED,
        ),
    ],
    "momentum in the slides' summary": [
        (
            "Momentum",
            "source ruder2017-slides eq momentum-velocity, summary-momentum, summary-theta",
            PROVED,
        )
    ],
    "no weight decay": [
        ("SGDW", "equals Momentum when lambda = 0", PROVED),
        ("AdamW", "equals Adam when lambda = 0", PROVED),
    ],
    "decay as a factor and as a penalty": [
        ("PenalisedSGD", "equals DecayedSGD where w = 1 - eta*lambda", PROVED),
        ("PenalisedSGD", "equals WeightDecay | SGD", PROVED),
    ],
    "the same for momentum and Adam": [
        ("SGDW", "differs WeightDecay | Momentum", 2),
        ("AdamW", "differs WeightDecay | Adam", 1),
    ],
    "SGDW against a penalty within momentum": [
        ("SGDW", "differs WeightDecay | Momentum", 2),
        ("SGDW", "equals WeightDecay | Momentum when gamma = 0", PROVED),
    ],
    "SGDW as printed against its prose": [
        ("SGDW", "source ruder2017-highlights eq sgdw where $w_t$ = lambda", PROVED),
        ("SGDWAfter", "differs ruder2017-highlights eq sgdw where $w_t$ = lambda", 1),
    ],
    "a factor near 1 against a term near 0": [
        ("SGDW", "differs DecayedSGD where w = lambda when gamma = 0", 1),
        ("SGDW", "equals DecayedSGD where w = 1 - eta*lambda when gamma = 0", PROVED),
    ],
    "Adagrad's epsilon": [
        ("Adagrad", "source ruder2016 eq 9, accumulator", PROVED),
        ("Adagrad", "source ruder2016-blog eq adagrad, accumulator", PROVED),
        ("Adagrad", "differs ruder2016 eq 8, accumulator-component", 1),
        ("Adagrad", "source ruder2016 eq 8, accumulator-component when epsilon = 0", PROVED),
    ],
    "RMSprop": [
        ("RMSprop", "source ruder2016 eq 18 when gamma = 0.9", PROVED),
        ("RMSprop", "source ruder2017-slides eq 12 when gamma = 0.9", PROVED),
        ("RMSprop", "source ruder2016 eq 10, 13, step when gamma = 0.9", PROVED),
    ],
    "RMSprop of the lecture": [
        ("RMSpropOutside", f"source {RMSPROP_L12}", PROVED),
        ("RMSpropOutside", "differs ruder2016 eq 18 when gamma = 0.9", 1),
        ("RMSprop", f"differs {RMSPROP_L12}", 1),
    ],
    "Adadelta": [
        ("Adadelta", "source ruder2016 eq 10, rms, 15-17", PROVED),
        ("Adadelta", "source ruder2017-slides eq 5, rms, 10-11", PROVED),
        ("Adadelta", "unreadable ruder2016 eq 11-14, 17", NOT_UNDERSTOOD),
    ],
    "Adadelta with its root written out": [
        ("Written", "differs ruder2016 eq 10, rms, 15-17", 1),
        ("Written", "source ruder2016 eq 10, rms, 15-17 for constant epsilon", PROVED),
    ],
    "Adam": [
        ("Adam", "source ruder2016 eq 19-21", PROVED),
        ("Adam", f"source {CORRECTED}, adam", PROVED),
        ("Adam", "source ruder2017-slides eq 13-15", PROVED),
    ],
    "Adam as Kingma and Ba print it": [
        ("Adam", "source raschka2021-l12 eq kingma-adam where $\\alpha$ = eta", PROVED),
    ],
    "the lecture's own Adam": [
        ("AdamUncorrected", f"source {ADAM_L12}", NOT_UNDERSTOOD),
        ("AdamUncorrected", f"source {ADAM_L12}, $\\text{{MeanSquare}}_w$ = v[t]", PROVED),
        ("Adam", f"differs {ADAM_L12}, $\\text{{MeanSquare}}_w$ = v[t]", 1),
    ],
    "the lecture's Adam without momentum": [
        ("AdamUncorrected", "equals RMSpropOutside where gamma = beta2 when beta1 = 0", PROVED),
    ],
    "uncorrected Adam without momentum": [
        ("AdamUncorrected", "differs ruder2016 eq 18 when beta1 = 0, beta2 = 0.9", 1),
    ],
    "Adam in the more efficient order": [
        ("Adam", f"differs {EFFICIENT} epsilon", 1),
        ("Adam", f"source {EFFICIENT} epsilon*sqrt(1 - beta2^t)", PROVED),
    ],
    "Adam beside AdaBelief": [
        (
            "Adam",
            "unreadable raschka2021-l12 eq adabelief-adam where $\\alpha$ = eta",
            NOT_UNDERSTOOD,
        ),
    ],
    "AdaBelief against Adam": [("AdaBelief", "differs Adam", 1)],
    "AdaBelief's epsilon out of the recurrence": [
        ("AdaBeliefOutside", "equals AdaBelief for constant epsilon, beta2", PROVED),
        ("AdaBeliefOutside", "differs AdaBelief", 2),
    ],
    "AdaMax in the blog": [
        ("AdaMax", "unreadable ruder2016-blog eq adamax-max", NOT_UNDERSTOOD),
        ("AdaMax", f"differs {CORRECTED}, adamax-max, adamax", 2),
        (
            "AdaMax",
            "source ruder2016-blog eq adam-first-moment, adam-first-correction, adamax-max, adamax "
            "where $v_t$ = u[t]",
            PROVED,
        ),
    ],
    "a power of infinity": [
        (
            "AdaMax",
            "differs ruder2016-blog eq adam-first-moment, adam-first-correction, adamax-limit, "
            "adamax where $v_t$ = u[t]",
            1,
        )
    ],
    "the blog's way to Nadam": [
        ("Adam", f"source {CORRECTED}, nadam-expanded", PROVED),
        ("Adam", f"differs {CORRECTED}, nadam-previous", 2),
        ("NadamPrevious", f"source {CORRECTED}, nadam-previous", PROVED),
        ("NadamPrevious", f"differs {CORRECTED}, nadam", 1),
        ("Nadam", f"source {CORRECTED}, nadam", PROVED),
    ],
    "Nadam of Ruder and of Dozat": [("NadamDozat", "differs Nadam", 1)],
    "AMSGrad": [
        ("AMSGrad", "source ruder2016-blog eq amsgrad", PROVED),
        ("AMSGrad", "source ruder2017-highlights eq amsgrad", PROVED),
    ],
    "AMSGrad with a correction": [
        ("AMSGradMaxThenCorrect", "differs ruder2016-blog eq amsgrad", 1),
        ("AMSGradCorrectThenMax", "differs ruder2016-blog eq amsgrad", 1),
        ("AMSGradCorrectThenMax", "differs AMSGradMaxThenCorrect", 2),
    ],
    "AMSGrad's prose": [("AMSGradPrevious", "differs ruder2016-blog eq amsgrad", 3)],
    "sign rules without decay": [
        ("PowerSign", "equals SGD where eta = 1 when eta = 1, f = 0", PROVED),
        ("AddSign", "equals SGD where eta = 0 when alpha = 0, f = 0", PROVED),
    ],
    "AddSign in the highlights": [
        ("AddSign", "unreadable ruder2017-highlights eq addsign", NOT_UNDERSTOOD),
        (
            "AddSign",
            "source ruder2017-slides eq 17 where $f(t)$ = f, $m$ = m[t] gives u",
            PROVED,
        ),
    ],
    "restarts for Adam": [
        ("WarmRestarts", "equals HalfCosine when eta_min = 0, eta_max = 1", PROVED),
        (
            "WarmRestarts",
            f"unreadable ruder2017-highlights eq adam-restarts {SGDR_NAMES}",
            NOT_UNDERSTOOD,
        ),
    ],
    "a length against the epoch of the next restart": [("WarmRestarts", "differs NextEpoch", 3)],
    "halving": [("Halving", "equals Exponential for constant eta_0 where k = log(2)", PROVED)],
    "decay by steps": [
        (
            "Step",
            "differs raschka2021-l12 eq exponential "
            "where $\\eta_0$ = eta_0/gamma, $k$ = -log(gamma)",
            2,
        )
    ],
    "the look-ahead point in place of theta": [
        ("Nesterov", "equals Ahead for constant gamma where theta = theta[t] - gamma*v[t]", PROVED),
        ("Nesterov", "equals AheadNext where theta = theta[t] - gamma[t+1]*v[t]", PROVED),
        ("Nesterov", "differs Ahead where theta = theta[t] - gamma*v[t]", 2),
    ],
    "Adam in the slides' summary": [
        ("Adam", "source ruder2017-slides eq 13-14, summary-adam, summary-theta", PROVED),
        ("EtaToTheT", "differs ruder2017-slides eq 13-14, summary-adam, summary-theta", 2),
    ],
    "the lecture's local gains": [
        ("LocalGains", "unreadable raschka2021-l12 eq gain-step, gain", NOT_UNDERSTOOD),
    ],
}


def finding(rule: str, claim: str):
    """Check one claim of a shipped rule, or of one of those above."""
    others = "\n".join(BELOW.values())
    family = load_system(rule).family if rule not in BELOW else BELOW[rule].split()[0]
    file = parse(f"{others}\n{family} Mine extends {rule}\n  {claim}\n", "<test>")
    (found,) = check_definition(file.definitions[-1], lookup_in(file))
    return found


CLAIMS = [(row, *claim) for row, claims in ROWS.items() for claim in claims]


@pytest.mark.parametrize(
    ("rule", "claim", "verdict"),
    [claim[1:] for claim in CLAIMS],
    ids=[f"{row}-{number}" for number, (row, *_) in enumerate(CLAIMS)],
)
def test_row(rule, claim, verdict):
    found = finding(rule, claim)
    text = "\n".join([str(found.verdict), *map(str, found.diagnostics)])
    undeclared = verdict == NOT_UNDERSTOOD and claim.startswith("source")
    assert found.passed is not undeclared, text
    assert not found.warning, text
    if isinstance(verdict, int):
        assert found.verdict.counterexample.step == verdict, text
    else:
        assert found.verdict.kind == verdict, text


def test_a_root_that_is_not_stated_starts_where_its_equation_says():
    starts = finding("Adadelta", "source ruder2016 eq 10, rms, 15-17").verdict.starts
    assert any("sqrt(epsilon)" in start for start in starts)


def test_a_caret_stands_at_the_bracket_that_nothing_closes():
    reason = finding("AddSign", "unreadable ruder2017-highlights eq addsign").verdict.reason
    assert "`)` closes nothing" in reason


def told(name, capsys):
    with pytest.raises(SystemExit):
        main(["info", name, "--json"])
    return json.loads(capsys.readouterr().out)


def test_the_lectures_table_contradicts_the_equations(capsys):
    assert told("RMSprop", capsys)["state_bytes_per_parameter"] == 4
    assert told("RMSpropMomentum", capsys)["state_bytes_per_parameter"] == 8
    adam, decayed = (told(name, capsys)["hyperparameters"] for name in ("Adam", "AdamW"))
    assert {h["name"] for h in decayed} - {h["name"] for h in adam} == {"lambda"}
