"""Conditions on which a rule is chosen: what is known of a tensor before it steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from optdsl.language import syntax
from optdsl.model import functions
from optdsl.model.expressions import (
    Apply,
    Constant,
    Expression,
    Fact,
    Number,
    apply,
    is_predicate,
    number,
    walk,
)
from optdsl.model.problems import Problems

_HINT = "it may speak of rows, columns, ndim, size and named(...)"


def predicate(expression: syntax.Expression, problems: Problems) -> Expression | None:
    """Return the condition that `expression` is, over facts alone; None where it is another."""
    translated = _Translator(problems).value(expression)
    if translated is None:
        return None
    if not is_predicate(translated):
        problems.error(
            "not-a-condition",
            "a rule is chosen by a condition, and this is a number",
            expression.span,
            "compare it with another, as in `ndim == 2`",
        )
        return None
    if not any(isinstance(node, Fact) for node in walk(translated)):
        problems.error(
            "bad-choice", "this is the same for every tensor, so nothing is chosen",
            expression.span, _HINT,
        )  # fmt: skip
        return None
    return translated


def all_of(*conditions: Expression) -> Expression:
    """Return the condition that all of these hold, without those that always do."""
    whole: Expression = Constant("true")
    for condition in conditions:
        if condition == Constant("true"):
            continue
        whole = condition if whole == Constant("true") else apply("and", whole, condition)
    return whole


#: The comparison that holds where another does not, of numbers that are some.
_OPPOSITE: dict[str, Any] = {
    "<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "==", "and": "or", "or": "and",
}  # fmt: skip


def opposite(condition: syntax.Expression) -> syntax.Expression:
    """Return what holds of a tensor where `condition` does not, as a person says it.

    >>> from optdsl.language import format_expression, parse_expression
    >>> format_expression(opposite(parse_expression("ndim >= 2 and not rows <= columns")))
    'ndim < 2 or rows <= columns'
    """
    match condition:
        case syntax.Unary("not", inner):
            return inner
        case syntax.Binary("and" | "or" as operator, left, right):
            return replace(
                condition,
                operator=_OPPOSITE[operator],
                left=opposite(left),
                right=opposite(right),
            )
        case syntax.Binary(operator, left, right) if operator in _OPPOSITE and (
            operator in ("==", "!=") or (_counts(left) and _counts(right))
        ):
            return replace(condition, operator=_OPPOSITE[operator])
    return syntax.Unary("not", condition, span=condition.span)


def _counts(node: syntax.Expression) -> bool:
    """Is it made of facts so that it is a number for every tensor, unlike 0/0 or sqrt(-1)?"""
    match node:
        case syntax.Binary("+" | "-" | "*", left, right):
            return _counts(left) and _counts(right)
        case syntax.Unary("-", inner):
            return _counts(inner)
    return isinstance(node, syntax.Number | syntax.Name)


def negated(condition: Expression) -> Expression:
    """Return the opposite of `condition`."""
    match condition:
        case Apply("not", (inner,)):
            return inner
    return apply("not", condition)


class _Translator:
    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def value(self, node: syntax.Expression) -> Expression | None:
        """Return what `node` means, None where it is no fact and made of none."""
        match node:
            case syntax.Number(text):
                return Number(node.value, text)
            case syntax.Constant(name):
                return Constant(name)
            case syntax.Name(name, ()) if name in functions.FACTS:
                return Fact(name)
            case syntax.Call("named", (syntax.String(pattern),)):
                return apply("ne", Fact("named", pattern), number(0))
            case syntax.Unary(operator, operand):
                return self._applied("not" if operator == "not" else "neg", (operand,))
            case syntax.Binary(operator, left, right) if operator in functions.BINARY:
                return self._applied(functions.BINARY[operator], (left, right))
            case syntax.Call(name, arguments) if name in functions.ELEMENTWISE:
                plain = tuple(
                    a for a in arguments if not isinstance(a, syntax.Keyword | syntax.Scope)
                )
                applied, count = functions.ELEMENTWISE[name]
                if len(plain) == len(arguments) and (count or max(len(plain), 2)) == len(plain):
                    return self._applied(applied, plain)
        self.problems.error(
            "bad-choice",
            "a rule is chosen by what is known of a tensor before it steps, and this is not",
            node.span,
            _HINT,
        )
        return None

    def _applied(
        self, operator: str, arguments: tuple[syntax.Expression, ...]
    ) -> Expression | None:
        found = [self.value(argument) for argument in arguments]
        known = [each for each in found if each is not None]
        if len(known) < len(found):
            return None
        logical = operator in ("and", "or", "not")
        for each, node in zip(known, arguments, strict=True):
            if is_predicate(each) is not logical:
                self.problems.error(
                    "not-a-condition" if logical else "not-a-number",
                    "a number stands where a condition is needed" if logical
                    else "a condition stands where a number is needed",
                    node.span,
                )  # fmt: skip
                return None
        return apply(operator, *known)
