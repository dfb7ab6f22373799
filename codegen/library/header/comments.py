"""Comments of C."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from optdsl.codegen.naming import comment

#: The longest line of a header.
WIDTH = 100


def remark(text: str, indent: str = "") -> list[str]:
    """Return a comment of C, wrapped."""
    width = WIDTH - len(indent) - 8
    lines = textwrap.wrap(safe(text), width) or [""]
    if len(lines) == 1:
        return [f"{indent}/* {lines[0]} */"]
    rest = [f"{indent} * {line}" for line in lines[1:]]
    return [f"{indent}/* {lines[0]}", *rest[:-1], f"{rest[-1]} */"]


def block(paragraphs: Iterable[str]) -> list[str]:
    """Return a comment of C whose lines stand as they are."""
    return ["/*", *(f" * {safe(line)}".rstrip() for line in paragraphs), " */"]


def safe(text: str) -> str:
    """Return `text` without what would end a comment or begin another."""
    return comment(text).replace("*/", "* /").replace("/*", "/ *")
