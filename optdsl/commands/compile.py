"""`optdsl compile`: write a rule as a Python module that can be imported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optdsl.commands.files import write_text
from optdsl.commands.rules import check_target, rules_by_module
from optdsl.commands.terminal import out


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
        str, typer.Option("--target", "-t", help="numba-cpu, reference or jax.")
    ] = "numba-cpu",
) -> None:
    """Write an importable Python module for each definition of a spec."""
    from optdsl.codegen import emit

    check_target(target)
    rules = rules_by_module(rule)
    texts = {module: (each, emit(each, target)) for module, each in rules.items()}
    directory.mkdir(parents=True, exist_ok=True)
    for module, (each, text) in texts.items():
        path = directory / f"{module}.py"
        write_text(path, text)
        out().print(f"Wrote {path} ({each.family} {each.name}, target {target})", soft_wrap=True)
        if not path.is_absolute() and all(
            part.isidentifier() for part in path.with_suffix("").parts
        ):
            dotted = ".".join(path.with_suffix("").parts)
            out().print(f"  from {dotted} import {each.name}", soft_wrap=True)
