"""Which matrices are symmetric and have no negative eigenvalue: those that have roots.

A multiple of the identity by a positive number is positive definite. `X @ X.T` and `X.T @ X` have
no negative eigenvalue, whatever X is: x.T (X X.T) x is a sum of squares. Sums, and multiples by
positive numbers, keep both; a sum is positive definite as soon as one of its terms is. Powers of
what is positive definite are so, too: its eigenvalues are positive, and the vectors stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from optdsl.checks.ranges.intervals import Interval
from optdsl.model.expressions import Apply, Expression, Matrix, Value

Definite: TypeAlias = Literal["positive", "not negative"]


def definiteness(
    expression: Expression,
    equations: Mapping[str, Expression],
    before: Mapping[str, Definite],
    interval: Callable[[Expression], Interval],
) -> Definite | None:
    """Return what is known of the eigenvalues of a matrix that is defined.

    Args:
        expression: the matrix.
        equations: what names are in this step.
        before: what is known of states before the step.
        interval: the ranges of the numbers that matrices are multiplied by.
    """

    def known(matrix: Expression) -> Definite | None:
        return definiteness(matrix, equations, before, interval)

    match expression:
        case Value(name, _, 0) if name in equations:
            return known(equations[name])
        case Value(name, _, -1):
            return before.get(name)
        case Matrix("identity"):
            return "positive"
        case Matrix("transpose", (inner,)):
            return known(inner)
        case Matrix("product", (left, right)) if _is_transpose(left, right, equations):
            return "not negative"
        case Matrix("power", (inner, _)) if known(inner) == "positive":
            return "positive"
        case Apply("add", (left, right)):
            return _of_sum(known(left), known(right))
        case Apply("mul", (left, right)) if left.kind.is_number or right.kind.is_number:
            factor, matrix = (left, right) if left.kind.is_number else (right, left)
            return _of_multiple(interval(factor), known(matrix))
        case Apply("div", (matrix, divisor)) if divisor.kind.is_number:
            return _of_multiple(interval(divisor), known(matrix))
    return None


def _of_sum(one: Definite | None, other: Definite | None) -> Definite | None:
    if one is None or other is None:
        return None
    return "positive" if "positive" in (one, other) else "not negative"


def _of_multiple(factor: Interval, matrix: Definite | None) -> Definite | None:
    if matrix is None or factor.low < 0:
        return None
    return matrix if factor.nonzero else "not negative"


def _is_transpose(left: Expression, right: Expression, equations: Mapping[str, Expression]) -> bool:
    left, right = _meaning(left, equations), _meaning(right, equations)
    match left, right:
        case Matrix("transpose", (inner,)), _ if _meaning(inner, equations) == right:
            return True
        case _, Matrix("transpose", (inner,)):
            return _meaning(inner, equations) == left
    return False


def _meaning(expression: Expression, equations: Mapping[str, Expression]) -> Expression:
    while isinstance(expression, Value) and not expression.offset:
        if expression.name not in equations:
            break
        expression = equations[expression.name]
    return expression
