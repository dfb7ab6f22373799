"""What `optdsl check` finds, file by file and claim by claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from optdsl.commands.check_ahead import checking_ahead
from optdsl.commands.files import spec_files
from optdsl.commands.terminal import Misuse
from optdsl.diagnostics import Diagnostic, DiagnosticError, did_you_mean

if TYPE_CHECKING:
    from optdsl.checks.claims import Finding
    from optdsl.language.syntax import Definition, File
    from optdsl.model.inheritance import Lookup


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """A definition, what is wrong with it, and what was found of its claims.

    `lookup` finds the definitions that it and its claims name.
    """

    name: str
    family: str
    errors: tuple[Diagnostic, ...] = ()
    findings: tuple[Finding, ...] = ()
    definition: Definition | None = None
    lookup: Lookup | None = None

    @property
    def good(self) -> bool:
        """Is there nothing to mend?"""
        return not self.errors and all(finding.passed for finding in self.findings)

    @property
    def unchecked(self) -> int:
        """How many claims were not looked at, because of errors in the definition."""
        if not self.errors or self.definition is None:
            return 0
        from optdsl.language.syntax import Claim

        return sum(isinstance(said, Claim) for said in self.definition.statements)

    @property
    def verdict(self) -> str:
        """One word for all that it claims of documents and of other rules."""
        if not self.good:
            return "findings"
        positive = [finding for finding in self.findings if finding.expected == "proved"]
        if not positive:
            return "no claims"
        return "agrees" if any(finding.warning for finding in positive) else "proved"


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file of specs; `errors` are those that keep it from being read."""

    name: str
    rules: tuple[CheckedRule, ...] = ()
    errors: tuple[Diagnostic, ...] = ()

    @property
    def good(self) -> bool:
        """Is there nothing to mend?"""
        return not self.errors and all(rule.good for rule in self.rules)


def counted(number: int, what: str) -> str:
    """Return a number and what it counts, as in `2 claims`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def check_paths(paths: Sequence[str], *, strict: bool = False) -> Iterator[CheckedFile]:
    """Check files, folders and shipped rules; without any, all that is shipped.

    Raises:
        Misuse: a path or a name that does not exist.
        OSError: a file that cannot be read.
    """
    from optdsl.library import shipped

    known = shipped()
    for path in paths or known:
        if path not in known and Path(path).suffix != ".opt" and not Path(path).exists():
            raise Misuse(
                f"there is no file and no shipped rule `{path}`",
                did_you_mean(path, known) or "`optdsl list` shows what is shipped",
            )
    if not paths:
        yield from check_all(list(known), strict=strict)
    for path in paths:
        if path in known and not Path(path).exists():
            yield check_shipped(path, strict=strict)
        else:
            for file in spec_files([Path(path)]):
                yield check_file(file, strict=strict)


def check_all(
    names: Sequence[str], *, strict: bool = False, patience: float = 2.0
) -> Iterator[CheckedFile]:
    """Check shipped rules; where it takes longer than `patience`, with other processors' help."""
    started = monotonic()
    for number, name in enumerate(names):
        if monotonic() - started > patience:
            with checking_ahead(names[number:]) as ahead:
                for left in names[number:]:
                    if ahead is not None:
                        ahead.leave(left)
                    yield check_shipped(left, strict=strict)
            return
        yield check_shipped(name, strict=strict)


def check_shipped(name: str, *, strict: bool = False) -> CheckedFile:
    """Check one shipped rule."""
    from optdsl.library import find, shipped

    definition, lookup = find(name)
    return CheckedFile(shipped()[name].file.name, (check_rule(definition, lookup, strict),))


def check_file(path: Path, *, strict: bool = False) -> CheckedFile:
    """Check every definition of a file."""
    from optdsl.library import lookup_in, read_file

    try:
        file: File = read_file(path)
    except DiagnosticError as error:
        return CheckedFile(str(path), errors=error.diagnostics)
    if not file.definitions:
        empty = Diagnostic(
            "empty-file", f"{path} holds no definition", hint="start with `optdsl new`"
        )
        return CheckedFile(str(path), errors=(empty,))
    lookup = lookup_in(file)
    rules = tuple(check_rule(definition, lookup, strict) for definition in file.definitions)
    return CheckedFile(str(path), rules)


def check_rule(definition: Definition, lookup: Lookup, strict: bool = False) -> CheckedRule:
    """Check one definition."""
    from optdsl.checks.claims import check_definition
    from optdsl.model import build_rule

    name, family = definition.name, definition.family
    try:
        build_rule(definition, lookup)
        findings = check_definition(definition, lookup, strict=strict)
    except DiagnosticError as error:
        return CheckedRule(name, family, error.diagnostics, (), definition, lookup)
    return CheckedRule(name, family, (), tuple(findings), definition, lookup)
