"""`optdsl check`: hold specs to what they claim."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from optdsl.commands.checking import CheckedClaim, CheckedFile, CheckedRule, check_paths
from optdsl.commands.terminal import out, print_json, show_diagnostics
from optdsl.diagnostics import Diagnostic


def check(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Spec files, folders of them, or names of shipped rules.",
            show_default="every shipped rule",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Count `agrees`, which is no proof, as a finding.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; see docs/json.md.")] = False,
) -> int:
    """Check specs: that they mean something, and that each claim has the verdict it expects."""
    files = check_paths(paths or [], strict=strict)
    if json:
        print_json(_as_json(files))
    else:
        for file in files:
            _print(file)
        _print_summary(files)
    return 0 if all(file.good for file in files) else 1


def _print(file: CheckedFile) -> None:
    show_diagnostics(file.errors)
    for rule in file.rules:
        out().print(Text(rule.name, "bold"), Text(file.name, "dim"))
        show_diagnostics(rule.errors)
        for claim in rule.claims:
            _print_claim(claim)


def _print_claim(claim: CheckedClaim) -> None:
    colour = "red" if not claim.holds else "yellow" if claim.warning else "green"
    table = Table.grid(padding=(0, 1), expand=False)
    table.add_column(width=1)
    table.add_column(width=max(16, len(claim.verdict)))
    table.add_column(overflow="fold")
    table.add_row(Text(_mark(claim), colour), Text(claim.verdict, colour), Text(claim.claim))
    out().print(Padding(table, (0, 0, 0, 2)))
    if not claim.holds:
        _detail(f"expected: {claim.expected}")
    if claim.details:
        _detail(claim.details)


def _detail(text: str) -> None:
    out().print(Padding(Text(text, "dim"), (0, 0, 0, 6)))


def _mark(claim: CheckedClaim) -> str:
    plain = not (sys.stdout.encoding or "").lower().startswith("utf")
    marks = "!~+" if plain else "✗~✓"
    return marks[2 if claim.holds and not claim.warning else 1 if claim.holds else 0]


def _print_summary(files: list[CheckedFile]) -> None:
    claims = [claim for file in files for rule in file.rules for claim in rule.claims]
    broken = [claim for claim in claims if not claim.holds]
    errors = sum(len(file.errors) + sum(len(rule.errors) for rule in file.rules) for file in files)
    rules = sum(len(file.rules) for file in files)
    parts = [f"{_count(len(claims), 'claim')} of {_count(rules, 'rule')}"]
    parts.append(f"{len(broken)} not as expected" if broken else "all as expected")
    if warned := sum(claim.warning for claim in claims):
        parts.append(f"{warned} without a proof")
    if errors:
        parts.append(_count(errors, "error"))
    colour = "red" if broken or errors else "yellow" if warned else "green"
    out().print()
    out().print(Text(", ".join(parts), f"bold {colour}"))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _as_json(files: list[CheckedFile]) -> dict[str, Any]:
    return {
        "good": all(file.good for file in files),
        "files": [
            {
                "file": file.name,
                "errors": [_diagnostic(error) for error in file.errors],
                "rules": [_rule(rule) for rule in file.rules],
            }
            for file in files
        ],
    }


def _rule(rule: CheckedRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "family": rule.family,
        "errors": [_diagnostic(error) for error in rule.errors],
        "claims": [
            {
                "claim": claim.claim,
                "line": claim.line,
                "expected": claim.expected,
                "verdict": claim.verdict,
                "holds": claim.holds,
                "warning": claim.warning,
                "details": claim.details,
            }
            for claim in rule.claims
        ],
    }


def _diagnostic(found: Diagnostic) -> dict[str, Any]:
    line, column = (
        (None, None) if found.span is None else found.span.source.position(found.span.start)
    )
    return {
        "code": found.code,
        "severity": found.severity,
        "message": found.message,
        "line": line,
        "column": column,
        "hint": found.hint,
    }
