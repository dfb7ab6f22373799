"""Macros of documents, and what they stand for."""

import pytest

from optdsl.diagnostics import DiagnosticError, SourceText
from optdsl.latex.documents import parse_document
from optdsl.latex.macros import written_out

WRITTEN_OUT = {
    "a name": (r"\newcommand{\eps}{\epsilon} $\eps + \epsilons$", r" $\epsilon + \epsilons$"),
    "bare": (r"\newcommand\eps\epsilon $\eps x$", r" $\epsilon x$"),
    "letters behind": (r"\def\b{\beta} $\b{x}\b x$", r" $\beta{x}\beta x$"),
    "glued": (r"\newcommand{\half}[1]{\frac{#1}{2}} \half g_t", r" \frac{g}{2}_t"),
    "optional": (
        r"\newcommand{\norm}[2][2]{\lVert #2 \rVert_{#1}} \norm{x} \norm[1]{y}",
        r" \lVert x \rVert_{2} \lVert y \rVert_{1}",
    ),
    "within each other": (
        r"\newcommand{\m}{m_t}\newcommand{\mh}{\hat{\m}} $\mh$",
        r" $\hat{m_t}$",
    ),
    "defined before what it is made of": (r"\def\a{\b}\def\b{c} $\a$", " $c$"),
    "redefined": (r"\def\a{x}$\a$\renewcommand{\a}{y}$\a$", "$x$$y$"),
    "provided": (r"\def\a{x}\providecommand{\a}{y}$\a$", "$x$"),
    "parameters of def": (r"\def\at#1#2{#1_{#2}} $\at{m}{t-1}$", r" $m_{t-1}$"),
    "let": (r"\let\eps=\varepsilon $\eps$", r" $\varepsilon$"),
    "operator": (r"\DeclareMathOperator*{\sgn}{sgn} $\sgn(x)$", r" $\operatorname{sgn}(x)$"),
    "delimiters": (
        r"\DeclarePairedDelimiter{\abs}{\lvert}{\rvert} $\abs{x}$",
        r" $\left\lvert x \right\rvert$",
    ),
    "ensuremath": (r"\newcommand{\lr}{\ensuremath{\alpha}\xspace} $\lr$", r" $\alpha$"),
    "in a comment": ("\\def\\a{x}% \\a \\def\\a{y}\n$\\a$", "% \\a \\def\\a{y}\n$x$"),
    "lines stay": ("\\newcommand{\\a}{%\n  x\n}\n$\\a$", "\n\n\n$ x $".replace(" x ", "  x ")),
    "escaped braces": (r"\def\set#1{\{#1\}} \set{a\}b}", r" \{a\}b\}"),
}


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_written_out(name):
    text, expected = WRITTEN_OUT[name]
    assert written_out(SourceText("a.tex", text)).text == expected


def test_a_document_without_macros_is_as_it_was():
    source = SourceText("a.tex", r"\begin{equation} x = \ensuremath{y} \end{equation}")
    assert written_out(source) is source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (r"\def\a{\a} $\a$", "made of itself"),
        (r"\def\a{\b\b}\def\b{\a\a} $\a$", "made of itself"),
        (r"\newcommand{\a}[1]{#2} $\a{x}$", "has no argument 2"),
        (r"\newcommand{\a}[2]{#1#2} ${\a{x}}$", "an argument is missing"),
        (r"\def\a#1.{#1} $\a x.$", "parameters that are not understood"),
        (r"\newcommand{\a}{x", "never closed"),
    ],
)
def test_refused(text, message):
    with pytest.raises(DiagnosticError, match=message):
        written_out(SourceText("a.tex", text))


def test_a_document_is_read_through_its_macros():
    document = parse_document(
        "paper",
        r"""
\newcommand{\avg}[2]{#1 #2_{t-1} + (1 - #1)}
\newcommand{\vg}{\mathbf{g}}
\begin{equation} \label{m}
m_t = \avg{\beta_1}{m} \vg_t
\end{equation}
""",
    )
    plain = parse_document(
        "paper",
        r"""
\begin{equation} \label{m}
m_t = \beta_1 m_{t-1} + (1 - \beta_1) \mathbf{g}_t
\end{equation}
""",
    )
    (ours,), (theirs,) = (each.equations(["m"]) for each in (document, plain))
    assert (ours.targets, ours.value) == (theirs.targets, theirs.value)
