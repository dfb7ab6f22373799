"""What an expression looks like is what the language reads back."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optdsl.language import parse_expression, syntax
from optdsl.model.expressions import (
    OPERATORS,
    Apply,
    Clock,
    Constant,
    Kind,
    Number,
    Reduce,
    Value,
    apply,
)
from optdsl.program.formulas import formula
from tests.program.systems import entry

SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "^", "lt": "<", "le": "<=", "gt": ">",
    "ge": ">=", "eq": "==", "ne": "!=", "and": "and", "or": "or",
}  # fmt: skip


def shape(node):
    """Return an expression as nested tuples."""
    match node:
        case Number(value):
            return float(value)
        case Constant(name):
            return name
        case Clock(_, 0):
            return "t"
        case Clock(_, offset):
            return ("+" if offset > 0 else "-", "t", float(abs(offset)))
        case Value(name, _, 0):
            return name
        case Value(name, _, offset):
            return (name, offset)
        case Reduce(operator, argument, kind):
            return (operator, shape(argument), kind is Kind.ALL)
        case Apply("select", (condition, value, otherwise)):
            return ("if", shape(condition), shape(value), shape(otherwise))
        case Apply("neg" | "not" as operator, (argument,)):
            return (operator, shape(argument))
        case Apply(operator, arguments):
            return (SYMBOLS.get(operator, operator), *map(shape, arguments))


def read(node):
    """Return a syntax tree as the same nested tuples."""
    match node:
        case syntax.Number(text):
            return float(Fraction(text))
        case syntax.Constant(name) | syntax.Name(name, ()):
            return name
        case syntax.Name(name, (syntax.Binary(operator, _, syntax.Number(text)),)):
            return (name, int(operator + text))
        case syntax.Unary("-", operand):
            return ("neg", read(operand))
        case syntax.Unary(operator, operand):
            return (operator, read(operand))
        case syntax.Binary(operator, left, right):
            return (operator, read(left), read(right))
        case syntax.Conditional(value, condition, otherwise):
            return ("if", read(condition), read(value), read(otherwise))
        case syntax.Call("norm", (argument, *scope)):
            return ("norm", read(argument), bool(scope))
        case syntax.Call(function, arguments):
            return (function, *map(read, arguments))


LEAVES = st.sampled_from(
    [
        entry("g"), entry("m", -1), Value("eta", Kind.STEP, 1), Clock(), Clock(offset=-1),
        Clock(offset=2), Number(Fraction(1, 10), "0.1"), Number(Fraction(2), "2"),
        Constant("pi"), Constant("inf"),
    ]
)  # fmt: skip


def grow(inner):
    two = [name for name, count in OPERATORS.items() if count == 2 and name not in ("and", "or")]
    numbers = [name for name in two if name not in ("lt", "le", "gt", "ge", "eq", "ne")]
    tests = st.builds(apply, st.sampled_from(["lt", "ge", "eq"]), inner, inner)
    logic = tests | st.builds(apply, st.sampled_from(["and", "or"]), tests, tests)
    logic |= st.builds(apply, st.just("not"), logic)
    return (
        st.builds(apply, st.sampled_from(numbers), inner, inner)
        | st.builds(apply, st.sampled_from(["neg", "sqrt", "abs", "sign"]), inner)
        | st.builds(apply, st.just("max"), inner, inner, inner)
        | st.builds(apply, st.just("select"), logic, inner, inner)
        | st.builds(lambda x: Reduce("norm", x, Kind.ALL), inner)
        | st.builds(lambda x: Reduce("norm", x, Kind.TENSOR), inner)
    )


@given(st.recursive(LEAVES, grow, max_leaves=15))
def test_a_formula_reads_back_as_the_same_expression(expression):
    assert read(parse_expression(formula(expression), "formula")) == shape(expression)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (apply("pow", entry("g"), Number(Fraction(2), "2")), "g[t]^2"),
        (apply("mul", entry("g"), apply("neg", entry("m"))), "g[t]*-m"),
        (apply("div", entry("m", -1), apply("mul", entry("m"), entry("g"))), "m[t-1]/(m*g[t])"),
        (Number(Fraction(-1, 2), "-0.5"), "-0.5"),
    ],
)
def test_formulas_are_written_as_people_write_them(expression, text):
    assert formula(expression, {"g"}) == text
