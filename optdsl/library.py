"""Finding definitions: shipped specs, files, and compositions written on the spot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from optdsl.diagnostics import Diagnostic, DiagnosticError, SourceText, Span, did_you_mean
from optdsl.files import file_named
from optdsl.language import parse, parse_expression, syntax
from optdsl.language.trees import walk
from optdsl.model import Rule, System, build, build_rule
from optdsl.model.inheritance import Lookup

_HEADER = re.compile(r"^(optimizer|schedule|transform)\s+(\w+)", re.MULTILINE)
_FOLDERS = ("optimizers", "schedules", "transforms")


@dataclass(frozen=True)
class Shipped:
    """A definition that comes with optdsl."""

    name: str
    family: str
    file: Traversable


@cache
def shipped() -> dict[str, Shipped]:
    """Return every shipped definition by name, optimizers first."""
    found: dict[str, Shipped] = {}
    for folder in _FOLDERS:
        files = (resources.files("optdsl.specs") / folder).iterdir()
        for file in sorted(files, key=lambda item: item.name):
            if file.name.endswith(".opt"):
                for family, name in _HEADER.findall(file.read_text(encoding="utf-8")):
                    found[name] = Shipped(name, family, file)
    return found


def _shipped_file(name: str) -> syntax.File:
    return _parsed(shipped()[name].family, shipped()[name].file.name)


def single_rules() -> tuple[str, ...]:
    """Return the names of the shipped rules that do not choose between others.

    >>> "Adam" in single_rules(), "MuonWithAdamW" in single_rules()
    (True, False)
    """
    return tuple(name for name in shipped() if not _chooses(name))


def _chooses(name: str) -> bool:
    definition = next(each for each in _shipped_file(name).definitions if each.name == name)
    if definition.value is None or definition.family == "schedule":
        return False
    nodes = list(walk(definition.value))
    if any(isinstance(node, syntax.Conditional | syntax.Sequence) for node in nodes):
        return True
    parts = {node.name for node in nodes if isinstance(node, syntax.Name)} & set(shipped())
    return any(_chooses(part) for part in parts)


@cache
def _parsed(family: str, file_name: str) -> syntax.File:
    """Parse a shipped file; several definitions stand in one."""
    file = next(
        s.file for s in shipped().values() if (s.family, s.file.name) == (family, file_name)
    )
    return parse(file.read_text(encoding="utf-8"), file_name)


def read_file(path: Path) -> syntax.File:
    """Parse the spec at `path`.

    Raises:
        DiagnosticError: where the text is not a spec.
        OSError: where there is no such file.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        problem = Diagnostic(
            "not-text",
            f"{path} is not a UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}",
            hint="a spec is plain text; save it as UTF-8",
        )
        raise DiagnosticError(problem) from None
    return parse(text, str(path))


def lookup_in(file: syntax.File | None) -> Lookup:
    """Return a function that finds a definition by name: in `file`, else among the shipped ones."""
    own = {} if file is None else {d.name: d for d in file.definitions}

    def lookup(name: str) -> syntax.Definition | None:
        if name in own:
            return own[name]
        if name not in shipped():
            return None
        return next(d for d in _shipped_file(name).definitions if d.name == name)

    return Lookup(lookup, lambda: (*own, *shipped()), _folder_of(file))


def _folder_of(file: syntax.File | None) -> Path | None:
    """Return the folder of a file that was read from one; documents beside it may be cited."""
    if file is None or file.span is None or not file.span.source.name.endswith(".opt"):
        return None
    return Path(file.span.source.name).parent


def find(what: str | Path) -> tuple[syntax.Definition, Lookup]:
    """Return the definition that `what` means, and how the names in it are looked up.

    Args:
        what: the name of a shipped definition, the path of a spec (of several
            definitions the last, or the one named in `path.opt:Name`), or a
            composition such as `ClipByGlobalNorm(c=1) | Adam`.

    Raises:
        DiagnosticError: where it means nothing, or its text has errors.
        OSError: where a file cannot be read.

    >>> find("Adam")[0].family
    'optimizer'
    """
    in_file = file_named(what)
    if in_file is not None:
        return _in_file(*in_file)
    name = str(what).strip()
    if re.fullmatch(r"\w+", name):
        definition = lookup_in(None)(name)
        if definition is None:
            raise DiagnosticError(_unknown(name))
        return definition, lookup_in(None)
    return _composition(str(what)), lookup_in(None)


def _in_file(path: Path, name: str) -> tuple[syntax.Definition, Lookup]:
    file = read_file(path)
    if not file.definitions:
        raise DiagnosticError(
            Diagnostic("empty-file", f"{path} holds no definition", hint="start with `optdsl new`")
        )
    named = {definition.name: definition for definition in file.definitions}
    if name and name not in named:
        problem = Diagnostic(
            "unknown-definition",
            f"{path} holds no definition `{name}`",
            hint=did_you_mean(name, named) or "it holds " + ", ".join(named),
        )
        raise DiagnosticError(problem)
    return named[name] if name else file.definitions[-1], lookup_in(file)


def _unknown(name: str) -> Diagnostic:
    hint = did_you_mean(name, shipped())
    return Diagnostic(
        "unknown-definition",
        f"there is no definition `{name}`",
        Span(SourceText("<name>", name), 0, len(name)),
        hint or "`optdsl list` shows those that are shipped; a path ends in .opt",
    )


def _composition(text: str) -> syntax.Definition:
    expression = parse_expression(text, "<composition>")
    names = list(_rule_names(expression))
    known = shipped()
    families = [known[name].family for name in names if name in known]
    return syntax.Definition(
        family=families[-1] if families else "optimizer",  # type: ignore[arg-type]
        name="".join(names) or "Composition",
        value=expression,
        span=expression.span,
    )


def _rule_names(expression: syntax.Expression) -> Iterator[str]:
    match expression:
        case syntax.Name(name) | syntax.Call(name):
            yield name
        case syntax.Attribute(value) | syntax.Unary(_, value):
            yield from _rule_names(value)
        case syntax.Binary(_, left, right) | syntax.Sequence(left, _, right):
            yield from _rule_names(left)
            yield from _rule_names(right)
        case syntax.Conditional(value, _, otherwise):
            yield from _rule_names(value)
            if otherwise is not None:
                yield from _rule_names(otherwise)


def load_system(what: str | Path) -> System:
    """Return the system that `what` means; see `find`.

    Raises:
        DiagnosticError: with everything that is wrong.

    >>> load_system("Adam").outputs
    ('theta',)
    """
    definition, lookup = find(what)
    return build(definition, lookup)


def load_rule(what: str | Path) -> Rule:
    """Return what `what` means, be it one system or a choice between several; see `find`.

    Raises:
        DiagnosticError: with everything that is wrong.

    >>> len(load_rule("SGD if ndim > 1 else AdamW").cases)
    2
    """
    definition, lookup = find(what)
    return build_rule(definition, lookup)
