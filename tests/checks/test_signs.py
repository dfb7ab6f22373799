"""What is known of signs, from domains and cases."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optdsl.checks.equivalence.functions import Functions
from optdsl.checks.equivalence.number_ranges import (
    ANY,
    NEGATIVE,
    NOT_NEGATIVE,
    NOT_NULL,
    NULL,
    POSITIVE,
    Range,
)
from optdsl.checks.equivalence.polynomials import Polynomial, Table, number, variable
from optdsl.checks.equivalence.signs import Context
from optdsl.model.expressions import Kind

SHARE = Range(Fraction(0), Fraction(1), high_open=True)
TABLE = Table()
b, p, v, e, s, g, h = (variable(TABLE.atom(name, kind=Kind.ENTRY)) for name in "bpvesgh")
ONE = number(1)


def atom(polynomial: Polynomial):
    return next(iter(polynomial.atoms))


CONTEXT = Context(
    ranges={
        atom(b): SHARE,
        atom(p): Range(Fraction(0), Fraction(1)),
        atom(v): Range(Fraction(0)),
        atom(e): Range(Fraction(0)),
        atom(s): Range(Fraction(0), low_open=True),
        atom(g): Range(),
        atom(h): Range(),
    }
)


@pytest.mark.parametrize(
    ("polynomial", "sign"),
    [
        (number(0), NULL),
        (number(-2), NEGATIVE),
        (b, NOT_NEGATIVE),
        (ONE - b, POSITIVE),
        (ONE - p, NOT_NEGATIVE),
        (ONE - b * p, POSITIVE),
        (ONE + b, POSITIVE),
        (b - ONE, NEGATIVE),
        (b * v + (ONE - b) * g * g, NOT_NEGATIVE),
        (b * v + (ONE - b) * g * g + s, POSITIVE),
        (v + e, NOT_NEGATIVE),
        (v + s, POSITIVE),
        (g * g, NOT_NEGATIVE),
        (g * g + ONE, POSITIVE),
        (g * g - g * h - g * h + h * h, NOT_NEGATIVE),
        (g * g + g * h + h * h, NOT_NEGATIVE),
        (g * g + g * h + h * h + ONE, POSITIVE),
        (v + g * g - g * h - g * h + h * h, NOT_NEGATIVE),
        (s + b * (g * g - g * h - g * h + h * h), NOT_NEGATIVE),
        (s + g * g - g * h - g * h + h * h, POSITIVE),
        (g * h + g * h - g * g - h * h - ONE, NEGATIVE),
        (g * g - g * h - g * h + h * h - v, ANY),
        (g * g + g * h + g * h + g * h + h * h, ANY),
        (g, ANY),
        (v - e, ANY),
        (ONE - b - b + b * b, POSITIVE),
        (p - p * p, NOT_NEGATIVE),
        (ONE - p * p, NOT_NEGATIVE),
    ],
)
def test_sign_of(polynomial, sign):
    assert CONTEXT.sign(polynomial) == sign


def test_every_sign_that_is_claimed_holds_at_points():
    points = [Fraction(n, 8) for n in range(8)]
    polynomials = [b * v + (ONE - b) * g * g, ONE - b * p, p - p * p * b, v - b * v, g * b - g]
    for polynomial in polynomials:
        sign = CONTEXT.sign(polynomial)
        for x in points:
            for y in points:
                values = {atom(b): x, atom(p): y, atom(v): y * 9, atom(g): x - y}
                total = sum(
                    c * _product(values[a] ** n for a, n in monomial)
                    for monomial, c in polynomial.terms.items()
                )
                assert (total > 0) - (total < 0) in sign


@given(
    numbers=st.lists(st.integers(-3, 3), min_size=6, max_size=6),
    points=st.lists(st.fractions(-4, 4, max_denominator=4), min_size=12, max_size=12),
)
def test_signs_of_quadratic_forms_hold_at_points(numbers, points):
    parts = (g * g, g * h, h * h, g, h, ONE)
    form = sum(
        (part.scaled(Fraction(n)) for part, n in zip(parts, numbers, strict=True)), number(0)
    )
    sign = CONTEXT.sign(form)
    for x, y in itertools.product(points[:6], points[6:]):
        value = sum(n * v for n, v in zip(numbers, (x * x, x * y, y * y, x, y, 1), strict=True))
        assert (value > 0) - (value < 0) in sign


def _product(factors):
    result = Fraction(1)
    for factor in factors:
        result *= factor
    return result


def test_a_case_decides_a_sign():
    case = CONTEXT.suppose(g - h, POSITIVE)
    assert case.sign(g - h) == POSITIVE
    assert case.sign(h - g) == NEGATIVE
    assert CONTEXT.suppose(g, NOT_NULL).sign(g * g) == POSITIVE


def test_a_sum_of_squares_that_is_zero_has_zero_terms():
    case = CONTEXT.suppose(v + g * g, NULL)
    assert case.values[atom(v)] == number(0)
    assert case.values[atom(g)] == number(0)


def test_what_holds_of_one_entry_does_not_hold_of_all():
    case = CONTEXT.suppose(g, POSITIVE)
    assert case.for_all(Kind.TENSOR).sign(g) == ANY


def test_roots_are_positive_where_what_is_below_is():
    functions = Functions(Table())
    table = functions.table
    x = table.atom("x")
    root = table.algebraic("root", 2, variable(x), kind=Kind.STEP, power=2, below=variable(x))
    context = Context(ranges={x: Range(Fraction(0))}, ranger=functions.range_of)
    assert context.sign(variable(root)) == NOT_NEGATIVE
    assert context.suppose(variable(x), POSITIVE).sign(variable(root)) == POSITIVE
