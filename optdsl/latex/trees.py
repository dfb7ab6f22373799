"""Small tools on syntax trees: indices in time, walking, rewriting names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from optdsl.language import syntax

Part = syntax.Expression | syntax.Keyword | syntax.Scope


def offset_of(name: syntax.Name) -> int | None:
    """Return n for `x[t + n]`; None without a time, and for a numbered one such as `x[0]`."""
    if len(name.indices) != 1:
        return None
    match name.indices[0]:
        case syntax.Name("t", ()):
            return 0
        case syntax.Binary("+", syntax.Name("t", ()), syntax.Number(text)):
            return int(text)
        case syntax.Binary("-", syntax.Name("t", ()), syntax.Number(text)):
            return -int(text)
    return None


def number_of(name: syntax.Name) -> int | None:
    """Return n for `x[n]`, else None."""
    match name.indices:
        case (syntax.Number(text),) if text.isdigit():
            return int(text)
    return None


def at(name: syntax.Name, offset: int) -> syntax.Name:
    """Return the same name at `t + offset`."""
    clock = syntax.Name("t", span=name.span)
    index: syntax.Expression = clock
    if offset:
        amount = syntax.Number(str(abs(offset)), span=name.span)
        index = syntax.Binary("+" if offset > 0 else "-", clock, amount, span=name.span)
    return replace(name, indices=(index,))


def rewrite(
    expression: syntax.Expression,
    change: Callable[[syntax.Name, bool], syntax.Expression],
    in_gradient: bool = False,
) -> syntax.Expression:
    """Rebuild an expression, each name replaced by what `change` makes of it.

    `change` is told whether the name stands in the point of a gradient. Indices are left alone.
    """
    match expression:
        case syntax.Name():
            return change(expression, in_gradient)
        case syntax.Unary(_, operand):
            return replace(expression, operand=rewrite(operand, change, in_gradient))
        case syntax.Binary(_, left, right):
            return replace(
                expression,
                left=rewrite(left, change, in_gradient),
                right=rewrite(right, change, in_gradient),
            )
        case syntax.Conditional(value, condition, otherwise):
            return replace(
                expression,
                value=rewrite(value, change, in_gradient),
                condition=rewrite(condition, change, in_gradient),
                otherwise=None if otherwise is None else rewrite(otherwise, change, in_gradient),
            )
        case syntax.Attribute(value, _):
            return replace(expression, value=rewrite(value, change, in_gradient))
        case syntax.Call(function, arguments):
            inside = in_gradient or function == "grad"
            new = tuple(
                part
                if isinstance(part, syntax.Keyword | syntax.Scope)
                else rewrite(part, change, inside)
                for part in arguments
            )
            return replace(expression, arguments=new)
    return expression


def later(expression: syntax.Expression) -> syntax.Expression:
    """Return an expression as it is a step later."""

    def change(name: syntax.Name, _: bool) -> syntax.Expression:
        if name.name == "t":
            return syntax.Binary("+", name, syntax.Number("1"), span=name.span)
        offset = offset_of(name)
        return name if offset is None else at(name, offset + 1)

    return rewrite(expression, change)


def within(expression: syntax.Expression) -> Iterator[syntax.Expression]:
    """Yield an expression and those it is made of; indices are none of them."""
    yield expression
    match expression:
        case syntax.Unary(_, operand):
            parts: tuple[Part | None, ...] = (operand,)
        case syntax.Binary(_, left, right):
            parts = (left, right)
        case syntax.Conditional(value, condition, otherwise):
            parts = (value, condition, otherwise)
        case syntax.Call(_, arguments):
            parts = arguments
        case syntax.Attribute(value, _):
            parts = (value,)
        case _:
            parts = ()
    for part in parts:
        if part is not None and not isinstance(part, syntax.Keyword | syntax.Scope):
            yield from within(part)


def names_in(expression: syntax.Expression) -> Iterator[tuple[syntax.Name, bool]]:
    """Yield every name with whether it stands in the point of a gradient."""
    found: list[tuple[syntax.Name, bool]] = []

    def note(name: syntax.Name, in_gradient: bool) -> syntax.Expression:
        found.append((name, in_gradient))
        return name

    rewrite(expression, note)
    yield from found


def replace_within(
    expression: syntax.Expression,
    change: Callable[[syntax.Expression], syntax.Expression | None],
) -> syntax.Expression:
    """Rebuild an expression top down; where `change` gives an expression, that stands instead."""
    changed = change(expression)
    if changed is not None:
        return changed

    def inside(part: syntax.Expression) -> syntax.Expression:
        return replace_within(part, change)

    match expression:
        case syntax.Unary(_, operand):
            return replace(expression, operand=inside(operand))
        case syntax.Binary(_, left, right):
            return replace(expression, left=inside(left), right=inside(right))
        case syntax.Conditional(value, condition, otherwise):
            last = None if otherwise is None else inside(otherwise)
            first, test = inside(value), inside(condition)
            return replace(expression, value=first, condition=test, otherwise=last)
        case syntax.Attribute(value, _):
            return replace(expression, value=inside(value))
        case syntax.Call(_, arguments):
            new = tuple(
                part if isinstance(part, syntax.Keyword | syntax.Scope) else inside(part)
                for part in arguments
            )
            return replace(expression, arguments=new)
    return expression


def terms(value: syntax.Expression) -> Iterator[syntax.Expression]:
    """Yield the terms of a sum, and of the values of a conditional."""
    match value:
        case syntax.Binary("+" | "-", left, right):
            yield from terms(left)
            yield from terms(right)
        case syntax.Conditional(chosen, _, otherwise):
            yield from terms(chosen)
            if otherwise is not None:
                yield from terms(otherwise)
        case _:
            yield value
