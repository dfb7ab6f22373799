"""The shipped source documents: every equation reads, or is listed here with the reason why not."""

import pytest

from optdsl.diagnostics import DiagnosticError
from optdsl.language import parse_expression, syntax
from optdsl.latex import document_names, load_document, read, write_equations, write_expression
from optdsl.latex.documents import parse_document

# What cannot be read as printed: what the caret stands under, and a piece of the message.
UNREADABLE = {
    ("ruder2017-highlights", "adam-restarts"): (")", "closes nothing"),
    ("ruder2017-highlights", "addsign"): (")", "closes nothing"),
    ("welling2011", "4"): ("|", "is never closed"),
    ("you2020", "update"): (r"\phi(\|x_t^{(i)}\|)", "or a product"),
    ("raschka2021-l12", "gain"): (r"\text{If gradient is consistent}", "words"),
    ("raschka2021-l12", "adabelief-adam"): (r"\Pi", "nothing says what the function"),
    ("raschka2021-l12", "adabelief"): (r"\Pi", "nothing says what the function"),
}
EVERY = [(name, tag) for name in document_names() for tag in load_document(name).tags]
READABLE = [pair for pair in EVERY if pair not in UNREADABLE]


def test_the_documents_are_there() -> None:
    five = {"ruder2016", "ruder2016-blog", "ruder2017-highlights", "ruder2017-slides"}
    assert five | {"raschka2021-l12"} <= set(document_names())
    numbered = load_document("ruder2016").tags
    assert [tag for tag in numbered if tag.isdigit()] == [str(n) for n in range(1, 24)]
    slides = load_document("ruder2017-slides").tags
    assert [tag for tag in slides if tag.isdigit()] == [str(n) for n in range(1, 18)]


@pytest.mark.parametrize(("name", "tag"), READABLE)
def test_every_equation_reads_and_is_written_back(name: str, tag: str) -> None:
    equations = load_document(name).equations([tag])
    assert equations
    assert {equation.tag for equation in equations} == {tag}
    for equation in equations:
        assert equation.span is not None
        assert equation.span.source.name == f"specs/sources/{name}.tex"
        if not equation.targets:
            assert read(write_expression(equation.value))[0].value == equation.value
    printed = [one.statement for one in equations if one.targets]
    indices = dict.fromkeys(index for one in equations for index in (*one.indices, *one.loops))
    if printed:
        whole = syntax.Definition("optimizer", "X", statements=(*printed, *indices))
        assert [one.statement for one in read(write_equations(whole))] == printed


@pytest.mark.parametrize(("name", "tag"), UNREADABLE)
def test_what_cannot_be_read_is_refused_at_its_place(name: str, tag: str) -> None:
    place, message = UNREADABLE[name, tag]
    with pytest.raises(DiagnosticError) as caught:
        load_document(name).equations([tag])
    (found,) = caught.value.diagnostics
    assert message in found.message
    assert found.span is not None
    assert found.span.text == place
    assert found.span.source.name == f"specs/sources/{name}.tex"


def test_the_caret_of_addsign_is_under_the_last_bracket() -> None:
    with pytest.raises(DiagnosticError) as caught:
        load_document("ruder2017-highlights").equations(["addsign"])
    _, line, carets = str(caught.value).split("\n")
    assert line[: carets.index("^")].endswith(r"\text{sign}(m_t)")


@pytest.mark.parametrize(
    ("name", "tag", "target", "ours"),
    [
        ("ruder2016", "5", "v[t]", "gamma*v[t-1] + eta*grad(theta - gamma*v[t-1])"),
        ("ruder2016", "8", "theta[t+1]", "theta[t] - eta/(sqrt(G[t]) + epsilon)*g[t]"),
        ("ruder2016", "21", "theta[t+1]", "theta[t] - eta/(sqrt(vhat[t]) + epsilon)*mhat[t]"),
        ("ruder2016", "16", "RMS_Delta_theta[t]", "sqrt(E_Delta_theta2[t] + epsilon)"),
        ("ruder2016-blog", "adamax-max", "u[t]", "max(beta2*v[t-1], abs(g[t]))"),
        ("ruder2017-highlights", "weight-decay", "theta[t+1]", "w[t]*theta[t]"),
        ("ruder2017-slides", "summary-theta", "theta", "theta + Delta_theta[t]"),
        ("raschka2021-l12", "halving", "eta[t]", "eta[t-1]/2"),
        ("raschka2021-l12", "step", "w[t+1]", "w[t] - Delta_w[t]"),
        (
            "raschka2021-l12",
            "rmsprop-average",
            "MeanSquare_w[t]",
            "beta*MeanSquare_w[t-1] + (1 - beta)*grad(w[t])^2",
        ),
        (
            "ruder2017-highlights",
            "sgdr",
            "eta[t]",
            "eta_min_i + 1/2*(eta_max_i - eta_min_i)*(1 + cos(T_cur/T_i*pi))",
        ),
    ],
)
def test_what_an_equation_says(name: str, tag: str, target: str, ours: str) -> None:
    equation = load_document(name).equations([tag])[0]
    assert equation.targets == (parse_expression(target, "<expected>"),)
    assert equation.value == parse_expression(ours, "<expected>")


def test_slides_17_is_an_expression() -> None:
    (equation,) = load_document("ruder2017-slides").equations(["17"])
    assert equation.targets == ()


def test_ranges_are_numbers_in_the_order_of_the_document() -> None:
    document = load_document("ruder2016")
    found = document.equations(["21", "19-20"])
    assert [one.tag for one in found] == ["19", "19", "20", "20", "21"]


def test_a_tag_that_is_not_there() -> None:
    with pytest.raises(DiagnosticError, match="has no equation `velocty`") as caught:
        load_document("raschka2021-l12").equations(["velocty"])
    assert caught.value.diagnostics[0].hint == "did you mean `velocity`?"


def test_a_document_that_is_not_there() -> None:
    with pytest.raises(DiagnosticError, match="no source document is called `ruder2106`") as caught:
        load_document("ruder2106")
    assert caught.value.diagnostics[0].hint == "did you mean `ruder2016`?"


def test_notes_are_kept() -> None:
    words = load_document("ruder2016").display("accumulator").notes
    assert words[0].startswith("in words")
    repaired = load_document("ruder2017-slides").display("batch").notes
    assert repaired == ("repaired: the extraction lost the minus sign.",)
    for tag in load_document("pascanu2013").tags:
        assert load_document("pascanu2013").display(tag).notes[0].startswith("from memory")


def test_a_row_that_continues_another_has_its_left_side() -> None:
    document = load_document("ruder2016-blog")
    (alone,) = document.equations(["adamax-max"])
    assert alone.targets[0].name == "u"


TEXT = r"""% A paper.

\begin{equation} \label{all}
a_t = b_t \label{first} \\
c_t = d_t \label{second}
\end{equation}
% \begin{equation} nothing \end{equation}
"""


def test_labels_of_rows_and_of_a_display() -> None:
    document = parse_document("paper", TEXT)
    assert document.about == "A paper."
    assert document.tags == ("all", "first", "second")
    assert len(document.equations(["all"])) == 2
    assert [one.targets[0].name for one in document.equations(["second"])] == ["c"]
    assert len(document.equations(["second", "first"])) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (r"\begin{equation} a = b", "missing"),
        (TEXT + r"\begin{equation} \label{all} a = b \end{equation}", "names two equations"),
    ],
)
def test_a_document_in_error(text: str, message: str) -> None:
    with pytest.raises(DiagnosticError, match=message):
        parse_document("paper", text)
