"""Diagonal matrices, which papers make of vectors: `\\mathrm{diag}(v_t)^{-1/2} g_t`.

A product with a diagonal matrix is one entry by entry, and so is a power of it: beside vectors
alone `\\mathrm{diag}` says nothing, and the identity `I` beside it is a one for every entry.
"""

from __future__ import annotations

from dataclasses import replace

from optdsl.latex import shapes
from optdsl.latex.declared import Declared, spellings
from optdsl.latex.notation import (
    Braces,
    Chain,
    Digits,
    Group,
    Operator,
    Raw,
    Script,
    Scripted,
    Sides,
    Sign,
    Symbol,
)
from optdsl.latex.problems import refuse

_DIAGONAL = frozenset(("diag", "Diag"))
_HINT = "write the entries of the diagonal as a vector, as in `v_t`"


def with_entries(statements: tuple[Sides, ...], declared: Declared) -> tuple[Sides, ...]:
    """Return the statements with vectors for the diagonal matrices that are made of them.

    Where `declared` says what diag is, it is left as it stands.

    Raises DiagnosticError where it is a matrix whose diagonal is taken, or one stands beside it.
    """
    known = _DIAGONAL & spellings(declared)
    if known or not any(_is_head(node) for node in shapes.walk(statements)):
        return statements
    statements = tuple(shapes.rebuild(one, _plain) for one in statements)
    for node in shapes.walk(statements):
        if isinstance(node, Scripted) and any(map(_is_top, node.scripts)):
            message = "a transpose beside a diagonal matrix"
            raise refuse("latex-ambiguous", message, node.span, _HINT)
    made = {shapes.key_of(one.sides[0]) for one in statements if one.relations}
    if ("I",) in made:
        return statements
    return tuple(shapes.rebuild(one, _identity) for one in statements)


def _is_head(node: object) -> bool:
    return isinstance(node, Operator | Symbol) and node.name in _DIAGONAL


def _is_top(script: Script) -> bool:
    return script.raised and isinstance(script.items[0], Sign) and script.items[0].name == "top"


def _plain(node: object) -> object:
    """Leave `diag` out of a product; what is in its brackets stays in them."""
    if not isinstance(node, Chain) or not any(map(_is_head, node.factors)):
        return None
    kept: list[Raw] = []
    factors = list(node.factors)
    while factors:
        one = factors.pop(0)
        if _is_head(one) and factors and shapes.is_group(factors[0], "("):
            one = _vector(factors.pop(0))
        kept.append(shapes.rebuild(one, _plain))
    return kept[0] if len(kept) == 1 else replace(node, factors=tuple(kept))


def _vector(bracket: Raw) -> Raw:
    group = shapes.unscripted(bracket)
    assert isinstance(group, Group), "diag stands before a bracket"
    (item, *others) = group.items
    match item:
        case Chain((first, Scripted(base, scripts))) if any(map(_is_top, scripts)):
            rest = tuple(one for one in scripts if not _is_top(one))  # `g_t g_t^\\top`
            same = _said(first) == _said(Scripted(base, rest, base.span) if rest else base)
            if same:
                two = Script(True, (Digits("2", item.span),), (), item.span)
                item = Scripted(Group("(", (first,), (), item.span), (two,), item.span)
    letters = [one for one in shapes.on_the_line(item) if one.kind in ("letter", "greek")]
    if others or not letters or any(one.name[0].isupper() for one in letters):
        message = "the diagonal of a matrix, or a diagonal matrix?"
        raise refuse("latex-ambiguous", message, bracket.span, _HINT)
    plain = Braces(item, group.span)  # no brackets: `\\eta (v)` might be a function
    return replace(bracket, base=plain) if isinstance(bracket, Scripted) else plain


def _said(raw: Raw) -> tuple[object, ...]:
    scripts = raw.scripts if isinstance(raw, Scripted) else ()
    below = sorted("".join(one.span.text.split()) for one in scripts)
    return (shapes.key_of(raw), tuple(below))


def _identity(node: object) -> object:
    """`\\epsilon I`, `\\epsilon I_d`: ones on the diagonal."""
    match node:
        case Symbol("I", _, _) | Scripted(Symbol("I", _, _), (Script(False),)):
            return Symbol("1", "word", "mathbf", node.span)
    return None
