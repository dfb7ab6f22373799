"""`optdsl coverage`: which equations of the documents are claimed, and why others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from optdsl.commands.rules import shipped_definitions
from optdsl.commands.terminal import Misuse, out, print_json, write
from optdsl.diagnostics import did_you_mean

if TYPE_CHECKING:
    from optdsl.checks.coverage import Coverage


def coverage(
    documents: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DOCUMENT]...",
            help="Names of source documents.",
            show_default="every shipped document",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; see docs/json.md.")] = False,
) -> int:
    """List the equations of the source documents, and which specs claim them."""
    from optdsl.checks.coverage import coverage_of, mentions_in
    from optdsl.latex import document_names, load_document

    known = document_names()
    for name in documents or ():
        if name not in known:
            hint = did_you_mean(name, known) or "there are " + ", ".join(known)
            raise Misuse(f"no source document is called `{name}`", hint)
    mentions = mentions_in(shipped_definitions())
    found = {
        name: coverage_of(load_document(name), mentions)
        for name in dict.fromkeys(documents or known)
    }
    if json:
        print_json(_as_json(found))
    else:
        for name, equations in found.items():
            _print(name, equations)
        _print_summary([each for equations in found.values() for each in equations])
    return 1 if any(each.problem for equations in found.values() for each in equations) else 0


def _print(document: str, equations: list[Coverage]) -> None:
    out().print(Text(document, "bold"))
    table = Table.grid(padding=(0, 2))
    for _ in range(2):
        table.add_column(overflow="fold")
    for each in equations:
        table.add_row(*_row(each))
    write(table)


def _row(each: Coverage) -> tuple[Text, Text]:
    name = each.tags[0] if each.tags else f"line {each.line}"
    if each.problem is not None:
        return Text(f"  ✗ {name}", "red"), Text(f"line {each.line}: {each.problem}", "red")
    if each.excuse is not None:
        return Text(f"  – {name}", "yellow"), Text(each.excuse, "dim")
    return Text.assemble(("  ✓ ", "green"), name), Text(_said(each))


def _said(each: Coverage) -> str:
    """Return which rules claim an equation, by verb."""
    rules: dict[str, dict[str, None]] = {}
    for mention in each.mentions:
        rules.setdefault(mention.verb, {})[mention.rule] = None
    return "; ".join(f"{verb} of {', '.join(names)}" for verb, names in rules.items())


def _print_summary(equations: list[Coverage]) -> None:
    wrong = sum(each.problem is not None for each in equations)
    excused = sum(each.problem is None and each.excuse is not None for each in equations)
    parts = [f"{len(equations) - wrong - excused} claimed", f"{excused} not, with the reason"]
    if wrong:
        parts.append(f"{wrong} to mend")
    out().print(f"{len(equations)} equations: {', '.join(parts)}", style="dim")


def _as_json(found: dict[str, list[Coverage]]) -> dict[str, Any]:
    return {
        "good": not any(each.problem for equations in found.values() for each in equations),
        "documents": [
            {"name": name, "equations": [_equation(each) for each in equations]}
            for name, equations in found.items()
        ],
    }


def _equation(each: Coverage) -> dict[str, Any]:
    return {
        "tags": list(each.tags),
        "line": each.line,
        "claims": [
            {"rule": mention.rule, "verb": mention.verb, "tags": list(mention.tags)}
            for mention in each.mentions
        ],
        "not_claimed": each.excuse,
        "problem": each.problem,
    }
