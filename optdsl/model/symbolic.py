"""Typed expressions as SymPy's, for those who differentiate or typeset them.

SymPy rewrites as it builds; nothing that runs, and no proof, goes through here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optdsl.model.expressions import (
    Apply,
    Clock,
    Constant,
    Draw,
    Expression,
    Kind,
    Number,
    Reduce,
    Value,
)
from optdsl.model.system import Domain, System


def to_sympy(expression: Expression, system: System | None = None) -> Any:
    """Return an expression in SymPy, its symbols with what the domains say of them.

    A value at `t + n` is a symbol called `name[t+n]`; t itself is a positive integer.

    Args:
        expression: a number or a condition; one entry stands for a tensor.
        system: gives the domains of hyperparameters.

    Raises:
        ValueError: for what SymPy has no form for: reductions.

    >>> from optdsl.model.expressions import apply, number
    >>> to_sympy(apply("sqrt", apply("mul", number(4), Clock())))
    2*sqrt(t)
    """
    import sympy

    match expression:
        case Number(value):
            return sympy.Rational(value.numerator, value.denominator)
        case Constant(name):
            return {"pi": sympy.pi, "inf": sympy.oo, "true": sympy.true, "false": sympy.false}[name]
        case Clock(_, offset):
            return sympy.Symbol("t", integer=True, positive=True) + offset
        case Value():
            return _symbol(expression, system)
        case Apply(operator, arguments):
            given = [to_sympy(argument, system) for argument in arguments]
            return _operators()[operator](*given)
        case Reduce():
            raise ValueError("a reduction has no form for a single entry")
        case Draw(distribution, number):
            return sympy.Symbol(f"{distribution}{number + 1}[t]", real=True)


def _symbol(value: Value, system: System | None) -> Any:
    import sympy

    index = "" if not value.offset else f"[t{value.offset:+d}]"
    facts: dict[str, bool] = {"real": True}
    if system is not None and value.kind is Kind.STEP:
        for hyper in system.hyperparameters:
            if hyper.name == value.name and hyper.domain is not None:
                facts |= _facts(hyper.domain)
    return sympy.Symbol(value.name + index, **facts)


def _facts(domain: Domain) -> dict[str, bool]:
    facts = {"integer": True} if domain.whole else {}
    if domain.low > 0 or (domain.low == 0 and domain.low_open):
        facts["positive"] = True
    elif domain.low == 0:
        facts["nonnegative"] = True
    return facts


def _operators() -> dict[str, Callable[..., Any]]:
    import sympy

    return {
        "neg": lambda x: -x,
        "add": lambda x, y: x + y,
        "sub": lambda x, y: x - y,
        "mul": lambda x, y: x * y,
        "div": lambda x, y: x / y,
        "pow": lambda x, y: x**y,
        "mod": sympy.Mod,
        "min": sympy.Min,
        "max": sympy.Max,
        "abs": sympy.Abs,
        "sign": sympy.sign,
        "sqrt": sympy.sqrt,
        "exp": sympy.exp,
        "log": sympy.log,
        "cos": sympy.cos,
        "floor": sympy.floor,
        "finite": lambda x: sympy.true,
        "lt": sympy.Lt,
        "le": sympy.Le,
        "gt": sympy.Gt,
        "ge": sympy.Ge,
        "eq": sympy.Eq,
        "ne": sympy.Ne,
        "and": sympy.And,
        "or": sympy.Or,
        "not": sympy.Not,
        "select": lambda condition, x, y: sympy.Piecewise((x, condition), (y, True)),
    }
