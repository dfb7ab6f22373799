"""All commands, under one name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any

import typer

from optdsl import __version__
from optdsl.commands.analyze import analyze
from optdsl.commands.audit import audit
from optdsl.commands.check import check
from optdsl.commands.compare import compare
from optdsl.commands.compile import compile_
from optdsl.commands.coverage import coverage
from optdsl.commands.door import guarded
from optdsl.commands.fmt import fmt
from optdsl.commands.importing import import_
from optdsl.commands.info import info
from optdsl.commands.list import list_
from optdsl.commands.new import new
from optdsl.commands.show import show
from optdsl.commands.verify import verify

COMMANDS: dict[str, Callable[..., int | None]] = {
    "list": list_,
    "info": info,
    "check": check,
    "analyze": analyze,
    "verify": verify,
    "coverage": coverage,
    "compare": compare,
    "audit": audit,
    "compile": compile_,
    "import": import_,
    "show": show,
    "fmt": fmt,
    "new": new,
}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in COMMANDS.items():
    app.command(_name)(guarded(_command))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"optdsl {__version__}")
        raise typer.Exit()


@app.callback()
def _optdsl(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """From the equations of a paper to an optimizer that runs."""


def run(arguments: Sequence[str]) -> Any:
    """Run the command line on `arguments`; leaves by `SystemExit`."""
    return _parser()(args=list(arguments), prog_name="optdsl")


@cache
def _parser() -> Any:
    """Return what reads the command line; to look at the parameters of all commands takes long."""
    return typer.main.get_command(app)
