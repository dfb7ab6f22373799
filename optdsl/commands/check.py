"""`optdsl check`: hold specs to what they claim."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from optdsl.commands.check_html import as_html
from optdsl.commands.check_json import as_json
from optdsl.commands.checking import CheckedFile, CheckedRule, check_paths, counted
from optdsl.commands.terminal import out, print_json, show_diagnostics, write
from optdsl.files import write_text

if TYPE_CHECKING:
    from optdsl.checks.claims import Finding


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
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a page with the equations side by side."
        ),
    ] = None,
) -> int:
    """Check specs: that they mean something, and that each claim has the verdict it expects."""
    files = []
    for file in check_paths(paths or [], strict=strict):
        files.append(file)
        if not json:
            print_file(file)
    if json:
        print_json(as_json(files))
    else:
        print_summary(files)
    if html is not None:
        write_text(html, as_html(files))
        if not json:
            out().print(f"The page is {html}.")
    return 0 if all(file.good for file in files) else 1


def print_file(file: CheckedFile) -> None:
    """Print what was found of a file."""
    show_diagnostics(file.errors, out())
    for rule in file.rules:
        out().print(Text(rule.name, "bold"), Text(file.name, "dim"))
        show_diagnostics(rule.errors, out())
        for finding in rule.findings:
            _print_finding(finding)
        _print_assumptions(rule)


def _print_finding(finding: Finding) -> None:
    from optdsl.checks.known import claim_text

    colour = "red" if not finding.passed else "yellow" if finding.warning else "green"
    verdict = finding.verdict.kind
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(width=max(7, len(verdict)))
    table.add_column(overflow="fold")
    table.add_row(
        Text(_mark(finding), colour), Text(verdict, colour), Text(claim_text(finding.claim))
    )
    if finding.passed and finding.verdict.counterexample is not None:
        table.add_row("", "", Text(_in_short(finding), "dim"))
    write(Padding(table, (0, 0, 0, 2)))
    show_diagnostics(finding.diagnostics, out())


def _in_short(finding: Finding) -> str:
    """Return the counterexample that was claimed to exist, in a few lines."""
    found = finding.verdict.counterexample
    assert found is not None
    lines = [f"at t = {found.step}, {found.what}: {found.ours} against {found.theirs}"]
    lines.append("with " + ", ".join(f"{name} = {value}" for name, value in found.inputs.items()))
    return "\n".join(lines if found.cause is None else [*lines, found.cause])


def _print_assumptions(rule: CheckedRule) -> None:
    """Say what the verdicts rest on that the claims do not say."""
    verdicts = [finding.verdict for finding in rule.findings]
    formats = _storage_formats(rule)
    facts = {
        "for": _distinct(text for verdict in verdicts for text in verdict.domains),
        "starts not stated by a source, taken as": _distinct(
            text for verdict in verdicts for text in verdict.starts
        ),
        "of real numbers, whatever is stored as": formats,
    }
    for what, texts in facts.items():
        if texts:
            line = Text(f"{what} {', '.join(texts)}", "dim")
            write(Padding(line, (0, 0, 0, 4)))


def _storage_formats(rule: CheckedRule) -> list[str]:
    """Return the formats in which the rule stores its numbers, which no verdict depends on."""
    from optdsl.language import syntax

    statements = () if rule.definition is None else rule.definition.statements
    return _distinct(each.format for each in statements if isinstance(each, syntax.Storage))


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _mark(finding: Finding) -> str:
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    bad, doubtful, good = "✗~✓" if unicode else "!~+"
    return bad if not finding.passed else doubtful if finding.warning else good


def print_summary(files: Sequence[CheckedFile]) -> None:
    """Print how many claims there were, and how many came out as they should."""
    rules = [rule for file in files for rule in file.rules]
    findings = [finding for rule in rules for finding in rule.findings]
    errors = sum(len(file.errors) for file in files) + sum(len(rule.errors) for rule in rules)
    broken = sum(1 for finding in findings if not finding.passed)
    warned = sum(1 for finding in findings if finding.warning)
    parts = [f"{counted(len(findings), 'claim')} of {counted(len(rules), 'rule')}"]
    if broken:
        parts.append(f"{broken} not as expected")
    elif findings:
        parts.append("all as expected" if not warned else f"{warned} without a proof")
    unchecked = sum(rule.unchecked for rule in rules)
    if unchecked:
        parts.append(f"{counted(unchecked, 'more claim')} not checked")
    if errors:
        parts.append(counted(errors, "error"))
    colour = "red" if broken or errors else "yellow" if warned else "green"
    out().print()
    write(Text(", ".join(parts), f"bold {colour}"))
