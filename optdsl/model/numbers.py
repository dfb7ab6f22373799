"""Numbers that are known before anything runs: defaults, bounds, index offsets."""

from __future__ import annotations

from fractions import Fraction
from math import log2
from typing import TypeAlias

from optdsl.language import syntax
from optdsl.model.system import INFINITY, Domain

Exact: TypeAlias = Fraction | float


def constant_value(expression: syntax.Expression) -> Exact | None:
    """Return the exact value of an expression of numbers alone, or None.

    >>> constant_value(syntax.Unary("-", syntax.Number("0.5")))
    Fraction(-1, 2)
    """
    match expression:
        case syntax.Number():
            return expression.value
        case syntax.Constant("inf"):
            return INFINITY
        case syntax.Unary("-", operand):
            value = constant_value(operand)
            return None if value is None else -value
        case syntax.Binary(operator, left, right):
            return _fold(operator, constant_value(left), constant_value(right))
    return None


def _fold(operator: str, left: Exact | None, right: Exact | None) -> Exact | None:
    if not isinstance(left, Fraction) or not isinstance(right, Fraction):
        return None
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/" if right != 0:
            return left / right
        case "^" if right.denominator == 1 and abs(right) <= 64 and (left != 0 or right > 0):
            return left**right.numerator
    return None


def too_large(power: syntax.Binary) -> bool:
    """Is it a power of numbers alone that float64 cannot hold?

    >>> two = syntax.Number("2")
    >>> too_large(syntax.Binary("^", two, syntax.Number("1024")))
    True
    >>> too_large(syntax.Binary("^", two, syntax.Number("1023")))
    False
    """
    base, exponent = constant_value(power.left), constant_value(power.right)
    if not isinstance(base, Fraction) or not isinstance(exponent, Fraction) or base == 0:
        return False
    digits = log2(abs(base.numerator)) - log2(base.denominator)
    return not -1075 < Fraction(digits) * exponent < 1024


def domain_of(domain: syntax.Interval | syntax.Range) -> Domain | None:
    """Return the domain that `domain` says, or None where a bound is no number."""
    low, high = constant_value(domain.low), constant_value(domain.high)
    if low is None or high is None:
        return None
    if isinstance(domain, syntax.Range):
        return Domain(low, high, False, high == INFINITY, whole=True)
    return Domain(low, high, domain.low_open, domain.high_open or high == INFINITY)


def time_index(index: syntax.Expression) -> tuple[str, int] | None:
    """Return ("t", -1) for `t-1`, ("", 0) for `0`, None for what is no time.

    >>> time_index(syntax.Binary("-", syntax.Name("t"), syntax.Number("1")))
    ('t', -1)
    """
    match index:
        case syntax.Name("t", ()):
            return "t", 0
        case syntax.Binary("+" | "-" as operator, syntax.Name("t", ()), right):
            shift = constant_value(right)
            if isinstance(shift, Fraction) and shift.denominator == 1:
                return "t", int(shift) if operator == "+" else -int(shift)
        case _:
            fixed = constant_value(index)
            if isinstance(fixed, Fraction) and fixed.denominator == 1:
                return "", int(fixed)
    return None
