"""Which identities are decided, and that no other is."""

from fractions import Fraction

import pytest

from optdsl.checks.equivalence.functions import Functions
from optdsl.checks.equivalence.induction import Proof
from optdsl.checks.equivalence.number_ranges import REALS, Range
from optdsl.checks.equivalence.polynomials import Table
from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.rationals import constant, of_atom
from optdsl.checks.equivalence.reading import Reader
from optdsl.checks.equivalence.roots import NeedSign, equal
from optdsl.checks.equivalence.signs import Context
from optdsl.checks.translate import translate
from optdsl.language import parse_expression
from optdsl.model.expressions import Kind
from tests.checks.systems import system

NAMES = system("""
optimizer Names
  hyper b in [0, 1)
  hyper c in (0, 1)
  hyper e in [0, inf)
  hyper s in (0, inf)
  hyper x
  hyper y
  hyper k in 1..inf
  q[0] = 0
  q[t] = q[t-1] + b + c + e + s + x + y + k
  v = g[t]^2
  theta[t] = theta[t-1] - q[t]*v
""")
_ZERO = Fraction(0)
RANGES = {
    "b": Range(_ZERO, Fraction(1), high_open=True),
    "c": Range(_ZERO, Fraction(1), low_open=True, high_open=True),
    "e": Range(_ZERO),
    "s": Range(_ZERO, low_open=True),
    "k": Range(Fraction(1)),
}


def read(text, splits=False):
    functions = Functions(Table())
    table = functions.table

    def ranger(atom, context):
        if atom.form[0] == "name":
            return RANGES.get(atom.form[1], REALS)
        return functions.range_of(atom, context)

    context = Context(ranges={functions.time: Range(Fraction(1))}, ranger=ranger, splits=splits)

    def name(value):
        return of_atom(table.atom("name", value.name, kind=Kind.STEP, whole=value.name == "k"))

    def time(clock):
        return of_atom(functions.time) + constant(clock.offset)

    reader = Reader(functions, context, name, lambda _: None, time)
    values = [reader.value(translate(parse_expression(t, "<test>"), NAMES)) for t in text]
    return values, context


def same(left, right):
    (a, b), context = read((left, right))
    return equal(a, b, context)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("(x + y)^2", "x^2 + 2*x*y + y^2"),
        ("x/y + 1", "(x + y)/y"),
        ("sqrt(1 - b)/(1 - b)", "1/sqrt(1 - b)"),
        ("sqrt(e/(1 - b))", "sqrt(e)/sqrt(1 - b)"),
        ("sqrt(1 - b^t)*sqrt(1 - b^t)", "1 - b^t"),
        ("sqrt(x^2)", "abs(x)"),
        ("sqrt(e^2)", "e"),
        ("sqrt((b - 1)^2)", "1 - b"),
        ("x/(sqrt(e/(1 - b^t)) + s)", "x*sqrt(1 - b^t)/(sqrt(e) + s*sqrt(1 - b^t))"),
        ("sqrt(8*e)", "2*sqrt(2)*sqrt(e)"),
        ("e^(1/2)", "sqrt(e)"),
        ("e^1.5", "e*sqrt(e)"),
        ("s^(-0.5)", "1/sqrt(s)"),
        ("b^(t + 1)", "b*b^t"),
        ("(b*c)^t", "b^t*c^t"),
        ("exp(x + y)", "exp(x)*exp(y)"),
        ("exp(-x)*exp(x)", "1"),
        ("exp(-log(2)*t)", "0.5^t"),
        ("exp(log(s))", "s"),
        ("log(s*c)", "log(s) + log(c)"),
        ("log(exp(1)*1) - log(exp(1))", "0"),
        ("cos(-x)", "cos(x)"),
        ("cos(pi)", "-1"),
        ("cos(0)", "1"),
        ("max(x, y)", "max(y, x)"),
        ("max(e, -s)", "e"),
        ("min(x, y)", "-max(-x, -y)"),
        ("mod(t + k, 1)", "0"),
        ("floor(x + 3)", "floor(x) + 3"),
        ("abs(-x)", "abs(x)"),
        ("abs(x)*abs(x)", "x^2"),
        ("sign(s*x)", "sign(x)"),
        ("x if 1 > b else y", "x"),
    ],
)
def test_equal(left, right):
    assert same(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("sqrt(x^2)", "x"),
        ("abs(x)", "x"),
        ("sqrt(e + s)", "sqrt(e) + s"),
        ("sqrt(e + s)", "sqrt(e) + sqrt(s)"),
        ("b^t", "b"),
        ("b^(t - 1)", "b^t"),
        ("b^t*c^t", "(b + c)^t"),
        ("max(x, y)", "x"),
        ("max(x, 0)", "abs(x)"),
        ("floor(x)", "x"),
        ("floor(x + 1/2)", "floor(x)"),
        ("cos(x + pi)", "cos(x)"),
        ("exp(x*y)", "exp(x)*exp(y)"),
        ("log(s + c)", "log(s) + log(c)"),
        ("mod(x, y)", "x"),
        ("sign(x)", "1"),
        ("sign(x)^2", "1"),
    ],
)
def test_not_equal(left, right):
    assert not same(left, right)


def test_a_sign_that_is_not_known_asks_for_cases():
    with pytest.raises(NeedSign):
        read(("x if x > y else y",))
    with pytest.raises(NeedSign):
        read(("max(x, y)",), splits=True)


def test_a_reduction_does_not_see_the_case_of_one_entry():
    """Where one entry is positive, others need not be: norm(q) is not norm(g)."""
    ours, theirs = (
        system(
            "optimizer A\n"
            "  hyper eta as lr = 0.1 in [0, inf)\n"
            "  q = g[t] if g[t] > 0 else 0\n"
            f"  theta[t] = theta[t-1] - (eta*norm({x}) + 0*q if g[t] > 0 else 0)\n"
        )
        for x in ("q", "g[t]")
    )
    assert not Proof(Question(ours, theirs), {}).holds()
    assert Proof(Question(ours, ours), {}).holds()
