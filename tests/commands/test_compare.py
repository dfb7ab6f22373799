import json
from pathlib import Path

import jsonschema
import pytest

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schema" / "compare.json"


def as_json(told):
    document = json.loads(told.out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")))
    return document


# -------------------------------------------------------------- rules and LaTeX


def test_two_rules(optdsl):
    told = optdsl("compare", "RMSprop", "RMSpropOutside")
    assert told.status == 1
    assert "differs: they part at t = 1" in told.out
    assert "epsilon outside the root" in told.out


def test_two_rules_at_a_constant_step_size(optdsl):
    assert optdsl("compare", "Momentum", "MomentumOutside").status == 1
    told = optdsl("compare", "Momentum", "MomentumOutside", "--constant", "eta")
    assert (told.status, told.err) == (0, "")
    assert "proved for constant eta" in told.out


def test_hyperparameters_of_two_specs_match_by_alias(optdsl, tmp_path):
    (tmp_path / "mine.opt").write_text(
        "optimizer Mine\n"
        "  hyper alpha as lr = 0.01 in [0, inf)\n"
        "  theta[t] = theta[t-1] - alpha*g[t]\n"
    )
    told = optdsl("compare", "SGD", "mine.opt:Mine", "--json")
    assert as_json(told)["verdict"] == "proved"


def test_a_rule_and_a_shipped_document(optdsl):
    told = optdsl("compare", "Adam", "ruder2016.tex:19-21", "--json")
    assert as_json(told)["verdict"] == "proved"
    told = optdsl("compare", "ruder2016.tex:18", "RMSprop", "--when", "gamma = 0.9")
    assert told.status == 0


PAPER = r"""
\begin{equation}
  v_t = \mu v_{t-1} + \alpha \nabla_\theta J(\theta_t)
\end{equation}
and then
\begin{equation}
  \theta_{t+1} = \theta_t - v_t
\end{equation}
"""


def test_a_file_without_labels_is_read_whole(optdsl, tmp_path):
    (tmp_path / "paper.tex").write_text(PAPER)
    told = optdsl("compare", "Momentum", "paper.tex")
    assert told.status == 1
    assert "nothing says what it is in our names" in told.out
    told = optdsl(
        "compare", "Momentum", "paper.tex", "--where", r"$\alpha$ = eta", "--where", r"$\mu$=gamma"
    )
    assert (told.status, "proved" in told.out) == (0, True)


def test_two_files(optdsl, tmp_path):
    (tmp_path / "one.tex").write_text(PAPER)
    other = PAPER.replace("v_t =", "w_t =").replace("v_{t-1}", "w_{t-1}").replace("- v_t", "- w_t")
    (tmp_path / "other.tex").write_text(other)
    assert "proved" in optdsl("compare", "one.tex", "other.tex").out
    (tmp_path / "other.tex").write_text(PAPER.replace("- v_t", "+ v_t"))
    assert "differs" in optdsl("compare", "one.tex", "other.tex").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Adam"], "alone is nothing to compare"),
        (["Adam", "Adan2"], "did you mean `Adan`?"),
        (["Adam", "nothing.tex"], "nothing.tex: no such file"),
        (["Adam", "SGD", "--where", "nonsense"], "write `theirs = ours`"),
        (["Adam", "SGD", "--constant", "zeta"], "`zeta` is no hyperparameter of Adam"),
        (["Adam", "ruder2016.tex:99"], "no equation `99`"),
        (["Adam", "torch.optim.Adan"], "did you mean `Adam`?"),
        (["Adam", "no_such_library.Adam"], "there is no module `no_such_library`"),
        (["Adam", "torch.optim.Adam(lr=lr)"], "not names with numbers or other literals"),
        (["Adam", "torch.optim.Adam(step=1)"], "there is no argument `step`"),
        (["Adam", "math.sqrt"], "nothing that takes steps"),
        (["Adam", "torch.optim.Adam", "--constant", "eta"], "speak of equations"),
        (["Cosine", "torch.optim.Adam"], "Cosine is a schedule"),
        (["Adam", "torch.optim.LBFGS"], "LBFGS raised"),
    ],
)
def test_what_cannot_be_compared_is_said(optdsl, arguments, said):
    told = optdsl("compare", *arguments)
    assert told.status in (1, 2)
    assert said in told.text


# ------------------------------------------------------------- implementations


def test_an_implementation_beside_a_rule(optdsl):
    told = optdsl("compare", "torch.optim.RMSprop", "RMSprop", "--json")
    document = as_json(told)
    assert told.status == 1
    assert document["verdict"] == "differs"
    assert document["nearest"]["rule"] == "RMSpropOutside"
    assert "epsilon" in document["cause"]
    parting = document["partings"][0]
    assert (parting["step"], parting["theta"], parting["gradients"]) == (1, 1.0, [1.0])
    lr, eps, alpha = (parting["values"][name] for name in ("lr", "eps", "alpha"))
    assert parting["first"] == pytest.approx(1 - lr / (1 - alpha + eps) ** 0.5, rel=1e-12)
    assert parting["second"] == pytest.approx(1 - lr / ((1 - alpha) ** 0.5 + eps), rel=1e-12)


def test_an_implementation_alone(optdsl):
    told = optdsl("compare", "torch.optim.RMSprop")
    assert told.status == 0
    assert "torch.optim.RMSprop walks as RMSpropOutside does" in told.out
    assert "with momentum it is RMSpropMomentum" in told.out
    assert "it differs from the paper's RMSprop (ruder2016 eq 18)" in told.out


def test_an_implementation_that_is_the_papers(optdsl):
    told = optdsl("compare", "torch.optim.Adam", "Adam")
    assert told.status == 0
    assert "walks as Adam does" in told.out
    assert "at its default: weight_decay" in told.out


@pytest.mark.slow
def test_a_transformation_of_optax(optdsl):
    document = as_json(optdsl("compare", "optax.radam", "RAdam", "--json"))
    assert document["verdict"] == "agrees"


def test_an_implementation_beside_lines_of_a_document(optdsl):
    told = optdsl("compare", "ruder2016.tex:19-21", "torch.optim.Adam", "--where", "lr = eta")
    assert told.status == 0


def test_two_implementations(optdsl):
    told = optdsl("compare", "torch.optim.NAdam", "optax.nadam")
    assert told.status == 1
    assert "optax.nadam walks as NadamDozat does" in told.out


def test_a_function_in_a_file(optdsl, tmp_path):
    (tmp_path / "mine.py").write_text(
        "def step(theta, g, state, lr=0.1):\n    return theta - lr*g, None\n"
    )
    told = optdsl("compare", "mine.py:step", "SGD")
    assert (told.status, "mine.py:step walks as SGD does" in told.out) == (0, True)
    assert optdsl("compare", "mine:step", "Momentum").status == 1


def test_arguments_stand_behind_the_name(optdsl):
    told = optdsl("compare", "torch.optim.Adam(amsgrad=True)", "AMSGradMaxThenCorrect")
    assert told.status == 0


def test_a_symbol_that_means_nothing_is_said_by_an_option(optdsl):
    refused = optdsl("compare", "Adam", "AdamW")
    assert refused.status == 1
    assert "say what it is in our names: `--where 'lambda = ...'`" in refused.err
