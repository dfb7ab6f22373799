"""What `optdsl check` finds, file by file and claim by claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from optdsl.commands.files import spec_files
from optdsl.commands.terminal import Misuse
from optdsl.diagnostics import Diagnostic, DiagnosticError, did_you_mean

if TYPE_CHECKING:
    from optdsl.language.syntax import Definition, File
    from optdsl.model.inheritance import Lookup


@dataclass(frozen=True, slots=True)
class CheckedClaim:
    """One claim, and what became of it.

    `holds` says that the verdict is the expected one; `warning` that it passes
    only because nothing speaks against it. `details` is the counterexample or the reason.
    """

    claim: str
    line: int | None
    expected: str
    verdict: str
    holds: bool
    warning: bool
    details: str = ""


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """A definition, what is wrong with it, and its claims."""

    name: str
    family: str
    errors: tuple[Diagnostic, ...] = ()
    claims: tuple[CheckedClaim, ...] = ()

    @property
    def good(self) -> bool:
        """Is there nothing to mend?"""
        return not self.errors and all(claim.holds for claim in self.claims)

    @property
    def verdict(self) -> str:
        """One word for all that it claims of sources and of other rules."""
        if not self.good:
            return "findings"
        positive = [claim for claim in self.claims if claim.expected == "proved"]
        if not positive:
            return "no claims"
        return "agrees" if any(claim.warning for claim in positive) else "proved"


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file of specs; `errors` are those that keep it from being read."""

    name: str
    rules: tuple[CheckedRule, ...] = ()
    errors: tuple[Diagnostic, ...] = field(default=())

    @property
    def good(self) -> bool:
        """Is there nothing to mend?"""
        return not self.errors and all(rule.good for rule in self.rules)


def check_paths(paths: Sequence[str], *, strict: bool = False) -> list[CheckedFile]:
    """Check files, folders and shipped rules; without any, all that is shipped.

    Raises:
        Misuse: a path or a name that does not exist.
        OSError: a file that cannot be read.
    """
    from optdsl.library import shipped

    if not paths:
        return [check_shipped(name, strict=strict) for name in shipped()]
    known = shipped()
    checked: list[CheckedFile] = []
    for path in paths:
        if path in known and not Path(path).exists():
            checked.append(check_shipped(path, strict=strict))
        elif Path(path).suffix == ".opt" or Path(path).exists():
            checked += [check_file(file, strict=strict) for file in spec_files([Path(path)])]
        else:
            raise Misuse(
                f"there is no file and no shipped rule `{path}`",
                did_you_mean(path, known) or "`optdsl list` shows what is shipped",
            )
    return checked


def check_shipped(name: str, *, strict: bool = False) -> CheckedFile:
    """Check one shipped rule."""
    from optdsl.library import find, shipped

    definition, lookup = find(name)
    return CheckedFile(shipped()[name].file.name, (_check_rule(definition, lookup, strict),))


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
    rules = tuple(_check_rule(definition, lookup, strict) for definition in file.definitions)
    return CheckedFile(str(path), rules)


def _check_rule(definition: Definition, lookup: Lookup, strict: bool) -> CheckedRule:
    from optdsl.model import build

    name, family = definition.name, definition.family
    try:
        build(definition, lookup)
        claims = _check_claims(definition, lookup, strict)
    except DiagnosticError as error:
        return CheckedRule(name, family, errors=error.diagnostics)
    return CheckedRule(name, family, claims=claims)


def _check_claims(definition: Definition, lookup: Lookup, strict: bool) -> tuple[CheckedClaim, ...]:
    return ()
