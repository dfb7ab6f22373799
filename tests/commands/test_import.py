"""`optdsl import`: drafts of specs from LaTeX, each proved to be what the LaTeX says."""

import re

import pytest

from optdsl.language import syntax
from optdsl.latex import load_document
from optdsl.latex.documents import expand
from optdsl.library import find, shipped

ADAM = r"""
\begin{align}
m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
\hat{m}_t &= \frac{m_t}{1 - \beta_1^t} \\
\hat{v}_t &= \frac{v_t}{1 - \beta_2^t} \\
\theta_{t+1} &= \theta_t - \frac{\eta}{\sqrt{\hat{v}_t} + \epsilon} \hat{m}_t
\end{align}
"""

ADAM_BLOCK = r"""
\begin{algorithm}[t]
\caption{Adam}
\begin{algorithmic}[1]
\Require $\alpha$: step size; $\beta_1, \beta_2 \in [0, 1)$; $m_0 = 0$, $v_0 = 0$
\While{$\theta_t$ not converged}
  \State $g_t \gets \nabla_\theta f_t(\theta_{t-1})$
  \State $m_t \gets \beta_1 \cdot m_{t-1} + (1 - \beta_1) \cdot g_t$
  \State $v_t \gets \beta_2 v_{t-1} + (1 - \beta_2) g_t^2$
  \State $\hat m_t \gets m_t/(1 - \beta_1^t)$ and $\hat v_t \gets v_t/(1 - \beta_2^t)$
  \State $\theta_t \gets \theta_{t-1} - \alpha \hat m_t/(\sqrt{\hat v_t} + \epsilon)$
\EndWhile
\State \Return $\theta_t$
\end{algorithmic}
\end{algorithm}
"""

ADAMW = ADAM.replace(r"\hat{m}_t" + "\n\\end", r"\hat{m}_t - \eta \lambda \theta_t" + "\n\\end")

NESTEROV = r"""
\[ v_t = \gamma v_{t-1} + \eta \nabla_\theta J(\theta_t - \gamma v_{t-1}), \quad
\theta_{t+1} = \theta_t - v_t \]
"""

AMSGRAD = r"""
m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
\hat{v}_t &= \max(\hat{v}_{t-1}, v_t) \\
\theta_{t+1} &= \theta_t - \frac{\eta}{\sqrt{\hat{v}_t} + \epsilon} m_t
"""

MACROS = r"""
\newcommand{\ema}[3]{#1 #2_{t-1} + (1 - #1) #3}
\newcommand{\grad}{\nabla_\theta f_t}
\DeclareMathOperator{\sgn}{sign}
\begin{align}
m_t &= \ema{\beta_1}{m}{\grad(\theta_{t-1})} \\
\theta_t &= \theta_{t-1} - \alpha \sgn(m_t)
\end{align}
"""

LION = r"""
\begin{algorithmic}
\State $m_0 \gets 0$
\For{$t = 1, \dots, T$}
\State $g_t \gets \nabla_\theta f(\theta_{t-1})$
\State $c_t \gets \beta_1 m_{t-1} + (1 - \beta_1) g_t$
\State $\theta_t \gets \theta_{t-1} - \eta_t (\operatorname{sign}(c_t) + \lambda \theta_{t-1})$
\State $m_t \gets \beta_2 m_{t-1} + (1 - \beta_2) g_t$
\EndFor
\end{algorithmic}
"""

ADABELIEF = r"""
\begin{align*}
g_t &= \nabla_\theta f(\theta_{t-1}) \\
m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
s_t &= \beta_2 s_{t-1} + (1 - \beta_2) (g_t - m_t)^2 + \epsilon \\
\hat{m}_t &= \frac{m_t}{1 - \beta_1^t}, \quad \hat{s}_t = \frac{s_t}{1 - \beta_2^t} \\
\theta_t &= \Pi_{\mathcal{F}, \sqrt{\hat{s}_t}} \left(\theta_{t-1} - \frac{\alpha \hat{m}_t}{\sqrt{\hat{s}_t} + \epsilon}\right)
\end{align*}
"""  # noqa: E501

#: A file, what is said of its symbols, and what `equals` a shipped rule must prove of the draft.
PAPERS = {
    "adam": (ADAM, [], "equals Adam"),
    "adam-block": (ADAM_BLOCK, [], "equals Adam where eta = alpha"),
    "adamw": (ADAMW, [], "equals AdamW"),
    "nesterov": (NESTEROV, [], "equals Nesterov"),
    "amsgrad": (AMSGRAD, [], "equals AMSGrad"),
    "lion": (LION, [], "equals Lion"),
    "adabelief": (ADABELIEF, [r"$\Pi(x)$ = x"], "equals AdaBelief where eta = alpha"),
    "macros": (MACROS, [], "equals Signum where eta = alpha, beta = beta1"),
}


@pytest.mark.parametrize("paper", PAPERS)
def test_a_draft_is_the_rule_that_its_paper_means(optdsl, tmp_path, paper):
    latex, where, relation = PAPERS[paper]
    (tmp_path / f"{paper}.tex").write_text(latex)
    said = [word for one in where for word in ("--where", one)]
    done = optdsl("import", f"{paper}.tex", "-o", "mine.opt", *said)
    assert done.status == 0, done.text
    assert "proved" in done.out
    draft = (tmp_path / "mine.opt").read_text()
    assert "TODO" not in draft
    assert optdsl("fmt", "--check", "mine.opt").status == 0
    assert optdsl("compile", "mine.opt", "-o", "build", "-t", "reference").status == 0
    (tmp_path / "mine.opt").write_text(f"{draft}  {relation}\n")
    checked = optdsl("check", "--strict", "mine.opt")
    assert checked.status == 0, checked.text
    assert "2 claims of 1 rule" in checked.out


def imported(optdsl, tmp_path, latex, *options, name="paper.tex"):
    (tmp_path / name).write_text(latex)
    done = optdsl("import", name, "-o", "mine.opt", *options)
    path = tmp_path / "mine.opt"
    return done, path.read_text() if path.exists() else None


def test_roles_give_defaults_domains_and_aliases(optdsl, tmp_path):
    _, draft = imported(optdsl, tmp_path, ADAMW)
    hypers = [" ".join(line.split()) for line in draft.splitlines() if "hyper" in line]
    assert hypers == [
        'hyper eta as lr = 0.001 in [0, inf) "step size"',
        'hyper beta1 as betas[1] = 0.9 in [0, 1) "decay of m"',
        'hyper beta2 as betas[2] = 0.999 in [0, 1) "decay of v"',
        'hyper epsilon as eps = 1e-8 in [0, inf) "keeps the division finite"',
        'hyper lambda as weight_decay = 0.01 in [0, inf) "strength of the weight decay"',
    ]


@pytest.mark.parametrize(
    ("latex", "hyper"),
    [
        (r"\theta_{t+1} = \theta_t - \gamma g_t", "gamma as lr = 0.01"),
        (
            r"\begin{eqnarray} v_{k+1} &=& \mu v_k - \varepsilon \nabla f(x_k + \mu v_k) \\"
            r"x_{k+1} &=& x_k + v_{k+1} \end{eqnarray}",
            "mu as momentum = 0.9",
        ),
        (r"\theta_{t+1} = \theta_t - a g_t", "a as lr = 0.01"),
        (r"v_t = \gamma v_{t-1} + g_t \\ \theta_{t+1} = \theta_t - v_t", "gamma as momentum = 0.9"),
        (
            r"v_{t+1} = \mu v_t - \varepsilon \nabla f(\theta_t + \mu v_t) \\"
            r"\theta_{t+1} = \theta_t + v_{t+1}",
            "epsilon as lr = 0.01",
        ),
        (
            r"v_t = \rho v_{t-1} + (1-\rho) g_t^2 \\"
            r"\theta_{t+1} = \theta_t - \alpha g_t / \sqrt{v_t}",
            "rho = 0.9",
        ),
    ],
)
def test_the_part_decides_not_the_letter(optdsl, tmp_path, latex, hyper):
    done, draft = imported(optdsl, tmp_path, latex)
    assert done.status == 0, done.text
    assert any(f"hyper {hyper} " in " ".join(line.split()) for line in draft.splitlines()), draft


INVENTED = r"""
A rule of ours:
\begin{align}
a_t &= \kappa a_{t-1} + |g_t|^q \label{memory} \\
x_{t+1} &= x_t - \eta \frac{g_t}{(a_t + c)^{1/q}} \label{move}
\end{align}
"""


def test_a_part_that_is_not_known_is_marked(optdsl, tmp_path):
    done, draft = imported(optdsl, tmp_path, INVENTED, "--where", "$x$ = theta")
    assert done.status == 0, done.text
    assert "marked TODO: kappa, q, c" in done.out
    assert draft.count("# TODO: give") == 3
    assert "source paper eq memory, move where $x$ = theta" in draft
    assert optdsl("check", "mine.opt").status == 0
    assert optdsl("fmt", "--check", "mine.opt").status == 0


def test_a_file_beside_the_spec_is_its_source_where_it_can_be(optdsl, tmp_path):
    imported(optdsl, tmp_path, INVENTED, "--where", "$x$ = theta")
    assert not (tmp_path / "mine.tex").exists()
    (tmp_path / "paper.tex").write_text(INVENTED.replace("g_t}{", "g_t^2}{"))
    broken = optdsl("check", "mine.opt")
    assert broken.status == 1, "the claim reads the file beside the spec"


def test_elsewhere_the_equations_are_kept_beside_the_spec(optdsl, tmp_path):
    (tmp_path / "far").mkdir()
    done, draft = imported(optdsl, tmp_path, ADAM, name="far/adam.tex")
    assert done.status == 0, done.text
    assert "source mine eq display-1" in draft
    (tmp_path / "far" / "adam.tex").unlink()
    assert optdsl("check", "mine.opt").status == 0
    assert r"\frac{\eta}{\sqrt{\hat{v}_t} + \epsilon}" in (tmp_path / "mine.tex").read_text()


SEVERAL = (
    r"""
\begin{equation} \label{velocity} v_t = \gamma v_{t-1} + \eta g_t \end{equation}
\begin{equation} \label{momentum} \theta_{t+1} = \theta_t - v_t \end{equation}
\begin{equation} \label{decay} \eta_t = \eta_{\max}/\sqrt{t} \end{equation}
"""
)  # fmt: skip
SECOND = r"\begin{equation} \label{descent} \theta_{t+1} = \theta_t - \eta g_t \end{equation}"


def test_what_the_update_does_not_read_is_left_out(optdsl, tmp_path):
    unread = r"\begin{equation} \label{other} r_t = r_{t-1} + g_t \end{equation}"
    done, draft = imported(optdsl, tmp_path, SEVERAL.replace(r"\eta g", r"\eta_t g") + unread)
    assert done.status == 0, done.text
    assert "left out: other" in done.out
    assert "eq velocity, momentum, decay" in draft


def test_of_several_rules_one_is_chosen(optdsl, tmp_path):
    refused, draft = imported(optdsl, tmp_path, SEVERAL + SECOND)
    assert refused.status == 1
    assert draft is None
    assert "2 updates of the parameter: `momentum`, `descent`" in refused.err
    assert "--eq" in refused.err
    done, draft = imported(optdsl, tmp_path, SEVERAL + SECOND, "--eq", "velocity, momentum")
    assert done.status == 0, done.text
    assert "eq velocity, momentum\n" in draft


@pytest.mark.parametrize(
    ("latex", "code", "said"),
    [
        (r"m_t = \beta m_{t-1} + g_t", "no-update", "no parameter is updated"),
        (r"\theta_{t+1} = (1 - \lambda) \theta_t", "no-gradient", "reads no gradient"),
        (r"\theta_{t+1} = \theta_t - \eta \hat{m}_t g_t", "undefined-symbol", "no equation sets"),
        (r"\theta_{t+1} = \theta_t - \eta \foo{g_t}", "latex-command", r"`\foo` is not understood"),
        (r"\begin{align} \theta_{t+1} = \theta_t", "latex-unbalanced", "is missing"),
        ("% nothing", "latex-no-equation", "no displayed equation"),
        (r"We take $m_t = g_t$ here.", "latex-no-equation", "no displayed equation"),
        (r"\theta_{t+1} = \theta_t - f(g_t)", "latex-", "f"),
    ],
)
def test_what_cannot_be_read_writes_nothing(optdsl, tmp_path, latex, code, said):
    refused, draft = imported(optdsl, tmp_path, latex)
    assert refused.status == 1, refused.text
    assert f"error[{code}" in refused.err
    assert said in refused.err
    assert "^" in refused.err
    assert draft is None
    assert [path.name for path in tmp_path.iterdir() if path.suffix] == ["paper.tex"]


def test_all_that_is_missing_is_told_and_who_has_it(optdsl, tmp_path):
    step = r"\[ \theta_{t+1} = \theta_t - \eta \hat{m}_t \bar{v}_t g_t \]"
    refused, _ = imported(optdsl, tmp_path, step + r"\[ \hat{m}_t = 2 g_t \]", "--eq", "display-1")
    assert refused.err.count("error[undefined-symbol]") == 2
    assert "display-2 sets it: name it with --eq, too" in refused.err


def test_force_leaves_files_alone_that_are_someones_own(optdsl, tmp_path):
    (tmp_path / "mine.tex").write_text("my thesis")
    done, draft = imported(optdsl, tmp_path, ADAM, "--force")
    assert done.status == 0, done.text
    assert (tmp_path / "mine.tex").read_text() == "my thesis"
    assert "source mine-source eq" in draft


def test_nothing_is_overwritten_without_force(optdsl, tmp_path):
    (tmp_path / "mine.opt").write_text("precious")
    refused, draft = imported(optdsl, tmp_path, ADAM)
    assert (refused.status, draft) == (2, "precious")
    assert not (tmp_path / "mine.tex").exists()
    done, draft = imported(optdsl, tmp_path, ADAM, "--force")
    assert done.status == 0, done.text
    assert "optimizer Mine" in draft


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--eq", "nonsense"], "has no equation `nonsense`"),
        (["--where", "x"], "--where x"),
        (["--name", "a b"], "cannot name a rule"),
        (["--gives", "u"], "--family"),
    ],
)
def test_misuse(optdsl, tmp_path, options, said):
    refused, draft = imported(optdsl, tmp_path, ADAM, *options)
    assert refused.status in (1, 2)
    assert said in refused.err
    assert draft is None


def test_a_schedule_and_a_transform(optdsl, tmp_path):
    done, draft = imported(
        optdsl, tmp_path, r"\eta_t = \eta_0 e^{-k t}", "--family", "schedule", "--gives", "eta"
    )
    assert done.status == 0, done.text
    assert "schedule Mine gives eta" in draft
    clip = r"u_t = \min(\max(g_t, -c), c)"
    done, draft = imported(optdsl, tmp_path, clip, "--family", "transform", "--force")
    assert done.status == 0, done.text
    assert "transform Mine gives u" in draft
    assert optdsl("check", "mine.opt").status == 0


# --------------------------------------------------------- the shipped documents


def source_claims(quick):
    """Yield the `source` claims of the shipped rules; the quick ones are those of a few rules."""
    for name in shipped():
        definition, _ = find(name)
        for number, claim in enumerate(definition.statements):
            is_quick = name in ("AMSGrad", "EMA", "Lion", "SGDW")
            is_source = isinstance(claim, syntax.Claim) and claim.verb == "source"
            if is_source and is_quick is quick:
                yield pytest.param(definition, claim, id=f"{name}-{number}")


def import_claim(optdsl, tmp_path, definition, claim):
    """Import what a claim cites, with what it says of symbols."""
    document = load_document(claim.other.name)
    (tmp_path / f"{document.name}.tex").write_text(document.source.text)
    options = ["--eq", ",".join(expand(claim.other.tags, document.tags))]
    gives = [claim.gives] if claim.gives else list(definition.gives)
    if gives:
        family = "transform" if claim.gives else definition.family
        options += ["--family", family, "--gives", gives[0]]
    for one in definition.statements:
        if isinstance(one, syntax.Evaluate):
            options += ["--evaluate", one.point.name]
    for one in claim.where:
        text = claim.span.source.text[one.span.start : one.span.end]
        options += ["--where", " ".join(text.split())]
    return optdsl("import", f"{document.name}.tex", "-o", "mine.opt", *options)


def only_names(claim):
    """Does a claim only say what symbols and functions are called?"""
    return all(
        isinstance(one.value, syntax.Name | syntax.Number)
        or (one.latex and re.search(r"[A-Za-z]\(", one.symbol))
        for one in claim.where
    )


def check_import(optdsl, tmp_path, definition, claim):
    done = import_claim(optdsl, tmp_path, definition, claim)
    if done.status == 1 and ("error[import-name]" in done.err or not only_names(claim)):
        # A symbol that the document sets cannot be a formula: refused, and nothing written.
        assert not (tmp_path / "mine.opt").exists()
        return
    if definition.name == "Halving":  # what its document halves starts nowhere
        assert "error[latex-start]" in done.err
        assert not (tmp_path / "mine.opt").exists()
        return
    assert done.status == 0, done.text
    assert "  proved: " in done.out
    assert optdsl("check", "--strict", "mine.opt").status == 0
    assert optdsl("fmt", "--check", "mine.opt").status == 0
    assert optdsl("compile", "mine.opt", "-o", "build", "-t", "reference").status == 0


@pytest.mark.parametrize(("definition", "claim"), [*source_claims(quick=True)])
def test_what_a_claim_cites_can_be_imported(optdsl, tmp_path, definition, claim):
    check_import(optdsl, tmp_path, definition, claim)
    assert (tmp_path / "mine.opt").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("definition", "claim"), [*source_claims(quick=False)])
def test_what_every_claim_cites_can_be_imported(optdsl, tmp_path, definition, claim):
    check_import(optdsl, tmp_path, definition, claim)


def test_remarks_are_shown_and_kept_in_the_draft(optdsl, tmp_path):
    paper = ADAM_BLOCK.replace(
        r"(1 - \beta_1) \cdot g_t$", r"(1 - \beta_1) g_t$ \Comment{reset it}"
    )
    done, draft = imported(optdsl, tmp_path, paper)
    assert "line 8: reset it" in done.out
    assert "#   line 8: reset it" in draft


def test_numbers_that_the_algorithm_is_given_are_defaults(optdsl, tmp_path):
    given = r"\Require $\alpha = 0.002$; $(\beta_1, \beta_2) = (0.8, 0.99)$, $\epsilon = 10^{-6}$"
    paper = ADAM_BLOCK.replace(
        r"\Require $\alpha$: step size; $\beta_1, \beta_2 \in [0, 1)$", given
    )
    done, draft = imported(optdsl, tmp_path, paper.replace("algorithm}", "algorithm2e}"))
    assert done.status == 0, done.text
    assert re.findall(r"= ([0-9.e-]+) +in", draft) == ["0.002", "0.8", "0.99", "1e-6"]


def test_formulas_of_the_text_are_taken_where_they_are_named(optdsl, tmp_path):
    prose = r"""We keep $m_t = \beta m_{t-1} + g_t$, and step by
\[ \theta_t = \theta_{t-1} - \eta (u_t + g_t), \] where $u_t = m_t/2$ for $t > 0$."""
    refused, _ = imported(optdsl, tmp_path, prose)
    assert "inline-2 sets it" in refused.err
    done, draft = imported(optdsl, tmp_path, prose, "--eq", "inline-1, display-1, inline-2")
    assert done.status == 0, done.text
    assert "u = m[t]/2" in draft
    refused, _ = imported(
        optdsl, tmp_path, prose.replace(r"\[", "$").replace(r"\]", "$"), "--force"
    )
    assert "inline-3 `u_t = m_t/2`" in refused.err
