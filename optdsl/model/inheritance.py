"""`extends`: take over all but claims, replace by name, drop what is then unread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from optdsl.diagnostics import Diagnostic, DiagnosticError, did_you_mean
from optdsl.language import normalize_time, syntax
from optdsl.model.problems import Problems
from optdsl.model.reading import names_read

_NAMED = (syntax.Hyper, syntax.Input, syntax.Equation, syntax.Draw, syntax.Storage)


@dataclass(frozen=True)
class Lookup:
    """How names of definitions are found, and which there are, for suggestions.

    `folder` is where the spec stands: documents that lie beside it may be cited.
    """

    find: Callable[[str], syntax.Definition | None]
    names: Callable[[], Iterable[str]] = tuple
    folder: Path | None = None

    def __call__(self, name: str) -> syntax.Definition | None:
        """Return the definition called `name`, or None."""
        return self.find(name)

    def hint(self, name: str) -> str | None:
        """Return a hint that names the nearest definition."""
        return did_you_mean(name, self.names())


def without(definition: syntax.Definition, lookup: Lookup) -> Lookup:
    """Return `lookup` for what stands within `definition`, which cannot be made of itself."""

    def guarded(name: str) -> syntax.Definition | None:
        found = lookup(name)
        if found is definition:
            raise DiagnosticError(
                Diagnostic(
                    "cyclic-definition",
                    f"`{definition.name}` is made of itself",
                    definition.span,
                    "rename one of the two, or name another definition",
                )
            )
        return found

    return Lookup(guarded, lookup.names, lookup.folder)


def flatten(definition: syntax.Definition, lookup: Lookup, problems: Problems) -> syntax.Definition:
    """Return `definition` with what it extends written into it, one target an equation."""
    definition = normalize_time(definition)
    own = _one_target_each(definition.statements)
    if definition.extends is None:
        return replace(definition, statements=own)
    parent = _parent(definition, lookup, problems)
    if parent is None:
        return replace(definition, statements=own, extends=None)
    replaced = {_key(statement) for statement in own}
    kept = tuple(s for s in parent.statements if _key(s) not in replaced)
    return replace(
        definition,
        extends=None,
        gives=definition.gives or parent.gives,
        doc=definition.doc or parent.doc,
        statements=_drop_unread(kept, own, definition, parent.gives),
    )


def _one_target_each(statements: tuple[syntax.Statement, ...]) -> tuple[syntax.Statement, ...]:
    single: list[syntax.Statement] = []
    for statement in statements:
        if isinstance(statement, syntax.Equation):
            single += [replace(statement, targets=(target,)) for target in statement.targets]
        else:
            single.append(statement)
    return tuple(single)


def _parent(
    definition: syntax.Definition, lookup: Lookup, problems: Problems
) -> syntax.Definition | None:
    extends = definition.extends
    assert extends is not None
    name, arguments = _rule_call(extends)
    if name is None:
        problems.error("bad-extends", "`extends` takes the name of one definition", extends.span)
        return None
    parent = lookup(name)
    if parent is None:
        problems.error("unknown-definition", f"there is no definition `{name}`", extends.span,
            lookup.hint(name),
        )  # fmt: skip
        return None
    if parent.family != definition.family or parent.value is not None:
        what = "a composition" if parent.value is not None else f"a {parent.family}"
        problems.error(
            "bad-extends",
            f"`{name}` is {what}; `extends` takes over the equations of "
            f"another {definition.family}",
            extends.span,
        )
        return None
    parent = flatten(parent, without(parent, lookup), problems)
    statements = tuple(s for s in parent.statements if not isinstance(s, syntax.Claim))
    return replace(parent, statements=_with_defaults(statements, arguments, problems))


def _rule_call(
    expression: syntax.Expression,
) -> tuple[str | None, tuple[syntax.Expression | syntax.Keyword | syntax.Scope, ...]]:
    match expression:
        case syntax.Name(name, ()):
            return name, ()
        case syntax.Call(name, arguments):
            return name, arguments
    return None, ()


def _with_defaults(
    statements: tuple[syntax.Statement, ...],
    arguments: tuple[syntax.Expression | syntax.Keyword | syntax.Scope, ...],
    problems: Problems,
) -> tuple[syntax.Statement, ...]:
    given = dict(keyword_arguments(arguments, problems))
    names = {s.name for s in statements if isinstance(s, syntax.Hyper)}
    for name, argument in given.items():
        if name not in names:
            problems.error(
                "unknown-hyperparameter",
                f"there is no hyperparameter `{name}` here",
                argument.span,
                did_you_mean(name, names),
            )
    return tuple(
        replace(s, default=given[s.name].value)
        if isinstance(s, syntax.Hyper) and s.name in given
        else s
        for s in statements
    )


def keyword_arguments(
    arguments: tuple[syntax.Expression | syntax.Keyword | syntax.Scope, ...], problems: Problems
) -> list[tuple[str, syntax.Keyword]]:
    """Return the arguments of a rule, all of which must be given by name."""
    named: list[tuple[str, syntax.Keyword]] = []
    for argument in arguments:
        if isinstance(argument, syntax.Keyword):
            named.append((argument.name, argument))
        else:
            problems.error(
                "bad-arguments",
                "hyperparameters are given by name",
                argument.span,
                "write `name=value`",
            )
    return named


def _key(statement: syntax.Statement) -> object:
    match statement:
        case syntax.Hyper(name=name) | syntax.Input(name=name):
            return name
        case syntax.Equation(targets=(target,)):
            time = target.indices or (syntax.Name("t"),)
            return target.name if time == (syntax.Name("t"),) else (target.name, time)
        case syntax.Draw(target=target):
            return target.name
        case syntax.SkipWhen() | syntax.Evaluate():
            return type(statement)
        case syntax.Storage(name=name):
            return syntax.Storage, name
    return id(statement)


def _drop_unread(
    inherited: tuple[syntax.Statement, ...],
    own: tuple[syntax.Statement, ...],
    definition: syntax.Definition,
    gives: tuple[str, ...],
) -> tuple[syntax.Statement, ...]:
    outputs = {"theta", *gives, *definition.gives}
    while True:
        read = outputs.union(*(names_read(s) for s in (*inherited, *own)))
        kept = tuple(s for s in inherited if not isinstance(s, _NAMED) or _name(s) in read)
        if kept == inherited:
            return _hypers_first((*inherited, *own))
        inherited = kept


def _name(
    statement: syntax.Hyper | syntax.Input | syntax.Equation | syntax.Draw | syntax.Storage,
) -> str:
    match statement:
        case syntax.Hyper(name=name) | syntax.Input(name=name) | syntax.Storage(name=name):
            return name
        case syntax.Draw(target=target):
            return target.name
    return statement.targets[0].name


def _hypers_first(statements: tuple[syntax.Statement, ...]) -> tuple[syntax.Statement, ...]:
    return tuple(sorted(statements, key=lambda s: not isinstance(s, syntax.Hyper)))
