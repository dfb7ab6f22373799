"""What the writer writes, the reader reads back as the same tree."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optdsl.diagnostics import DiagnosticError
from optdsl.language import syntax
from optdsl.latex import read, read_expression, write_equation, write_equations, write_expression
from optdsl.latex.symbols import write_name
from optdsl.library import find, shipped
from optdsl.model.inheritance import flatten
from optdsl.model.problems import Problems

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
PLAIN += ["I", "i", "e", "max", "J", "eta_0", "Phi", "betahat1", "x_", "if_", "lrate"]

NUMBERS = ["0", "1", "10", "0.9", "3.25", "1e-8", "2.5e-3", "1e6"]
FUNCTIONS = ["sqrt", "exp", "log", "cos", "abs", "sign", "floor", "mean", "norm", "grad"]
FUNCTIONS += ["sum", "rms", "finite", "inner"]
REDUCTIONS = ["norm", "sum", "mean", "max", "any"]
SCOPES = ["all", "per row", "per column"]
MEMBERS = [
    syntax.Name("i"),
    syntax.Number("2"),
    syntax.Binary("-", syntax.Name("i"), syntax.Number("1")),
]
COMPARED = ["<", "<=", ">", ">=", "==", "!="]

timed = st.builds(syntax.Name, st.sampled_from(TIMED), st.sampled_from(TIMES[1:]))
atoms = st.one_of(
    timed,
    st.sampled_from(PLAIN).map(syntax.Name),
    st.just(T),
    st.sampled_from(NUMBERS).map(syntax.Number),
    st.sampled_from(["pi", "inf"]).map(syntax.Constant),
    st.sampled_from(["inner", "AdamW"]).map(
        lambda name: syntax.Attribute(syntax.Name(name), "eta")
    ),
)
numbers = st.sampled_from(NUMBERS).map(syntax.Number)
reductions = st.builds(
    lambda name, value, scope: syntax.Call(name, (value, syntax.Scope(scope))),
    st.sampled_from(REDUCTIONS),
    st.one_of(timed, timed.map(lambda name: syntax.Call("abs", (name,)))),
    st.sampled_from(SCOPES),
)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 4) -> syntax.Expression:
    def inner() -> syntax.Expression:
        return draw(expressions(depth - 1))

    kind = draw(st.integers(0, 14)) if depth else 0
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
    if kind == 12:
        return draw(reductions)
    if kind == 13:
        return syntax.Call("dot", (inner(), inner(), syntax.Scope("all")))
    return syntax.Conditional(inner(), draw(conditions(depth)), inner())


@st.composite
def linear(draw: st.DrawFn, depth: int = 3) -> syntax.Expression:
    """Matrices beside products of entries."""

    def inner() -> syntax.Expression:
        return draw(linear(depth - 1))

    kind = draw(st.integers(0, 6)) if depth else 0
    if kind < 2:
        return draw(st.one_of(timed, st.sampled_from(["G", "eta", "k"]).map(syntax.Name), numbers))
    if kind < 5:
        return syntax.Binary(draw(st.sampled_from("+-*/^@@")), inner(), inner())
    if kind == 5:
        return syntax.Attribute(inner(), "T")
    return syntax.Call("matpow", (inner(), syntax.Number("2")))


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


@given(linear())
def test_matrices(expression: syntax.Expression) -> None:
    assert read_expression(write_expression(expression)) == expression


@given(timed, conditions(depth=3), expressions(depth=2))
def test_what_is_compared(
    target: syntax.Name, value: syntax.Expression, chosen: syntax.Expression
) -> None:
    """A comparison is a value; a conditional that is all of a value needs no `else`."""
    for said in (value, syntax.Conditional(chosen, value, None)):
        (equation,) = read(write_equation(syntax.Equation((target,), said)))
        assert equation.value == said


@given(expressions(depth=2), st.sampled_from(["normal", "uniform"]))
def test_a_draw(deviation: syntax.Expression, name: str) -> None:
    """A name I is no identity."""
    drawn = syntax.Draw(syntax.Name("xi", (T,)), syntax.Call(name, (syntax.Number("0"), deviation)))
    definition = syntax.Definition("transform", "X", statements=(drawn,))
    assert [one.statement for one in read(write_equations(definition))] == [drawn]


@given(st.sampled_from(MEMBERS), st.sampled_from([*TIMES[1:], (syntax.Number("0"),)]))
def test_an_index(member: syntax.Expression, time: tuple[syntax.Expression, ...]) -> None:
    index = syntax.Index("i", syntax.Range(syntax.Number("1"), syntax.Number("3")))
    value = syntax.Call("mean", (syntax.Name("v", (syntax.Name("i"), T)), syntax.Name("i")))
    said = syntax.Equation((syntax.Name("theta", (T,)),), value)
    target = (member, *time) if not isinstance(member, syntax.Number) else (member,)
    other = syntax.Equation((syntax.Name("x", (syntax.Name("i"),)),), syntax.Name("v", target))
    definition = syntax.Definition("optimizer", "X", statements=(index, said, other))
    found = read(write_equations(definition))
    assert [one.statement for one in found] == [said, other]
    assert found[0].indices == (index,)


def written_out(name: str) -> syntax.Definition:
    """A shipped rule with what it extends."""
    definition, lookup = find(name)
    return flatten(definition, lookup, Problems()) if definition.extends else definition


SHIPPED = [name for name in shipped() if find(name)[0].value is None]
SAID = syntax.Equation | syntax.Draw | syntax.SkipWhen | syntax.Evaluate


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_rule(name: str) -> None:
    rule = written_out(name)
    said = [one for one in rule.statements if isinstance(one, SAID)]
    found = [one.statement for one in read(write_equations(rule))]
    assert [_bare(one) for one in found] == [_bare(one) for one in said]


def _bare(statement: syntax.Statement) -> syntax.Statement:
    """Leave comments and documentation out."""
    bare = replace(statement, comments=(), trailing_comment=None, gap=False)
    return replace(bare, doc=None) if isinstance(bare, syntax.Equation | syntax.Draw) else bare


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
