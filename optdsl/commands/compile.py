"""`optdsl compile`: write a rule as a Python module that can be imported, or as a library for C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optdsl.commands.compile_library import LIBRARY, tell, tell_import, write_libraries
from optdsl.commands.files import write_text
from optdsl.commands.rules import check_target, rules_by_module


def compile_(
    rule: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="A spec file (mine.opt, or mine.opt:Mine for one of several definitions), "
            "a shipped rule, or a composition.",
        ),
    ],
    directory: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the modules.")
    ],
    target: Annotated[
        str,
        typer.Option(
            "--target", "-t", help="numba-cpu, reference, jax, or library: for C, with a header."
        ),
    ] = "numba-cpu",
) -> None:
    """Write an importable Python module for each definition of a spec."""
    from optdsl.codegen import emit

    check_target(target, LIBRARY)
    rules = rules_by_module(rule)
    if target == LIBRARY:
        write_libraries(rules, directory)
        return
    texts = {module: (each, emit(each, target)) for module, each in rules.items()}
    directory.mkdir(parents=True, exist_ok=True)
    for module, (each, text) in texts.items():
        path = directory / f"{module}.py"
        write_text(path, text)
        tell(f"Wrote {path} ({each.family} {each.name}, target {target})")
        tell_import(path, each.name)
