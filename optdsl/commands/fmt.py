"""`optdsl fmt`: one way to lay a spec out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optdsl.commands.files import read_text, spec_files
from optdsl.commands.terminal import err, out, show_diagnostics
from optdsl.diagnostics import DiagnosticError
from optdsl.files import write_text


def fmt(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Spec files, or folders of them.", show_default="this folder"),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 where a file would change.")
    ] = False,
) -> int:
    """Lay spec files out in the one standard way, comments kept."""
    changed = unreadable = 0
    files = spec_files(paths or [Path()])
    for path in files:
        before = read_text(path)
        try:
            after = _formatted(before, path)
        except DiagnosticError as error:
            show_diagnostics(error.diagnostics)
            unreadable += 1
            continue
        if after == before:
            continue
        changed += 1
        if not check:
            write_text(path, after)
        out().print(f"{'would reformat' if check else 'reformatted'} {path}", soft_wrap=True)
    _summarize(len(files), changed, unreadable, check)
    return 1 if unreadable or (check and changed) else 0


def _formatted(text: str, path: Path) -> str:
    from optdsl.language import format_file, parse

    return format_file(parse(text, str(path)))


def _summarize(files: int, changed: int, unreadable: int, check: bool) -> None:
    parts = [
        f"{files - changed - unreadable} {'as they should be' if check else 'left as they were'}"
    ]
    if changed:
        parts.append(f"{changed} {'would change' if check else 'reformatted'}")
    if unreadable:
        parts.append(f"{unreadable} with errors")
    err().print(f"{files} {'file' if files == 1 else 'files'}: {', '.join(parts)}", style="dim")
