"""What follows from several conditions, domains and forms together, and what does not."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optdsl.checks.equivalence import compare
from optdsl.checks.equivalence.inequalities import refuted, supposed
from optdsl.checks.equivalence.number_ranges import Range
from optdsl.checks.equivalence.polynomials import Polynomial, Table, number, variable
from optdsl.checks.equivalence.signs import Context
from tests.checks.soundness import proved_alone
from tests.checks.systems import system

HEAD = """
  hyper eta in [0, inf)
  hyper a in [0, 1)
  hyper c in (0, inf)
  hyper e in [0, inf)
  hyper x
  hyper n in 1..inf
"""
ODD = 7919


def rule(value):
    return system(f"optimizer Rule{HEAD}  theta[t] = theta[t-1] - eta*({value})\n")


def states(text):
    lines = "\n".join(f"  {line}" for line in text.split("; "))
    return system(f"optimizer Rule{HEAD}{lines}\n")


SAME = [
    # of two cases that exclude one another, one is left
    ("min(max(g[t], -c), c)", "max(min(g[t], c), -c)"),
    ("g[t] if g[t] > e or g[t] < -c else 0", "0 if g[t] <= e and g[t] >= -c else g[t]"),
    ("(1 if abs(g[t]) < c and g[t] > 2*c else 0) + g[t]", "g[t]"),
    # whole numbers leave gaps
    ("g[t] if t <= n else x", "g[t] if t < n + 1 else x"),
    ("1 if ndim >= 2 else 0", "1 if ndim > 1 else 0"),
    ("1 if size == 1 else 0", "1 if size < 2 else 0"),
    ("g[t] if mod(t, 2) == 0 else x", "x if mod(t, 2) == 1 else g[t]"),
    ('1 if not (named("*b") or ndim < 2) else 0', '1 if ndim > 1 and not named("*b") else 0'),
    # the shape of a tensor
    ("rows*columns", "size"),
    ("sum(g[t] + x)", "sum(g[t]) + x*size"),
    ("sqrt(mean(g[t]^2))", "norm(g[t])/sqrt(size)"),
    ("sqrt(max(1, rows/columns))", "sqrt(rows/columns) if rows > columns else 1"),
    # an entry and all of them
    ("max(e*g[t] + x)", "e*max(g[t]) + x"),
    ("max(abs(g[t]))", "max(max(g[t]), -min(g[t]))"),
    ("max(g[t]^2, all)", "max(abs(g[t]), all)^2"),
    ("1 if any(g[t] > c or g[t] < -c) else 0", "1 if max(abs(g[t])) > c else 0"),
    ("1 if any(g[t] != 0) else 0", "1 if norm(g[t]) > 0 else 0"),
    ("g[t]/norm(g[t]) if g[t] != 0 else 0", "g[t]/norm(g[t]) if any(g[t] != 0) else 0"),
    ("g[t]*c/norm(g[t]) if norm(g[t]) > c else g[t]",
     "g[t]*min(1, c/norm(g[t])) if norm(g[t]) > 0 else 0"),
    ("c^(a*x)", "(c^a)^x"),
    # a value that a case gives to what it is made of
    ("g[t] - min(e, c) if floor(t/n) >= abs(e) else x",
     "g[t] - min(e, c if t < n + 1 else c) if floor(t/n) >= abs(e) else x"),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), SAME)
def test_proved(ours, theirs):
    verdict = compare(rule(ours), rule(theirs), explain=False)
    assert verdict.kind == "proved", str(verdict)


NEAR = [
    ("min(max(g[t], -x), x)", "max(min(g[t], x), -x)"),
    (f"g[t] if g[t] < {ODD} else x", f"g[t] if g[t] <= {ODD} else x"),
    (f"g[t] if t <= {ODD}*a else x", f"g[t] if t < {ODD}*a + 1 else x"),
    (f"1 if size < {ODD} else 0", f"1 if size <= {ODD} else 0"),
    (f"g[t] if mod(t, {ODD}) == 0 else x", f"x if mod(t, {ODD}) >= 2 else g[t]"),
    (f"max((x - {ODD})*g[t])", f"(x - {ODD})*max(g[t])"),
    ("max(g[t] + theta[t-1])", "max(g[t]) + theta[t-1]"),
    ("max(g[t], all)", "max(g[t])"),
    (f"1 if any(g[t] > {ODD}) else 0", f"1 if any(g[t] >= {ODD}) else 0"),
    (f"1 if any(g[t] > {ODD} and g[t] < {ODD + 9}) else 0",
     f"1 if any(g[t] > {ODD}) and any(g[t] < {ODD + 9}) else 0"),
    (f"1 if sum(g[t] - {ODD}) > 0 else 0", f"1 if any(g[t] > {ODD}) else 0"),
    (f"1 if sum(g[t]) >= {ODD} else 0", f"1 if sum(g[t]) >= max({ODD} + 0*g[t], g[t]) else 0"),
    (f"g[t]/(norm(g[t]) - {ODD}) if g[t] != 0 else 0", f"g[t]/(norm(g[t]) - {ODD})"),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), NEAR)
def test_near_misses_are_not_proved(ours, theirs):
    assert not proved_alone(rule(ours), rule(theirs))


LATE = "s[0] = 0; s[t] = s[t-1] + g[t]; d[0] = 0; {}; theta[t] = theta[t-1] - eta*{}"
GONE = f"d[t] = 1/(g[t] - {ODD})"


def test_states_that_are_undefined_together_before_theta_is():
    ours = states(LATE.format("d[t] = d[t-1] + 1/s[t]", "d[t-1]"))
    theirs = states(LATE.format("d[t] = 4/(2*s[t])/2 + d[t-1]", "d[t-1]*1"))
    assert compare(ours, theirs, explain=False).kind == "proved"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ((GONE, "(d[t-1] + s[t])"), (f"{GONE} + 0*d[t-1]", "(d[t-1] + s[t])")),
        ((GONE, "(s[t] + sum(d[t-1]))"), (f"{GONE} + 0*sum(d[t-1])", "(s[t] + sum(d[t-1]))")),
        ((f"{GONE}*0", "s[t] + 0*sum(d[t-1])"), (f"{GONE}*0", "s[t] + 0*d[t-1]")),
        ((GONE, f"(s[t] + (d[t-1] if x > {ODD} else 0))"),
         (GONE, f"(s[t] + (d[t-1] if x >= {ODD} else 0))")),
    ],
    ids=["for good", "through a sum", "of one entry", "in a case"],
)  # fmt: skip
def test_states_that_are_undefined_apart(ours, theirs):
    assert not proved_alone(states(LATE.format(*ours)), states(LATE.format(*theirs)))


TABLE = Table()
ATOMS = [TABLE.atom("x"), TABLE.atom("y"), TABLE.atom("k", whole=True)]
FACTORS = st.lists(st.sampled_from(ATOMS), max_size=2)
SUMS = st.lists(st.tuples(st.integers(-3, 3), FACTORS), min_size=1, max_size=3)


def polynomial(terms):
    total = number(0)
    for coefficient, atoms in terms:
        product = number(coefficient)
        for atom in atoms:
            product = product * variable(atom)
        total = total + product
    return total


def value(polynomial: Polynomial, point):
    return sum(
        c * _product(point[atom] ** n for atom, n in monomial)
        for monomial, c in polynomial.terms.items()
    )


def _product(numbers):
    result = Fraction(1)
    for each in numbers:
        result *= each
    return result


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(st.integers(-4, 4), st.integers(-4, 4), st.integers(-3, 3)),
    st.lists(SUMS, min_size=1, max_size=4),
    SUMS,
)
def test_what_holds_somewhere_is_not_refuted(numbers, known, asked):
    x, y, k = numbers
    point = dict(zip(ATOMS, (Fraction(x, 2), Fraction(y, 3), Fraction(k)), strict=True))
    ranges = {ATOMS[0]: Range(Fraction(-2), Fraction(2)), ATOMS[1]: Range(Fraction(-4, 3))}
    context = Context(ranges)

    def facts(terms):
        p = polynomial(terms)
        number_ = value(p, point)
        return supposed(p, frozenset({(number_ > 0) - (number_ < 0)})) if p.terms else []

    every = [each for terms in known for each in facts(terms)]
    for start in facts(asked):
        assert not refuted(start, every, context._certified)


FORMS = [
    # the same point, kept in another way
    ("z[0] = theta[0]; z[t] = theta[t-1]; "
     "theta[t] = theta[t-1] - eta*g[t] + a*(theta[t-1] - z[t-1])",
     "v[0] = 0; v[t] = a*v[t-1] - eta*g[t]; theta[t] = theta[t-1] + v[t]"),
    ("z[0] = 0; z[t] = z[t-1] + g[t]; theta[t] = theta[0] - eta*z[t]",
     "theta[t] = theta[t-1] - eta*g[t]"),
    ("m[0] = 0; m[t] = a*m[t-1] + (1 - a)*g[t]; theta[t] = theta[t-1] - eta*m[t]",
     "z[0] = theta[0]; z[t] = z[t-1] - eta*g[t]; theta[t] = a*theta[t-1] + (1 - a)*z[t]"),
    ("v[0] = 0; v[t] = a*v[t-1] - eta*g[t]; theta[t] = theta[t-1] + a*v[t] - eta*g[t]",
     "y[0] = theta[0]; y[t] = theta[t-1] - eta*g[t]; theta[t] = y[t] + a*(y[t] - y[t-1])"),
    ("v[0] = 0; v[t] = a*v[t-1] + g[t]^2; theta[t] = theta[t-1] - g[t]/(sqrt(v[t]) + c)",
     "s[0] = 0; s[t] = sqrt(a*s[t-1]^2 + g[t]^2); theta[t] = theta[t-1] - g[t]/(s[t] + c)"),
    ("A[0] = y[0] = 0; A[t] = A[t-1] + t; theta[t] = theta[t-1] - eta*g[t]; "
     "y[t] = y[t-1] + t/A[t]*(theta[t] - y[t-1]); evaluate y[t]",
     "y[0] = 0; theta[t] = theta[t-1] - eta*g[t]; "
     "y[t] = y[t-1] + 2/(t + 1)*(theta[t] - y[t-1]); evaluate y[t]"),
    # gradients of one batch in another order
    ("m[0] = 0; m[t] = u; u = grad(theta[t-1]); w = grad(theta[t-1] + e*m[t-1]); "
     "theta[t] = theta[t-1] - eta*(u + 2*w)",
     "m[0] = 0; m[t] = u; w = grad(theta[t-1] + e*m[t-1]); u = grad(theta[t-1]); "
     "theta[t] = theta[t-1] - eta*(u + 2*w)"),
    ("u = grad(theta[t-1] + abs(x)); w = grad(theta[t-1] - abs(x)); theta[t] = theta[t-1] - u - w",
     "u = grad(theta[t-1] + x); w = grad(theta[t-1] - x); theta[t] = theta[t-1] - u - w"),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), FORMS)
def test_other_states_and_points(ours, theirs):
    verdict = compare(states(ours), states(theirs), constant=("eta", "a"), explain=False)
    assert verdict.kind == "proved", str(verdict)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("u = grad(theta[t-1] + abs(x)); w = grad(theta[t-1] - abs(x)); "
         "theta[t] = theta[t-1] - u - 2*w",
         "u = grad(theta[t-1] + x); w = grad(theta[t-1] - x); theta[t] = theta[t-1] - u - 2*w"),
        ("u = grad(theta[t-1] + e); w = grad(theta[t-1] - e); theta[t] = theta[t-1] - u + w",
         "u = grad(theta[t-1] - e); w = grad(theta[t-1] + e); theta[t] = theta[t-1] - u + w"),
        ("u = grad(theta[t-1] + e); w = grad(theta[t-1] - e); theta[t] = theta[t-1] - u - w",
         "u = grad(theta[t-1] + e); theta[t] = theta[t-1] - 2*u"),
        ("z[0] = 0; z[t] = z[t-1] + g[t]; theta[t] = theta[0] - eta*z[t]",
         "theta[t] = theta[t-1] - eta*g[t]"),
    ],
    ids=["weights", "sides", "one less", "a step size that varies"],
)  # fmt: skip
def test_other_points_are_told(ours, theirs):
    assert compare(states(ours), states(theirs), explain=False).kind == "differs"
    assert not proved_alone(states(ours), states(theirs))


LINES = "r = {}(g[t], per row); theta[t] = theta[t-1] - eta*({})"
FACTORED = (
    "R[0] = C[0] = 0; R[t] = a*R[t-1] + (1 - a)*sum(g[t]^2, per row); "
    "C[t] = a*C[t-1] + (1 - a)*sum(g[t]^2, per column); theta[t] = theta[t-1] - eta*g[t]/({})"
)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (FACTORED.format("sqrt(R[t]*C[t]) + c"), FACTORED.format("c + sqrt(R[t])*sqrt(C[t])")),
        (LINES.format("sum", "sum(r)"), LINES.format("sum", "sum(g[t]) + 0*r")),
        (LINES.format("mean", "g[t] - r"), LINES.format("sum", "g[t] - r/columns")),
        (LINES.format("sum", "sum(r)*r"), LINES.format("sum", "r*size*mean(g[t])")),
        (LINES.format("sum", "sum(r*sum(g[t], per column))"), LINES.format("sum", "sum(r)^2")),
        (LINES.format("sum", "sum(r*g[t])"), LINES.format("sum", "sum(r^2)")),
        (LINES.format("sum", "columns*sum(r)"), LINES.format("sum", "sum(r + 0*g[t])")),
        (LINES.format("norm", "g[t]/max(1, r/c)"),
         LINES.format("norm", "g[t]*min(1, c/r) if r > 0 else 0")),
        (LINES.format("max", "max(r)*r"), LINES.format("max", "max(g[t])*r")),
    ],
)  # fmt: skip
def test_rows_and_columns(ours, theirs):
    verdict = compare(states(ours), states(theirs), explain=False)
    assert verdict.kind == "proved", str(verdict)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (LINES.format("sum", "sum(r)"), LINES.format("sum", "sum(r + 0*g[t])")),
        (LINES.format("sum", "g[t] - mean(r)"), LINES.format("sum", "g[t] - mean(g[t]) + 0*r")),
        (LINES.format("sum", f"g[t] if r > {ODD} else 0"),
         LINES.format("sum", f"g[t] if r >= {ODD} else 0")),
        (LINES.format("sum", f"sum(r/(r - {ODD})*(r - {ODD}))"), LINES.format("sum", "sum(r)")),
        (LINES.format("sum", f"0/(r - {ODD}) + g[t]"),
         LINES.format("sum", f"sum(0/(r - {ODD})) + g[t]")),
        (LINES.format("max", "sum(r)"), LINES.format("max", "columns*max(r)")),
        ("v[0] = 0; v[t] = 1/(g[t] - 7919); theta[t] = theta[t-1] - g[t] - 0*sum(v[t-1], per row)",
         "v[0] = 0; v[t] = 1/(g[t] - 7919); theta[t] = theta[t-1] - g[t] - 0*sum(v[t-1])"),
    ],
)  # fmt: skip
def test_rows_and_columns_apart(ours, theirs):
    assert not proved_alone(states(ours), states(theirs))
