"""What the writer writes, the reader reads back as the same tree."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optdsl.diagnostics import DiagnosticError
from optdsl.language import syntax
from optdsl.latex import read, read_expression, write_equation, write_expression
from optdsl.latex.symbols import write_name

T = syntax.Name("t")
TIMES = [
    (),
    (T,),
    (syntax.Binary("-", T, syntax.Number("1")),),
    (syntax.Binary("+", T, syntax.Number("1")),),
]
# Each has a time everywhere or nowhere: a name is one or the other within an equation.
TIMED = ["theta", "g", "m", "mhat", "vhat", "Delta_theta", "E_g2", "RMS_Delta_theta", "T_cur"]
PLAIN = ["eta", "beta1", "epsilon", "lambda", "T_i", "eta_max_i", "d_model", "step_num", "k", "T"]
PLAIN += ["i", "e", "max", "J", "eta_0", "Phi", "betahat1", "x_", "if_", "lrate"]

NUMBERS = ["0", "1", "10", "0.9", "3.25", "1e-8", "2.5e-3", "1e6"]
FUNCTIONS = ["sqrt", "exp", "log", "cos", "abs", "sign", "floor", "mean", "norm", "grad"]
COMPARED = ["<", "<=", ">", ">=", "==", "!="]

timed = st.builds(syntax.Name, st.sampled_from(TIMED), st.sampled_from(TIMES[1:]))
atoms = st.one_of(
    timed,
    st.sampled_from(PLAIN).map(syntax.Name),
    st.just(T),
    st.sampled_from(NUMBERS).map(syntax.Number),
    st.sampled_from(["pi", "inf"]).map(syntax.Constant),
)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 4) -> syntax.Expression:
    def inner() -> syntax.Expression:
        return draw(expressions(depth - 1))

    kind = draw(st.integers(0, 12)) if depth else 0
    if kind < 4:
        return draw(atoms)
    if kind < 9:
        return syntax.Binary(draw(st.sampled_from("+-*/^")), inner(), inner())
    if kind == 9:
        return syntax.Unary("-", inner())
    if kind == 10:
        return syntax.Call(draw(st.sampled_from(FUNCTIONS)), (inner(),))
    if kind == 11:
        two = (draw(st.sampled_from(["min", "max", "mod"])), (inner(), inner()))
        return syntax.Call(*draw(st.sampled_from([two, ("norm", (inner(), syntax.Scope("all")))])))
    return syntax.Conditional(inner(), draw(conditions(depth)), inner())


@st.composite
def conditions(draw: st.DrawFn, depth: int) -> syntax.Expression:
    kind = draw(st.integers(0, 4)) if depth else 0
    if kind < 2:
        below = expressions(max(depth - 2, 0))
        return syntax.Binary(draw(st.sampled_from(COMPARED)), draw(below), draw(below))
    if kind == 2:
        return syntax.Unary("not", draw(conditions(depth - 1)))
    operator = "and" if kind == 3 else "or"
    return syntax.Binary(operator, draw(conditions(depth - 1)), draw(conditions(depth - 1)))


@given(expressions())
def test_expression(expression: syntax.Expression) -> None:
    assert read_expression(write_expression(expression)) == expression


@given(timed, expressions())
def test_equation(target: syntax.Name, value: syntax.Expression) -> None:
    (equation,) = read(write_equation(syntax.Equation((target,), value)))
    assert equation.targets == (target,)
    assert equation.value == value


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}(_[A-Za-z0-9]{1,5}){0,2}", fullmatch=True))
def test_any_name(name: str) -> None:
    assert name == "t" or read_expression(write_name(syntax.Name(name))) == syntax.Name(name)


@given(st.text(alphabet=r"\{}[]()|_^&$%.,;:=+-*/ 012tigxE" + "\n", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(DiagnosticError):
        assert read(text)


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("beta1", r"\beta_{1}"),
        ("mhat", r"\hat{m}"),
        ("eta_min", r"\eta_{\text{min}}"),
        ("E_g2", "E[g^{2}]"),
        ("Delta_theta", r"\Delta \theta"),
        ("warmup_steps", r"\mathrm{warmup\_steps}"),
        ("lambda", r"\lambda"),
    ],
)
def test_names_are_printed_as_people_print_them(name: str, latex: str) -> None:
    assert write_name(syntax.Name(name)) == latex


def test_m0_beside_a_state_m_is_spelled_out() -> None:
    m = syntax.Name("m", (syntax.Binary("-", T, syntax.Number("1")),))
    value = syntax.Binary("+", m, syntax.Name("m0"))
    assert read_expression(write_expression(value)) == value
