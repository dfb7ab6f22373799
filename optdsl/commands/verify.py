"""`optdsl verify`: the compiled kernel beside the document it is held to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from optdsl.commands.rules import find_rule
from optdsl.commands.terminal import print_json, write

if TYPE_CHECKING:
    from optdsl.checks.alone import Alone
    from optdsl.checks.kernel import Verified, Worst


def verify(
    rules: Annotated[
        list[str],
        typer.Argument(
            help="Shipped rules, paths (mine.opt or mine.opt:Mine), or compositions.",
            metavar="RULE...",
        ),
    ],
    steps: Annotated[int, typer.Option("--steps", min=1, max=1000, help="Steps of a run.")] = 20,
    runs: Annotated[int, typer.Option("--runs", min=1, max=100, help="Random starts.")] = 4,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other numbers.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; see docs/json.md.")] = False,
) -> int:
    """Run a compiled kernel beside its sources, evaluated from their LaTeX to 50 digits."""
    from optdsl.checks.kernel import verify as run_beside

    told = []
    for rule in rules:
        definition, lookup = find_rule(rule)
        for alone, found in run_beside(definition, lookup, steps=steps, runs=runs, seed=seed):
            told.append((alone, found))
            if not json:
                _print(alone, found)
    if json:
        print_json(as_json(told))
    return 0 if all(each.good for _, found in told for each in found) else 1


def as_json(told: list[tuple[Alone, list[Verified]]]) -> dict[str, Any]:
    """Return the document that `optdsl verify --json` prints."""
    return {
        "good": all(each.good for _, found in told for each in found),
        "rules": [
            {
                "name": alone.name,
                "case": _case(alone),
                "sources": [
                    {
                        "source": each.source,
                        "good": each.good,
                        "reason": each.reason,
                        "runs": each.runs,
                        "steps": each.steps,
                        "entries": each.entries,
                        "errors": [_error(worst) for worst in each.errors],
                    }
                    for each in found
                ],
            }
            for alone, found in told
        ],
    }


def _case(alone: Alone) -> dict[str, str] | None:
    return None if alone.case is None else {"title": alone.case, "rule": alone.system.name}


def _error(worst: Worst) -> dict[str, Any]:
    finite = worst.ulps if worst.ulps != float("inf") else None
    return {
        "format": worst.format,
        "ulps": finite,
        "step": worst.step,
        "what": worst.what,
        "good": worst.good,
    }


def _print(alone: Alone, found: list[Verified]) -> None:
    taken = "" if alone.case is None else f"  {alone.case}: {alone.system.name}"
    write(Text.assemble((alone.name, "bold"), taken))
    if not any(each.source for each in found):
        write(
            Padding(Text("it claims no source: its own equations stand in", "yellow"), (0, 0, 0, 2))
        )
    elif found[-1].source is None:
        text = "none of its sources can be run: its own equations stand in"
        write(Padding(Text(text, "yellow"), (0, 0, 0, 2)))
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("against", "float32", "float64"):
        table.add_column(heading, overflow="fold")
    for each in found:
        if each.errors:
            cells = {worst.format: _cell(worst) for worst in each.errors}
            columns = (cells.get(name, Text("")) for name in ("float32", "float64"))
            table.add_row(Text(each.source or "its own equations"), *columns)
    if table.row_count:
        write(Padding(table, (0, 0, 0, 2)))
    for each in found:
        if each.reason is not None:
            words = each.source or "its own equations"
            write(Padding(Text(f"not run: {words}: {each.reason}", "yellow"), (0, 0, 0, 2)))
    _print_extent(found)


def _print_extent(found: list[Verified]) -> None:
    ran = [each for each in found if each.errors]
    if ran:
        most = max(ran, key=lambda each: each.steps)
        entries = f" of {most.entries} entries" if len(most.errors) > 1 else ""
        text = (
            f"largest errors of {most.steps} steps in {most.runs} runs{entries}, "
            "in units in the last place of what was carried"
        )
        write(Padding(Text(text, "dim"), (0, 0, 0, 2)))


def _cell(worst: Worst) -> Text:
    colour = "green" if worst.good else "red"
    if worst.ulps == float("inf"):
        return Text(f"{worst.what} is no number in step {worst.step}", colour)
    if not worst.ulps:
        return Text("exact", colour)
    return Text(f"{worst.ulps:.2f} ulp, step {worst.step}", colour)
