"""Reads products: factors side by side and joined by signs."""

from __future__ import annotations

from typing import cast

from optdsl.diagnostics import Span
from optdsl.language import syntax
from optdsl.latex import conditions, draws, functions, gradients, matrices, shapes, sums
from optdsl.latex.notation import Chain, Digits, Fraction, Group, Infix, Operator, Raw
from optdsl.latex.problems import refuse
from optdsl.latex.reads import Reads

_DIVISIONS = ("/", "\\oslash", "mod")


def product(reader: Reads, raw: Chain, span: Span) -> syntax.Expression:
    """Read factors side by side."""
    found = factors(reader, raw)
    value = found[0]
    for factor in found[1:]:
        place = span if factor.span is None else Span(span.source, span.start, factor.span.end)
        value = matrices.multiplied(value, factor, "", place, reader.evidence)
    return value


def products(reader: Reads, raw: Infix) -> syntax.Expression:
    """Read factors that are joined by signs."""
    if shapes.starts_partial(raw.first):
        return _derivative(reader, raw)
    value: syntax.Expression | None = None
    divided = False
    parts = [("*", raw.first), *raw.rest]
    scientific = shapes.scientific(raw)
    if scientific is not None:
        value = syntax.Number(scientific, span=raw.first.span.to(raw.rest[0][1].span))
        parts = parts[2:]
    for sign, operand in _with_inner_products(parts, reader):
        found = factors(reader, operand)
        if divided or (sign in _DIVISIONS and len(found) > 1):
            hint = "write `\\frac`, or put brackets around the divisor"
            message = "is this still under the division?"
            raise refuse("latex-ambiguous", message, operand.span, hint)
        if sign in _DIVISIONS:
            divided = True
            sums.require_bound(operand, "is this still under the division?")
        for factor in found:
            value = _join(reader, sign, value, factor, raw.first.span.to(operand.span))
    return cast(syntax.Expression, value)


def _derivative(reader: Reads, raw: Infix) -> syntax.Expression:
    """`\\partial L / \\partial w`, which is a fraction."""
    (sign, lower), *rest = raw.rest
    if sign != "/" or rest:
        raise refuse("latex-gradient", "expected `\\partial L / \\partial w`", raw.span)
    return gradients.derivative(Fraction(raw.first, lower, raw.span), [], reader)


def _with_inner_products(parts: list[tuple[str, Raw]], reader: Reads) -> list[tuple[str, Raw]]:
    """`g^\\top \\cdot h` is one product: join it to a chain."""
    found: list[tuple[str, Raw]] = []
    for sign, operand in parts:
        before = found[-1][1] if found else None
        last = before.factors[-1] if isinstance(before, Chain) else before
        inner = None if last is None else matrices.transposed(last, reader.evidence)
        if before is None or inner is None or matrices.is_capital(inner) or sign in _DIVISIONS:
            found.append((sign, operand))
            continue
        sides = [s.factors if isinstance(s, Chain) else (s,) for s in (before, operand)]
        joined = Chain((*sides[0], *sides[1]), before.span.to(operand.span))
        found[-1] = (found[-1][0], joined)
    return found


def _join(
    reader: Reads,
    sign: str,
    left: syntax.Expression | None,
    right: syntax.Expression,
    span: Span,
) -> syntax.Expression:
    if left is None:
        return right
    if sign == "mod":
        if isinstance(left, syntax.Binary) and left.operator in "*/":
            raise refuse("latex-ambiguous", "how far does this reach?", span, "use brackets")
        return syntax.Call("mod", (left, right), span=span)
    if sign in ("/", "\\oslash"):
        if sign == "/" and matrices.is_matrix(right, reader.evidence):
            raise refuse("latex-ambiguous", "a division by a matrix", right.span or span)
        return syntax.Binary("/", left, right, span=span)
    return matrices.multiplied(left, right, sign, span, reader.evidence)


def _is_half(raw: Raw | None) -> bool:
    """`\\frac{1}{2} 0.96^t`: a fraction of numbers, behind which a number is a factor."""
    match raw:
        case Fraction(above, below):
            return isinstance(above, Digits) and isinstance(below, Digits)
    return False


def factors(reader: Reads, raw: Raw) -> list[syntax.Expression]:
    """Return the factors of an implied product, functions applied to what follows them."""
    found: list[syntax.Expression] = []
    rest: list[Raw] = list(raw.factors) if isinstance(raw, Chain) else [raw]
    lone = len(rest) == 1
    head: Raw | None = None
    while rest:
        before, head = head, rest.pop(0)
        special = None if lone else _special(reader, head, rest)
        if special is not None:
            found.extend(special)
        elif found and shapes.is_group(head, "(") and shapes.holds_time(head):
            raise functions.function_or_factor(head.span)
        elif found and isinstance(shapes.unscripted(head), Digits) and not _is_half(before):
            hint = "a product with a number behind wants a sign, as in `x \\cdot 2`"
            raise refuse("latex-ambiguous", "a number behind a factor", head.span, hint)
        else:
            found.append(reader.expression(head))
    return found


def _special(reader: Reads, head: Raw, rest: list[Raw]) -> list[syntax.Expression] | None:
    """Read a head that takes what follows it: a function, a gradient, a transposed vector."""
    known = functions.declared(head, rest, reader)
    if known is not None:
        return [known]
    if (interval := functions.clipped(head, rest, reader)) is not None:
        return [interval]
    if shapes.is_function(head):
        return [functions.call(cast(Operator, head), rest, reader)]
    if shapes.is_nabla(head):
        return [gradients.gradient(head, rest, reader)]
    if isinstance(head, Fraction) and shapes.starts_partial(head.numerator):
        return [gradients.derivative(head, rest, reader)]
    inner = matrices.transposed(head, reader.evidence)
    if inner is not None and not matrices.is_capital(inner) and rest:
        return _inner_product(reader, head, inner, rest)
    if not rest:
        return None
    if shapes.is_indicator(head, rest[0]):
        group = cast(Group, rest.pop(0))
        return [conditions.indicator(group.items[0], head.span.to(group.span), reader)]
    if draws.is_distribution(head, rest[0]):
        return [draws.inline(head, rest.pop(0), reader)]
    if shapes.is_statistic(head, rest[0]):
        value = functions.statistic(head, rest.pop(0), reader)
        if rest and shapes.is_group(rest[0], "("):
            raise functions.function_or_factor(head.span.to(rest[0].span))
        return [value]
    if shapes.is_symbol(head) and shapes.is_group(rest[0], "["):
        _refuse_entry(head, rest[0], reader)
    if shapes.is_symbol(head) and shapes.is_group(rest[0], "("):
        return functions.symbol_and_group(head, rest.pop(0), reader)
    return None


def _refuse_entry(head: Raw, follower: Raw, reader: Reads) -> None:
    """`m_t[i]` is an entry of m, and no product."""
    group = cast(Group, shapes.unscripted(follower))
    letters = {letter for item in group.items for letter in shapes.components_of(item)}
    letters |= {shapes.letter_of(item) for item in group.items} & reader.evidence.members
    if letters - reader.evidence.declared:
        hint = "write entries without an index, or below the line: `m_{t,i}`"
        raise refuse("latex-ambiguous", "an entry, or a product?", head.span.to(group.span), hint)


def _inner_product(
    reader: Reads, head: Raw, inner: Raw, rest: list[Raw]
) -> list[syntax.Expression]:
    """`g^\\top h`, and `g^\\top \\nabla f(x)`; `x^\\top A x` is more than the language has."""
    if len(rest) > 1 and not shapes.is_nabla(rest[0]):
        message = "how far does this inner product reach?"
        hint = "write `\\langle a, b \\rangle`, or put brackets around it"
        raise refuse("latex-ambiguous", message, rest[1].span, hint)
    other: Raw = rest[0] if len(rest) == 1 else Chain(tuple(rest), rest[0].span.to(rest[-1].span))
    rest.clear()
    span = head.span.to(other.span)
    if matrices.is_capital(other):
        message = "a vector times a matrix is not understood"
        raise refuse("latex-ambiguous", message, other.span)
    return [matrices.inner_product(inner, other, span, reader)]
