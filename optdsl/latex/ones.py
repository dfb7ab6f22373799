"""Vectors of ones: `\\epsilon \\mathbf{1}`, sums of rows `X 1_m`, of columns `1_n^\\top X`, of all.

Beside a number, a one for every entry says nothing that the number does not. Beside a matrix it
adds up: `X 1` its rows, `1^\\top X` its columns; `1^\\top x` adds up a vector, and `1 1^\\top` is
one for every entry of a matrix. Beside anything else it is left as it stands, and refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from optdsl.diagnostics import Span
from optdsl.latex import shapes
from optdsl.latex.notation import (
    Chain,
    Comparison,
    Digits,
    Fraction,
    Group,
    Infix,
    Logic,
    Operator,
    Raw,
    Script,
    Scripted,
    Sides,
    Sign,
    Symbol,
    Where,
)
from optdsl.latex.problems import refuse

_PRODUCTS = ("", "*", "\\times", "\\odot")


def with_ones(statements: tuple[Sides, ...]) -> tuple[Sides, ...]:
    """Return the statements with sums, or nothing, for vectors of ones.

    Raises DiagnosticError where it is open over what a vector of ones adds up.
    """
    if not any(is_ones(node) for node in shapes.walk(statements)):
        return statements
    columns = {
        shapes.key_of(one.sides[0])
        for one in statements
        for side in one.sides[1:]
        for term in _terms(side)
        if any(is_ones(factor) for _, factor in term)
        if not all(_is_number(factor) for _, factor in term)
    }
    ones = _Ones(columns)
    return tuple(replace(one, sides=tuple(map(ones.without, one.sides))) for one in statements)


def _terms(raw: Raw | None) -> list[list[tuple[str, Raw]]]:
    """Return the products that a side is a sum of."""
    match raw:
        case Infix(first, rest) if rest[0][0] in ("+", "-"):
            return [
                factors for part in (first, *(one for _, one in rest)) for factors in _terms(part)
            ]
        case Chain() | Infix():
            return [_factors(raw)]
    return []


def is_ones(node: object) -> bool:
    """Is it a vector of ones: a bold or doubled 1, or one with its dimension below?"""
    match node:
        case Symbol("1", _, font) if font:
            return True
        case Scripted(Digits("1"), scripts):  # `1^T` may be a power, `1_n^T` is none
            plain = not all(one.raised for one in scripts) or any(map(_is_top, scripts))
            return plain and all(map(_sizes, scripts))
        case Scripted(base, scripts) if is_ones(base):
            return all(map(_sizes, scripts))
    return False


def _sizes(script: Script) -> bool:
    """Does it say how many ones there are, or that they are transposed?"""
    if script.raised:
        return _transposes(script)
    compares = any(isinstance(node, Comparison | Logic) for node in shapes.walk(script.items))
    return not compares and shapes.digits(script) is None


def _is_top(script: Script) -> bool:
    return script.raised and isinstance(script.items[0], Sign) and script.items[0].name == "top"


def _transposes(script: Script) -> bool:
    (item, *_) = script.items
    return _is_top(script) or (isinstance(item, Symbol) and item.name == "T")


def _is_lying(raw: Raw) -> bool:
    return isinstance(raw, Scripted) and any(map(_transposes, raw.scripts))


def _factors(node: Chain | Infix) -> list[tuple[str, Raw]]:
    """Return the factors of a product, each with the sign before it; no quotients."""
    parts = [("", node)] if isinstance(node, Chain) else [("", node.first), *node.rest]
    if any(sign not in _PRODUCTS for sign, _ in parts):
        return []
    found: list[tuple[str, Raw]] = []
    for sign, part in parts:
        first, *rest = part.factors if isinstance(part, Chain) else (part,)
        found += [(sign, first), *(("", one) for one in rest)]
    return found


@dataclass(frozen=True)
class _Ones:
    """Takes vectors of ones away; `columns` are the names that are made of sums of a matrix."""

    columns: set[tuple[str, ...]]

    def without(self, raw: Raw | None) -> Raw | None:
        return shapes.rebuild(raw, self._change)

    def _change(self, node: object) -> object:
        if is_ones(node) and isinstance(node, Symbol | Scripted):
            return Digits("1", node.span)  # alone: a one for every entry
        if isinstance(node, Scripted) and is_ones(node.base):
            return node  # an indicator: `1_{x > 0}`
        if not isinstance(node, Chain | Infix):
            return None
        if isinstance(node, Chain) and any(
            map(shapes.is_indicator, node.factors, node.factors[1:])
        ):
            return replace(node, factors=tuple(map(self._part, node.factors)))
        factors = _factors(node)
        if not any(is_ones(one) for _, one in factors):
            return None
        return self._product(_without_pairs(factors), node.span)

    def _part(self, raw: Raw) -> Raw:
        return raw if is_ones(raw) else shapes.rebuild(raw, self._change)

    def _product(self, factors: list[tuple[str, Raw]], span: Span) -> Raw:
        while (place := next((at for at, (_, one) in enumerate(factors) if is_ones(one)), -1)) >= 0:
            factors = self._summed(factors, place)
        return _joined([(sign, shapes.rebuild(one, self._change)) for sign, one in factors], span)

    def _summed(self, factors: list[tuple[str, Raw]], place: int) -> list[tuple[str, Raw]]:
        """Return the factors with a sum for the ones at a place and for what they add up."""
        sign, ones = factors[place]
        others = [at for at in range(len(factors)) if at != place]
        beside = [at for at in others if not _is_number(factors[at][1])]
        behind = _is_lying(ones)
        if not beside or sign == "\\odot":
            return [factors[at] for at in others]
        if len(beside) > 1 or (beside[0] > place) != behind:
            raise refuse("latex-ambiguous", "over what do these ones add up?", ones.span, _BRACKETS)
        before, summed = factors[beside[0]]
        where = self._scope(summed, ones, behind)
        span = ones.span.to(summed.span) if behind else summed.span.to(ones.span)
        group = Group("(", (summed, *where), (",",) * len(where), span)
        total = Chain((Operator("sum", "function", span), group), span)
        return [(before, total) if at == beside[0] else factors[at] for at in others]

    def _scope(self, summed: Raw, ones: Raw, behind: bool) -> tuple[Raw, ...]:
        if shapes.key_of(summed) in self.columns:
            return ()  # a value a row, or a column: what is left is one number
        if _is_capital(summed):
            return (Where("per column" if behind else "per row", ones.span),)
        if behind:
            return (Where("all", ones.span),)
        raise refuse("latex-ambiguous", "over what do these ones add up?", ones.span, _BRACKETS)


_BRACKETS = "write `\\epsilon 1` beside a number, `X 1` and `1^\\top X` beside a matrix"


def _without_pairs(factors: list[tuple[str, Raw]]) -> list[tuple[str, Raw]]:
    """Leave out `1_n 1_m^\\top`, a one for every entry of a matrix."""
    kept: list[tuple[str, Raw]] = []
    for sign, one in factors:
        above = kept[-1][1] if kept else one
        if is_ones(one) and _is_lying(one) and is_ones(above) and not _is_lying(above):
            kept.pop()
            continue
        kept.append((sign, one))
    return kept


def _joined(factors: list[tuple[str, Raw]], span: Span) -> Raw:
    if not factors:
        return Digits("1", span)
    parts: list[tuple[str, list[Raw]]] = []
    for sign, one in factors:
        taken: list[Raw] = list(one.factors) if isinstance(one, Chain) else [one]
        if parts and sign == "":
            parts[-1][1].extend(taken)
        else:
            parts.append((sign, taken))
    chains = [
        (sign, each[0] if len(each) == 1 else Chain(tuple(each), each[0].span.to(each[-1].span)))
        for sign, each in parts
    ]
    (_, first), *rest = chains
    return Infix(first, tuple(rest), span) if rest else first


def _symbols(raw: Raw) -> list[Symbol]:
    return [one for one in shapes.on_the_line(raw) if one.kind in ("letter", "greek", "word")]


def _is_number(raw: Raw) -> bool:
    """Is every letter in it one of numbers: Greek and plain, or without a time and no capital?"""
    if is_ones(raw):
        return True
    if isinstance(raw, Fraction):
        return _is_number(raw.numerator) and _is_number(raw.denominator)
    timed = {
        shapes.unscripted(node)
        for node in shapes.walk(raw)
        if isinstance(node, Scripted) and _has_time(node)
    }
    return all(_is_size_letter(one, one in timed) for one in _symbols(raw))


def _has_time(node: Scripted) -> bool:
    return any(shapes.time_of(item) is not None for one in node.scripts for item in one.items)


def _is_size_letter(one: Symbol, timed: bool) -> bool:
    if one.font or one.name == "theta":
        return False
    return one.kind == "greek" or not (timed or one.name[0].isupper())


def _is_capital(raw: Raw) -> bool:
    """Does it name matrices: is every letter on the line that is no number a capital?"""
    vectors = [one for one in _symbols(raw) if one.font or one.kind != "greek"]
    capitals = [one for one in vectors if one.name[0].isupper()]
    return bool(capitals) and len(capitals) == len(vectors)
