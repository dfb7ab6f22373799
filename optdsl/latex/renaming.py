"""Our names in place of a document's, as a claim's `where` says them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from optdsl.diagnostics import Diagnostic, DiagnosticError, Span
from optdsl.language import syntax
from optdsl.latex import trees
from optdsl.latex.statements import set_by


def with_names(
    statement: syntax.Statement, named: Mapping[str, syntax.Expression]
) -> syntax.Statement:
    """Return the statement with our names for those of the document."""

    def change(name: syntax.Name, _: bool = False) -> syntax.Expression:
        value = named.get(name.name)
        if value is None:
            return name
        if isinstance(value, syntax.Name):
            return replace(_at_their_time(value, name), span=name.span)
        if _shifted(name):
            message = f"`{name.name}` is read at another time than t, and stands for a formula"
            raise _bad_name(message, name.span)
        return value

    match statement:
        case syntax.Equation(targets, value):
            new = [change(target) for target in targets]
            if not all(isinstance(one, syntax.Name) for one in new):
                message = "the document sets this: it can be renamed, not replaced by a formula"
                raise _bad_name(message, targets[0].span)
            names = tuple(one for one in new if isinstance(one, syntax.Name))
            return replace(statement, targets=names, value=trees.rewrite(value, change))
        case syntax.Draw(target, distribution):
            drawn, renamed = trees.rewrite(distribution, change), change(target)
            assert isinstance(drawn, syntax.Call)
            assert isinstance(renamed, syntax.Name)
            return replace(statement, target=renamed, distribution=drawn)
    return statement


def _at_their_time(ours: syntax.Name, theirs: syntax.Name) -> syntax.Name:
    """Return our name where theirs is read: `gamma[t-1]` for a symbol at t+1 is `gamma[t]`."""
    if not ours.indices or not theirs.indices:
        return replace(ours, indices=ours.indices or theirs.indices)
    both = trees.offset_of(ours), trees.offset_of(theirs)
    if both[0] is not None and both[1] is not None:
        return trees.at(ours, both[0] + both[1])
    if both[0] == 0:
        return replace(ours, indices=theirs.indices)
    raise _bad_name(f"`{theirs.name}` is read at another time than t", theirs.span)


def check_apart(
    statements: Iterable[syntax.Statement], named: Mapping[str, syntax.Expression]
) -> None:
    """A name that the document sets itself cannot stand for another of its symbols, too."""
    own = set_by(statements)
    for name, value in named.items():
        taken = isinstance(value, syntax.Name) and not value.indices and value.name in own
        if taken and name not in own and isinstance(value, syntax.Name):
            message = f"`{value.name}` is set by the document; `{name}` needs another name"
            raise _bad_name(message, None)


def _shifted(name: syntax.Name) -> bool:
    return bool(name.indices) and trees.offset_of(name) != 0


def names_of(named: Mapping[str, syntax.Expression]) -> set[str]:
    """Return the names of ours that stand for symbols."""
    return {name.name for value in named.values() for name, _ in trees.names_in(value)}


def _bad_name(message: str, span: Span | None) -> DiagnosticError:
    hint = "name it by a name of ours, or leave it out of --where"
    return DiagnosticError(Diagnostic("import-name", message, span, hint))
