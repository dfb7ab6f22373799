"""Symbols of documents that stand for the shape of a tensor: `where $n$ = columns`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from optdsl.language import syntax
from optdsl.language.trees import rebuild, walk
from optdsl.model.functions import FACTS


def told_by_shape(value: syntax.Expression) -> bool:
    """Is `value` made of the shape of a tensor, as `columns` and `eye(rows)` are?"""
    nodes = list(walk(value))
    names = {node.name for node in nodes if isinstance(node, syntax.Name)}
    return bool(names) and names <= FACTS


def with_shapes(
    definition: syntax.Definition, symbols: Mapping[str, syntax.Where]
) -> tuple[syntax.Definition, dict[str, syntax.Where]]:
    """Write in `definition` what `symbols` say of shapes; return it, and the other symbols."""
    told = {name: where.value for name, where in symbols.items() if told_by_shape(where.value)}

    def change(node: syntax.Node) -> syntax.Node:
        if isinstance(node, syntax.Name) and node.name in told:
            return told[node.name]
        return node

    kept = tuple(
        statement
        for statement in definition.statements
        if not (isinstance(statement, syntax.Hyper) and statement.name in told)
    )
    changed = rebuild(replace(definition, statements=kept), change) if told else definition
    return changed, {name: where for name, where in symbols.items() if name not in told}
