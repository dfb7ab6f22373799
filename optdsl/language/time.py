"""Time indices: `theta[t+1] = theta[t] - ...` says what `theta[t] = theta[t-1] - ...` says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.language import syntax
from optdsl.language.trees import rebuild, walk


def offset(index: syntax.Expression) -> int | None:
    """Return k where `index` is t + k, None where it is anything else.

    >>> offset(syntax.Binary("-", syntax.Name("t"), syntax.Number("1")))
    -1
    """
    match index:
        case syntax.Name("t", ()):
            return 0
        case syntax.Binary("+" | "-" as sign, left, right):
            base, step = offset(left), position(right)
            if base is None and sign == "+":
                base, step = offset(right), position(left)
            if base is None or step is None:
                return None
            return base + step if sign == "+" else base - step
    return None


def position(index: syntax.Expression) -> int | None:
    """Return the whole number that `index` is, None where it is none."""
    if isinstance(index, syntax.Number) and index.text.isdecimal():
        return int(index.text)
    return None


def at_offset(k: int) -> syntax.Expression:
    """Return the index t + k.

    >>> at_offset(-1)
    Binary(operator='-', left=Name(name='t', indices=()), right=Number(text='1'))
    """
    t = syntax.Name("t")
    if k == 0:
        return t
    return syntax.Binary("+" if k > 0 else "-", t, syntax.Number(str(abs(k))))


def normalize_time(definition: syntax.Definition) -> syntax.Definition:
    """Return `definition` with every name that is defined at `[t+1]` one step lower throughout.

    `x[t+1] = f(x[t])` becomes `x[t] = f(x[t-1])`. The first value of such a
    name is `x[1]` or, where the author counts from 0, `x[0]`; it becomes `x[0]`.
    Raises DiagnosticError where a name is defined both at `[t]` and at `[t+1]`,
    where both `x[0]` and `x[1]` are given, or where such a name is read without an index.
    """
    ahead = {target.name for target in _targets(definition) if _last_offset(target) == 1}
    if not ahead:
        return definition
    mistakes = [*_check_targets(definition, ahead), *_check_reads(definition, ahead)]
    if mistakes:
        raise DiagnosticError(mistakes)

    def lower(node: syntax.Node) -> syntax.Node:
        if isinstance(node, syntax.Name) and node.name in ahead and node.indices:
            last = node.indices[-1]
            return replace(node, indices=(*node.indices[:-1], _lower(last)))
        return node

    statements = tuple(rebuild(statement, lower) for statement in definition.statements)
    return replace(definition, statements=statements)


def _targets(definition: syntax.Definition) -> Iterator[syntax.Name]:
    for statement in definition.statements:
        if isinstance(statement, syntax.Equation):
            yield from statement.targets
        elif isinstance(statement, syntax.Draw):
            yield statement.target


def _last_offset(name: syntax.Name) -> int | None:
    return offset(name.indices[-1]) if name.indices else 0


def _lower(index: syntax.Expression) -> syntax.Expression:
    ahead, fixed = offset(index), position(index)
    if ahead is not None:
        return replace(at_offset(ahead - 1), span=index.span)
    if fixed:
        return syntax.Number(str(fixed - 1), span=index.span)
    return index


def _check_targets(definition: syntax.Definition, ahead: set[str]) -> Iterator[Diagnostic]:
    started: dict[str, int] = {}
    for target in _targets(definition):
        if target.name not in ahead:
            continue
        if _last_offset(target) == 0:
            yield Diagnostic(
                "mixed-time",
                f"`{target.name}` is defined both at [t] and at [t+1]",
                target.span,
                "define it at [t] throughout, from values at [t-1]",
            )
        start = position(target.indices[-1]) if target.indices else None
        if start in (0, 1) and started.setdefault(target.name, start) != start:
            yield Diagnostic(
                "mixed-time",
                f"`{target.name}` is defined at [t+1] and has two first values, at [0] and at [1]",
                target.span,
                "give one of them",
            )


def _check_reads(definition: syntax.Definition, ahead: set[str]) -> Iterator[Diagnostic]:
    for statement in definition.statements:
        for node in walk(statement):
            if isinstance(node, syntax.Name) and node.name in ahead and not node.indices:
                yield Diagnostic(
                    "mixed-time",
                    f"`{node.name}` is defined at [t+1] and must be read with an index",
                    node.span,
                    f"write `{node.name}[t]` for its value before the step",
                )
