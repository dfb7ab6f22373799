"""MathML of names and expressions."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from optdsl.language import parse_expression
from optdsl.latex.mathml import math, write_mathml
from optdsl.library import find, shipped


def shape(text):
    """Return an expression as browsers see it: each element with what it holds."""

    def show(element):
        inside = "".join(map(show, element)) or (element.text or "").strip()
        return inside if element.tag in ("mrow", "math") else f"{element.tag}({inside})"

    return show(ElementTree.fromstring(math(write_mathml(parse_expression(text, "<test>")))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("beta1", "msub(mi(β)mn(1))"),
        ("mhat", "mover(mi(m)mo(^))"),
        ("m[t-1]", "msub(mi(m)mi(t)mo(−)mn(1))"),
        ("m[t]^2", "msubsup(mi(m)mi(t)mn(2))"),
        ("E_g2[t]", "msub(mi(E)mo([)msup(mi(g)mn(2))mo(])mi(t))"),
        ("RMS_g", "mi(RMS)mo([)mi(g)mo(])"),
        ("eta_max", "msub(mi(η)mi(max))"),
        ("1e-8", "msup(mn(10)mo(−)mn(8))"),
        ("a/b", "mfrac(mi(a)mi(b))"),
        ("a/b*c/d", "mfrac(mi(a)mi(b))mspace()mfrac(mi(c)mi(d))"),
        ("sqrt(a + b)", "msqrt(mi(a)mo(+)mi(b))"),
        ("a*(b + c)", "mi(a)mo(\u2062)mspace()mo(()mi(b)mo(+)mi(c)mo())"),
        ("a*2", "mi(a)mo(·)mn(2)"),
        ("a - (b - c)", "mi(a)mo(−)mo(()mi(b)mo(−)mi(c)mo())"),
        ("(a/b)^2", "msup(mo(()mfrac(mi(a)mi(b))mo())mn(2))"),
        ("-a^2", "mo(−)msup(mi(a)mn(2))"),
        ("a <= b and not c", "mi(a)mo(≤)mi(b)mo(∧)mo(¬)mi(c)"),
        ("abs(a)", "mo(|)mi(a)mo(|)"),
        ("norm(a, all)", "msub(mo(‖)mi(a)mo(‖)mtext(all))"),
        ("max(a, b)", "mi(max)mo(\u2061)mo(()mi(a)mo(,)mi(b)mo())"),
    ],
)
def test_expression(text, expected):
    assert shape(text) == expected


def test_a_choice_is_a_table():
    assert shape("a if p else b").startswith("mo({)mtable(mtr(mtd(mi(a))mtd(mtext(if)mi(p)))")


def test_all_that_is_shipped_is_well_formed():
    from optdsl.latex.mathml import write_sides

    for name in shipped():
        for statement in find(name)[0].statements:
            for side in write_sides(statement) or ():
                try:
                    ElementTree.fromstring(math(side))
                except ElementTree.ParseError as error:
                    pytest.fail(f"{name}, {side}: {error}")
