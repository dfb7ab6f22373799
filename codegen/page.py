"""The page of a generated module: what it says of itself, what it imports, its functions."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from optdsl.codegen.naming import comment
from optdsl.codegen.source import WIDTH, Functions, indent, wrapped
from optdsl.codegen.versions import Imprint
from optdsl.model.alternatives import Rule
from optdsl.program.describing import equations_text

#: Modules of others that a page may need, by the name that it has for each.
MODULES = {"np": "numpy", "jnp": "jax.numpy"}


def page_text(
    header: str,
    functions: Functions,
    declaration: list[str],
    public: str,
    made: str,
    offered: Iterable[tuple[str, Iterable[str]]],
) -> str:
    """Return the text of a module.

    Args:
        header: its docstring.
        functions: what it defines.
        declaration: the lines `NAME = ...` of what it says of the rule.
        public: the name by which it is known, or one like it where that is taken.
        made: what that name stands for, made of the declaration.
        offered: modules, each with the names that may be imported from it; those that are used are.
    """
    code = functions.text()
    body = [*([code, "", ""] if code else []), *declaration]
    words = _words("\n".join([*body, made]))
    name = f"{public}_" if public in words else public
    head = [header, "", *_imports(words, offered), "", ""]
    return "\n".join([*head, *body, "", f"{name} = {made}", ""])


def header_text(rule: Rule, target: str, imprint: Imprint) -> str:
    """Return the docstring of a module: what the rule is, and its equations in lines."""
    title = f"{rule.name}: {rule.doc}" if rule.doc else rule.name
    lines = [title, "", *indent(equations_text(rule)), *imprint.paragraph]
    lines += ["", f"Written by optdsl {imprint.version} for the target {target}. Do not edit."]
    lines = [_safe(line) for line in lines]
    raw = "r" if any("\\" in line for line in lines) else ""
    return "\n".join([f'{raw}"""{lines[0]}', *lines[1:], '"""', "# ruff: noqa"])


def _safe(text: str) -> str:
    return comment(text).replace('"""', "'''")


def _words(text: str) -> set[str]:
    """Return every name that the text of a module uses or defines."""
    nodes = list(ast.walk(ast.parse(text)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def _imports(words: set[str], offered: Iterable[tuple[str, Iterable[str]]]) -> list[str]:
    """Return the imports that a module of these words needs, and no others."""
    others = [f"import {module} as {name}" for name, module in MODULES.items() if name in words]
    used: dict[str, set[str]] = {}
    for module, names in offered:
        used.setdefault(module, set()).update(words.intersection(names))
    ours = [line for module in sorted(used) for line in _import(module, sorted(used[module]))]
    return [*others, *([""] if others else []), *ours]


def _import(module: str, names: list[str]) -> list[str]:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return [line] if names else []
    return wrapped(f"from {module} import (", names)
