"""Reads random draws, `\\xi_t \\sim \\mathcal{N}(0, \\sigma_t^2)`: papers print the variance."""

from __future__ import annotations

from typing import cast

from optdsl.language import syntax
from optdsl.latex import shapes
from optdsl.latex.notation import (
    Braces,
    Chain,
    Digits,
    Group,
    Infix,
    Operator,
    Raw,
    Scripted,
    Symbol,
)
from optdsl.latex.problems import refuse
from optdsl.latex.reads import Reads

_NORMAL = frozenset({"N", "Normal"})
_UNIFORM = frozenset({"U", "Uniform", "Unif"})
_CALLED = "a draw is `\\mathcal{N}(0, \\sigma^2)` or `\\mathcal{U}(a, b)`"


def is_distribution(head: Raw, follower: Raw) -> bool:
    """Is it a letter or a word for a distribution, with two arguments behind it?"""
    if not (isinstance(head, Symbol) and head.name in _NORMAL | _UNIFORM):
        return False
    if head.name == "U" and not head.font:
        return False
    group = shapes.unscripted(follower)
    return shapes.is_group(follower, "(") and len(cast(Group, group).items) == 2


def inline(head: Raw, follower: Raw, reader: Reads) -> syntax.Expression:
    """A distribution in the middle of a formula is a number drawn from it: name it."""
    if isinstance(follower, Scripted):
        raise refuse("latex-script", "a script on a distribution", follower.scripts[0].span)
    drawn = _distribution(cast(Symbol, head), cast(Group, follower), reader)
    taken = reader.evidence.named | {name.name for name, _ in reader.draws}
    name = next(n for n in ("xi", "noise", *_numbered("noise")) if n not in taken)
    target = syntax.Name(name, span=head.span.to(follower.span))
    reader.draws.append((target, drawn))
    return target


def _numbered(stem: str) -> list[str]:
    return [f"{stem}_{number}" for number in range(2, 100)]


def drawn(raw: Raw, reader: Reads) -> syntax.Call:
    """Return the distribution that stands behind `\\sim`."""
    match raw:
        case Chain((Operator("normal" | "uniform" as name, "operator"), Group("(", items))):
            return syntax.Call(name, tuple(map(reader.expression, items)), span=raw.span)
        case Chain((head, follower)) if is_distribution(head, follower):
            if not isinstance(follower, Scripted):
                return _distribution(cast(Symbol, head), cast(Group, follower), reader)
    raise refuse("latex-draw", "this distribution is not understood", raw.span, _CALLED)


def _distribution(head: Symbol, group: Group, reader: Reads) -> syntax.Call:
    span = head.span.to(group.span)
    if set(group.separators) - {","}:
        raise refuse("latex-draw", "this distribution is not understood", span, _CALLED)
    first = reader.expression(group.items[0])
    if head.name in _UNIFORM:
        return syntax.Call("uniform", (first, reader.expression(group.items[1])), span=span)
    variance = reader.expression(_without_identity(group.items[1]))
    return syntax.Call("normal", (first, _deviation(variance)), span=span)


def _without_identity(raw: Raw) -> Raw:
    """`\\sigma^2 I`: each entry is drawn by itself."""
    match raw:
        case _ if _is_identity(raw):
            return Digits("1", raw.span)
        case Chain((*factors, last)) if _is_identity(last):
            return factors[0] if len(factors) == 1 else Chain(tuple(factors), raw.span)
        case Infix(first, ((sign, last),)) if sign in ("*", "\\times") and _is_identity(last):
            return first
    return raw


def _is_identity(raw: Raw) -> bool:
    base = shapes.unscripted(raw)
    if isinstance(base, Braces):
        return _is_identity(base.value)
    return isinstance(base, Symbol) and base.name in ("I", "Id")


def _deviation(variance: syntax.Expression) -> syntax.Expression:
    """The language draws by the deviation: the root of what papers print."""
    match variance:
        case syntax.Binary("^", base, syntax.Number("2")):
            return base
        case syntax.Number("0" | "1"):
            return variance
    return syntax.Call("sqrt", (variance,), span=variance.span)
