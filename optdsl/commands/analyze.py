"""`optdsl analyze`: what equations tell without a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from optdsl.commands.analyze_json import as_json
from optdsl.commands.analyze_words import Line, in_short, sections
from optdsl.commands.rules import find_whole
from optdsl.commands.terminal import out, print_json, write

if TYPE_CHECKING:
    from optdsl.checks.analysis import Analysis

_COLOURS = {"good": "green", "bad": "red", "note": "yellow", "": ""}


def analyze(
    rules: Annotated[
        list[str] | None,
        typer.Argument(
            help="Shipped rules, paths (mine.opt or mine.opt:Mine), or compositions.",
            show_default="a table of all that is shipped",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; see docs/json.md.")] = False,
) -> None:
    """Tell units, what may go wrong in arithmetic, and whether zeros and scale matter."""
    from optdsl.library import single_rules

    names = rules or list(single_rules())
    found = (analysis for name in names for analysis in _analyses(name))
    if json:
        print_json(as_json(found))
    elif rules:
        for number, analysis in enumerate(found):
            if number:
                out().print()
            _print(analysis)
    else:
        _print_table(found)


def _analyses(name: str) -> Iterator[Analysis]:
    from optdsl.checks.analysis import analyze_each

    return analyze_each(find_whole(name))


def _print(analysis: Analysis) -> None:
    system = analysis.system
    family = f"  {system.family}"
    if analysis.case is None:
        out().print(Text.assemble((system.name, "bold"), (family, "dim")))
    else:
        taken = f"  {analysis.case}: {system.name}"
        write(Text.assemble((analysis.name, "bold"), (family, "dim"), taken))
    for title, lines in sections(analysis):
        write(Padding(Text(title, "bold cyan"), (1, 0, 0, 2)))
        for line in lines:
            _print_line(line)


def _print_line(line: Line) -> None:
    write(Padding(Text(line.text, _COLOURS[line.tone]), (0, 0, 0, 4)))
    for detail in line.details:
        write(Padding(Text(detail, "dim"), (0, 0, 0, 6)))


def _print_table(found: Iterable[Analysis]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    titles = ("rule", "units are carried by", "zero gradients", "scale of the loss", "numerics")
    for heading in titles:
        table.add_column(heading, overflow="fold", no_wrap=heading == "rule")
    for analysis in found:
        if analysis.system.family != "schedule":
            table.add_row(Text(analysis.system.name, "bold"), *map(_cell, in_short(analysis)))
    write(table)


def _cell(line: Line) -> Text:
    return Text(line.text, _COLOURS[line.tone])
