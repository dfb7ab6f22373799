"""`optdsl list`: what is shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from optdsl.commands.rules import shipped_definitions
from optdsl.commands.terminal import print_json, write

if TYPE_CHECKING:
    from optdsl.language.syntax import Definition


def list_(
    json: Annotated[bool, typer.Option("--json", help="Print JSON; see docs/json.md.")] = False,
) -> None:
    """List the optimizers, schedules and transforms that are shipped."""
    definitions = shipped_definitions()
    if json:
        print_json({"rules": [_entry(definition) for definition in definitions]})
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("name", "kind", "what it does"):
        table.add_column(heading, overflow="fold")
    family = None
    for definition in definitions:
        if family not in (None, definition.family):
            table.add_row()
        family = definition.family
        table.add_row(f"[bold]{definition.name}[/]", family, definition.doc or "")
    write(table)


def _entry(definition: Definition) -> dict[str, Any]:
    from optdsl.language.syntax import Claim, Document

    claims = [s for s in definition.statements if isinstance(s, Claim) and s.verb == "source"]
    documents = [claim.other.name for claim in claims if isinstance(claim.other, Document)]
    return {
        "name": definition.name,
        "family": definition.family,
        "doc": definition.doc,
        "sources": list(dict.fromkeys(documents)),
    }
