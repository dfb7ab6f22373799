"""Claims on documents and rules, with the verdicts that they must get."""

from __future__ import annotations

import pytest

from optdsl.checks.claims import check_definition
from optdsl.language import parse
from optdsl.library import find, lookup_in, shipped


def findings(text, **options):
    file = parse(text, "<test>")
    return check_definition(file.definitions[-1], lookup_in(file), **options)


def with_claim(header, claim):
    return f"{header.strip()}\n  {claim}\n"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path))


MINE = {
    "Adam": "optimizer Mine extends Adam",
    "Momentum": "optimizer Mine extends Momentum",
    "Nesterov": "optimizer Mine extends Nesterov",
    "RMSprop": "optimizer Mine extends RMSprop",
    "Adagrad": "optimizer Mine extends Adagrad",
    "Adadelta": "optimizer Mine extends Adadelta",
    "AdamW": "optimizer Mine extends AdamW",
    "SGD": "optimizer Mine extends SGD",
    "RAdam": "optimizer Mine extends RAdam",
    "ScheduleFreeSGD": "optimizer Mine extends ScheduleFreeSGD",
    "outside": """
optimizer Mine extends Momentum
  v[t] = gamma*v[t-1] + g[t]
  theta[t] = theta[t-1] - eta*v[t]
""",
    "average": """
optimizer Mine extends Momentum
  v[t] = gamma*v[t-1] + (1 - gamma)*g[t]
  theta[t] = theta[t-1] - eta*v[t]
""",
    "uncorrected": """
optimizer Mine extends Adam
  theta[t] = theta[t-1] - eta*m[t]/(sqrt(v[t]) + epsilon)
""",
    "SGDW": """
optimizer Mine extends Momentum
  hyper lambda as weight_decay = 0.01 in [0, inf)
  theta[t] = theta[t-1] - v[t] - eta*lambda*theta[t-1]
""",
    "penalised Momentum": """
optimizer Mine extends Momentum
  hyper lambda as weight_decay = 0.01 in [0, inf)
  v[t] = gamma*v[t-1] + eta*(g[t] + lambda*theta[t-1])
""",
    "SGDW in two steps": """
optimizer Mine extends Momentum
  hyper lambda as weight_decay = 0.01 in [0, inf)
  moved = theta[t-1] - v[t]
  theta[t] = moved - eta*lambda*moved
""",
    "AMSGrad": """
optimizer Mine extends Adam
  vmax[0] = 0
  vmax[t] = max(vmax[t-1], v[t])
  theta[t] = theta[t-1] - eta*m[t]/(sqrt(vmax[t]) + epsilon)
""",
    "AdaMax": """
optimizer Mine
  hyper alpha in [0, inf)
  hyper beta1 in [0, 1)
  hyper beta2 in [0, 1)
  m[0] = u[0] = 0
  m[t] = beta1*m[t-1] + (1 - beta1)*g[t]
  u[t] = max(beta2*u[t-1], abs(g[t]))
  theta[t] = theta[t-1] - alpha/(1 - beta1^t)*m[t]/u[t]
""",
}

PASS = [
    ("Momentum", "source ruder2016 eq 4"),
    ("Momentum", "source ruder2017-slides eq 1"),
    ("Momentum", "source raschka2021-l12 eq velocity, step where $\\alpha$ = gamma"),
    ("Momentum", "source ruder2017-slides eq momentum-velocity, momentum-theta"),
    ("Momentum", "differs ruder2016 eq 5"),
    ("Nesterov", "source ruder2016 eq 5"),
    ("Nesterov", "differs ruder2016 eq 4"),
    ("outside", "differs ruder2016 eq 4"),
    ("outside", "equals Momentum for constant eta where v = eta*v[t]"),
    (
        "outside",
        'differs raschka2021-l12 eq velocity, step where $\\alpha$ = gamma because "outside"',
    ),
    ("average", "differs Momentum"),
    ("SGDW", "source ruder2017-highlights eq sgdw where $w_t$ = lambda"),
    ("SGDW", "equals Momentum when lambda = 0"),
    ("penalised Momentum", "differs ruder2017-highlights eq sgdw where $w_t$ = lambda"),
    (
        "penalised Momentum",
        "source ruder2017-highlights eq sgdw where $w_t$ = lambda when gamma = 0",
    ),
    ("SGDW in two steps", "differs ruder2017-highlights eq sgdw where $w_t$ = lambda"),
    ("AdamW", "source ruder2017-highlights eq adamw where $w_t$ = lambda"),
    ("Adagrad", "source ruder2016 eq 9, accumulator"),
    ("Adagrad", "differs ruder2016 eq 8, accumulator-component"),
    ("Adagrad", "source ruder2016 eq 8, accumulator-component when epsilon = 0"),
    ("RMSprop", "source ruder2016 eq 18 when gamma = 0.9"),
    ("RMSprop", "source ruder2017-slides eq 12"),
    ("RMSprop", "source ruder2017-slides eq 5, 7, summary-theta when gamma = 0.9"),
    ("RMSprop", "differs raschka2021-l12 eq rmsprop-average, rmsprop-step where $\\beta$ = gamma"),
    ("Adadelta", "source ruder2016 eq 10, rms, 15-17"),
    ("Adadelta", "source ruder2017-slides eq 5, rms, 10-11"),
    ("Adam", "source ruder2016 eq 19-21"),
    ("Adam", "source ruder2017-slides eq 13-15"),
    ("Adam", "source kingma2015 eq algorithm-1 where $\\alpha$ = eta"),
    ("Adam", "differs ruder2016 eq 18"),
    ("uncorrected", "differs ruder2016 eq 19-21"),
    ("AMSGrad", "source ruder2017-highlights eq amsgrad"),
    ("AMSGrad", "source ruder2016-blog eq amsgrad"),
    ("AdaMax", "source kingma2015 eq algorithm-2"),
    (
        "RAdam",
        "source liu2020 eq algorithm-2 where $\\alpha_t$ = eta when epsilon = 0, threshold = 4",
    ),
    (
        "ScheduleFreeSGD",
        "source defazio2024 eq sgd, running-sum "
        "where $\\gamma_t$ = eta, $x_t$ = theta, $z_t$ = theta + d",
    ),
    ("Adadelta", "unreadable ruder2016 eq 11-14, 17"),
    ("SGD", "unreadable ruder2017-highlights eq addsign"),
]


@pytest.mark.parametrize(("mine", "claim"), PASS, ids=[f"{m}: {c}"[:70] for m, c in PASS])
def test_passes(mine, claim):
    (finding,) = findings(with_claim(MINE[mine], claim))
    assert finding.passed, "\n".join(map(str, finding.diagnostics))
    assert not finding.warning, str(finding.verdict)


FAIL = [
    ("Momentum", "source ruder2016 eq 5", "differs"),
    ("Adam", "differs ruder2016 eq 19-21", "proved"),
    ("Adam", "source raschka2021-l12 eq kingma-adam", "not understood"),
    ("SGD", "unreadable ruder2016 eq 1", "agrees"),
    ("SGD", "source ruder2016 eq 99", "not understood"),
    ("SGD", "source nobody eq 1", "not understood"),
    ("SGD", "unreadable ruder2016 eq 99", "not understood"),
    ("SGD", "equals Nobody", "not understood"),
    ("Momentum", "equals SGD when gama = 0", "not understood"),
    ("Momentum", "equals SGD when gamma = 2", "not understood"),
    ("Momentum", "source ruder2016 eq 4 where $\\zeta$ = gamma", "not understood"),
    ("SGD", "source ruder2016 eq 9", "not understood"),
    ("Adam", "source raschka2021-l12 eq ema, adam-average, adam-step", "not understood"),
]


@pytest.mark.parametrize(("mine", "claim", "kind"), FAIL, ids=[c for _, c, _ in FAIL])
def test_fails(mine, claim, kind):
    (finding,) = findings(with_claim(MINE[mine], claim))
    assert not finding.passed
    assert finding.verdict.kind == kind
    assert finding.diagnostics
    assert all(problem.severity == "error" for problem in finding.diagnostics)


@pytest.mark.parametrize("claim", ["equals Adam", "equals Adam when eta = 0", "equals Sign | Adam"])
def test_a_rule_that_is_compared_with_itself_is_told(claim):
    text = (
        "optimizer Adam\n  hyper eta = 0.1 in [0, inf)\n"
        f"  theta[t] = theta[t-1] - eta*sign(g[t])\n  {claim}\n"
    )
    (finding,) = findings(text)
    assert not finding.passed
    (problem,) = finding.diagnostics
    assert problem.code == "claim-of-itself"
    assert problem.hint == "if a shipped `Adam` is meant, give this rule another name"


def test_an_undeclared_symbol_is_named_with_a_hint():
    (finding,) = findings(with_claim(MINE["Adam"], "source raschka2021-l12 eq kingma-adam"))
    (problem,) = finding.diagnostics
    assert "`alpha`" in problem.message
    assert "where alpha = ..." in (problem.hint or "")
    assert problem.span is not None
    assert problem.span.text.startswith("source raschka2021-l12")


@pytest.mark.parametrize(
    ("cites", "place"),
    [("raschka2021-l12 eq stp", "stp"), ("raschka2012-l12 eq step", "raschka2012-l12 eq step")],
)
def test_what_is_cited_and_not_there_is_marked(cites, place):
    text = f"optimizer Mine\n  theta[t] = theta[t-1] - g[t]\n  source {cites}\n"
    (finding,) = findings(text)
    (problem,) = finding.diagnostics
    assert problem.span.text == place


def test_a_verdict_reports_the_starts_that_no_one_states():
    (finding,) = findings(with_claim(MINE["Adam"], "source ruder2016 eq 19-21"))
    assert finding.verdict.starts == ("m[0] = 0", "v[0] = 0")
    (finding,) = findings(with_claim(MINE["Adadelta"], "source ruder2016 eq 10, rms, 15-17"))
    assert any("sqrt(epsilon)" in start for start in finding.verdict.starts)


def test_no_proof_is_a_warning_and_an_error_when_strict():
    hermite = """
optimizer Other extends SGD
  theta[t] = theta[t-1] - eta*floor(2*g[t])

optimizer Mine extends SGD
  theta[t] = theta[t-1] - eta*(floor(g[t]) + floor(g[t] + 1/2))
  equals Other
"""
    (loose,) = findings(hermite)
    assert loose.verdict.kind == "agrees"
    assert loose.passed
    assert loose.warning
    (strict,) = findings(hermite, strict=True)
    assert not strict.passed


def test_a_verdict_is_remembered(tmp_path, monkeypatch):
    text = with_claim(MINE["Adam"], "source ruder2016 eq 19-21")
    (first,) = findings(text)
    (stored,) = tmp_path.rglob("checks/*.json")

    def never(*args, **kwargs):
        raise AssertionError("compared again")

    monkeypatch.setattr("optdsl.checks.cache.compare", never)
    (second,) = findings(text)
    assert second.verdict == first.verdict
    stored.write_text("{")
    with pytest.raises(AssertionError):
        findings(text)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(shipped()))
def test_shipped_claims_hold(name):
    definition, lookup = find(name)
    for finding in check_definition(definition, lookup, strict=True):
        assert finding.passed, "\n".join(map(str, finding.diagnostics))


def in_folder(folder, spec, **documents):
    """Return the verdicts of the claims of a spec that stands beside documents of its own."""
    for name, text in documents.items():
        (folder / f"{name}.tex").write_text(text, encoding="utf-8")
    (folder / "mine.opt").write_text(spec, encoding="utf-8")
    definition, lookup = find(folder / "mine.opt")
    return [finding.verdict.kind for finding in check_definition(definition, lookup)]


DESCENT = """optimizer Mine
  hyper eta as lr = 0.1 in [0, inf)
  theta[t] = theta[t-1] - eta*g[t]
"""


def test_the_gradient_may_have_another_name(tmp_path):
    spec = (
        DESCENT
        + """\
  source own eq a where $G_t$ = g
  source own eq b where $d_t$ = g[t]
  source own eq c where $G_t$ = g
"""
    )
    document = r"""
\begin{equation} \label{a} \theta_t = \theta_{t-1} - \eta G_t \end{equation}
\begin{equation} \label{b} \theta_t = \theta_{t-1} - \eta d_t \end{equation}
\begin{equation} \label{c} \theta_t = \theta_{t-1} - 2 \eta G_t \end{equation}
"""
    assert in_folder(tmp_path, spec, own=document) == ["proved", "proved", "differs"]


def test_a_display_without_a_name_is_cited_by_its_place(tmp_path):
    spec = (
        DESCENT
        + """\
  source own eq display-1
  source own eq second
  differs own eq display-3
"""
    )
    document = r"""
\begin{align} \theta_{t+1} &= \theta_t - \eta g_t \end{align}
\begin{equation} \label{second} \theta_t = \theta_{t-1} - \eta g_t \end{equation}
\[ \theta_t = \theta_{t-1} + \eta g_t \]
"""
    assert in_folder(tmp_path, spec, own=document) == ["proved", "proved", "differs"]


def test_a_hyperparameter_that_a_schedule_gives_keeps_its_name():
    (finding,) = findings(
        """
optimizer Mine
  hyper eta as lr = Linear(T=10) in [0, inf)
  theta[t] = theta[t-1] - eta*g[t]
  equals SGD
"""
    )
    assert finding.verdict.kind == "proved"
    assert finding.verdict.domains[0] == "Linear.eta_0 in [0, inf)"


def test_a_composition_is_called_by_its_text():
    (finding,) = findings(DESCENT.lstrip() + "  equals ClipByNorm(c=1) | RMSprop\n")
    (problem,) = finding.diagnostics
    assert " of ClipByNorm(c=1) | RMSprop: nothing says" in problem.message
