"""Reads `\\frac{dL}{dw}` as what it is, a derivative: its d is no factor."""

from __future__ import annotations

from optdsl.latex import shapes
from optdsl.latex.declared import Declared, spellings
from optdsl.latex.notation import Chain, Fraction, Infix, Operator, Raw, Sides, Symbol
from optdsl.latex.problems import refuse


def with_derivatives(statements: tuple[Sides, ...], declared: Declared) -> tuple[Sides, ...]:
    """Return the statements with partials for the d's of a quotient of differentials.

    Raises DiagnosticError where d is a name here, too: declared, set, or read elsewhere.
    """
    statements = tuple(shapes.rebuild(one, _with_quotient) for one in statements)
    found = [node for node in shapes.walk(statements) if _is_quotient(node)]
    if not found:
        return statements
    lone = sum(symbol.name == "d" for symbol in shapes.on_the_line(statements))
    if lone > 2 * len(found) or "d" in spellings(declared):
        first = found[0]
        assert isinstance(first, Fraction)
        hint = "write `\\frac{\\partial L}{\\partial w}` for a derivative"
        raise refuse("latex-ambiguous", "is this a derivative, or a quotient?", first.span, hint)
    return tuple(shapes.rebuild(one, _derived) for one in statements)


def _is_quotient(node: object) -> bool:
    match node:
        case Fraction(Chain((first, _, *_)), Chain((second, _))):
            return _is_d(first) and _is_d(second)
        case Fraction(first, Chain((second, _))):
            return _is_d(first) and _is_d(second)
    return False


def _is_d(raw: Raw) -> bool:
    return isinstance(raw, Symbol) and raw.name == "d" and raw.kind != "greek"


def _derived(node: object) -> object:
    if not isinstance(node, Fraction) or not _is_quotient(node):
        return None
    sides = []
    for side in (node.numerator, node.denominator):
        partial = Operator("partial", "partial", side.span)
        rest = side.factors[1:] if isinstance(side, Chain) else ()
        sides.append(Chain((partial, *rest), side.span) if rest else partial)
    return Fraction(sides[0], sides[1], node.span)


def _with_quotient(node: object) -> object:
    """`r \\, \\partial L / \\partial w`: what stands before the partial multiplies the quotient."""
    match node:
        case Infix(Chain((*before, partial, loss)), (("/", Chain((other, point))),), span):
            if _is_partial(partial) and _is_partial(other) and before:
                upper = Chain((partial, loss), partial.span.to(loss.span))
                lower = Chain((other, point), other.span.to(point.span))
                fraction = Fraction(upper, lower, partial.span.to(point.span))
                return Chain((*before, fraction), span)
    return None


def _is_partial(raw: Raw) -> bool:
    return isinstance(raw, Operator) and raw.kind == "partial"
