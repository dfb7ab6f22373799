"""`optdsl audit`: which library's X is which paper's X."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from optdsl.commands.compare_json import finite
from optdsl.commands.compare_words import percent
from optdsl.commands.terminal import Misuse, err, out, print_json, write

if TYPE_CHECKING:
    from optdsl.checks.implementations.audit import Row
    from optdsl.checks.implementations.libraries import Library

_COLOURS = {"same": "green", "same in part": "yellow", "variant": "yellow", "differs": "red"}


def audit(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only optimizers of these names, such as `rmsprop`.",
            show_default="all of them",
        ),
    ] = None,
    library: Annotated[
        list[str] | None,
        typer.Option("--library", help="Only this library.", show_default="all that are installed"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; see docs/json.md.")] = False,
) -> None:
    """Run the optimizers of installed libraries beside the rules whose names they bear."""
    from optdsl.checks.implementations.audit import audit as ask

    chosen = _chosen(library or [])
    rows: list[Row] = []
    for each in chosen:
        found = []
        for row in ask([each], names or []):
            found.append(row)
            if err().is_terminal:
                err().print(Text(row.name, "dim"))
        rows += found
        if not json:
            _print(each, found)
    if names and not rows:
        asked = ", ".join(f"`{name}`" for name in names)
        raise Misuse(f"no installed library has {asked}", "such names are `adam` and `rmsprop`")
    if json:
        print_json(_as_json(chosen, rows))


def _chosen(names: Sequence[str]) -> list[Library]:
    from optdsl.checks.implementations.libraries import LIBRARIES

    known = {library.name: library for library in LIBRARIES}
    for name in names:
        if name not in known:
            raise Misuse(f"`{name}` is not asked about", f"there are {', '.join(known)}")
        if not known[name].installed:
            raise Misuse(f"{name} is not installed", f"`pip install {name}`")
    chosen = [known[name] for name in names] or [each for each in LIBRARIES if each.installed]
    if not chosen:
        raise Misuse("no library of optimizers is installed", f"install {' or '.join(known)}")
    return chosen


def _print(library: Library, rows: Sequence[Row]) -> None:
    shown = [row for row in rows if row.finding != "no such rule"]
    if not rows:
        return
    write(Text.assemble((library.name, "bold"), (f" {library.version}", "dim")))
    table = [_cells(row) for row in shown]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row, cells in zip(shown, table, strict=True):
        its, paper, finding, apart = (
            cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
        )
        colour = _COLOURS.get(row.finding, "dim")
        write(Text.assemble(f"  {its}  {paper}  ", (finding, colour), f"  {apart}"))
        if row.note:
            write(Padding(Text(row.note, "dim"), (0, 0, 0, 6)))
    strangers = len(rows) - len(shown)
    if strangers:
        write(Text(f"  {strangers} more bear the name of no shipped rule", "dim"))
    out().print()


def _cells(row: Row) -> tuple[str, str, str, str]:
    """Return what it is called, the rule of the name, what it is, and how far that is apart."""
    path, bracket, given = row.name.partition("(")
    module, _, name = path.rpartition(".")
    within = module.partition(".")[2]
    call = name if within in ("", "optim") else f"{within}.{name}"
    finding = f"is {row.rule}" if row.finding == "variant" else row.finding
    paper = row.paper.rule if row.paper is not None else ""
    return call + bracket + given, paper, finding, _apart(row)


def _apart(row: Row) -> str:
    if row.displacement is None or row.finding == "same":
        return ""
    usual, most = row.displacement
    if percent(usual) == percent(most):
        return percent(usual)
    return f"{percent(usual)}, or {percent(most)}"


def _as_json(libraries: Sequence[Library], rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "libraries": [{"name": each.name, "version": each.version} for each in libraries],
        "rows": [_row(row) for row in rows],
    }


def _row(row: Row) -> dict[str, Any]:
    usual, most = row.displacement or (None, None)
    paper = row.paper
    return {
        "library": row.library,
        "name": row.name,
        "paper": None if paper is None else {"rule": paper.rule, "source": paper.source},
        "finding": row.finding,
        "rule": row.rule,
        "displacement": {
            "defaults": None if usual is None else finite(usual),
            "most": None if most is None else finite(most),
        },
        "note": row.note,
    }
