"""Going through syntax trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any, TypeVar, cast

from optdsl.language.syntax import Node

_Tree = TypeVar("_Tree", bound=Node)


_PARTS: dict[str, tuple[str, ...]] = {}


def _parts(node: Node) -> tuple[str, ...]:
    kind = type(node).__name__
    if kind not in _PARTS:
        _PARTS[kind] = tuple(field.name for field in fields(node) if field.name != "span")
    return _PARTS[kind]


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes that stand directly in `node`, in the order of its fields."""
    for name in _parts(node):
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Node))


def walk(node: Node) -> Iterator[Node]:
    """Yield `node` and all nodes in it, outermost first."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(reversed(list(children(found))))


def rebuild(node: _Tree, change: Callable[[Node], Node]) -> _Tree:
    """Return `node` with `change` made to every node of it, innermost first."""
    new: dict[str, Any] = {}
    for name in _parts(node):
        value = getattr(node, name)
        if isinstance(value, Node):
            changed: Any = rebuild(value, change)
        elif isinstance(value, tuple):
            changed = tuple(
                rebuild(item, change) if isinstance(item, Node) else item for item in value
            )
            if all(one is other for one, other in zip(changed, value, strict=True)):
                continue
        else:
            continue
        if changed is not value:
            new[name] = changed
    return cast(_Tree, change(replace(node, **new) if new else node))
