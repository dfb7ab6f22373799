"""Which names a piece of syntax reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from optdsl.language import syntax


def nodes(node: object) -> Iterator[syntax.Node]:
    """Yield a node and all nodes in it, outermost first."""
    if isinstance(node, tuple):
        for item in node:
            yield from nodes(item)
    elif isinstance(node, syntax.Node):
        yield node
        for field in fields(node):
            if field.name != "span":
                yield from nodes(getattr(node, field.name))


def names_read(statement: syntax.Statement) -> set[str]:
    """Return the names that `statement` reads; an equation does not count as reading its target.

    >>> from optdsl.language.syntax import Equation, Name
    >>> names_read(Equation((Name("m"),), Name("g")))
    {'g'}
    """
    match statement:
        case syntax.Equation(targets=targets, value=value):
            read = {node.name for node in nodes(value) if isinstance(node, syntax.Name)}
            return read - {target.name for target in targets}
        case syntax.Draw(target=target, distribution=distribution):
            read = {node.name for node in nodes(distribution) if isinstance(node, syntax.Name)}
            return read - {target.name}
        case syntax.Claim():
            return _names_of_claim(statement)
    return {node.name for node in nodes(statement) if isinstance(node, syntax.Name)}


def _names_of_claim(claim: syntax.Claim) -> set[str]:
    read = {node.name for where in claim.where for node in nodes(where.value)
            if isinstance(node, syntax.Name)}  # fmt: skip
    return read | ({claim.gives} if claim.gives else set())
