"""How the commands speak: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from optdsl.diagnostics import Diagnostic


class Misuse(Exception):
    """The command was called in a way that cannot work."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.hint = hint
        super().__init__(message)


class _Console(Console):
    """A console that leaves it to the door what happens when its reader has left."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def out() -> Console:
    """Return the console for results; wide where it is not a terminal, so that lines stay whole."""
    return _console(sys.stdout.isatty(), stderr=False)


def err() -> Console:
    """Return the console for complaints and progress."""
    return _console(sys.stderr.isatty(), stderr=True)


def _console(terminal: bool, *, stderr: bool) -> Console:
    width = None if terminal else 120
    return _Console(stderr=stderr, width=width, highlight=False, soft_wrap=False, emoji=False)


def write(renderable: RenderableType) -> None:
    """Print a result; without the spaces that tables end in where it goes into a file."""
    console = out()
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as captured:
        console.print(renderable)
    lines = captured.get().split("\n")
    sys.stdout.write("\n".join(line.rstrip() for line in lines))


def complain(message: str, hint: str | None = None) -> None:
    """Print one line of complaint, and what to do about it."""
    text = Text.assemble(("error: ", "bold red"), message)
    if hint is not None:
        text.append_text(Text.assemble("\n", ("  help: ", "bold cyan"), hint))
    err().print(text, soft_wrap=True)


def show_diagnostics(diagnostics: Iterable[Diagnostic], console: Console | None = None) -> None:
    """Print diagnostics as they are written, in colour where the terminal has it."""
    console = console or err()
    for number, diagnostic in enumerate(diagnostics):
        if number:
            console.print()
        console.print(_coloured(diagnostic), soft_wrap=True)


def _coloured(diagnostic: Diagnostic) -> Text:
    text = Text(str(diagnostic))
    colour = "red" if diagnostic.severity == "error" else "yellow"
    text.highlight_regex(r"(?:error|warning)\[[^\]]*\]", f"bold {colour}")
    text.highlight_regex(r"(?m)^ +\| *\^+$", colour)
    text.highlight_regex(r"(?m)^ *\d* \|", "blue")
    text.highlight_regex(r"(?m)^  help:", "bold cyan")
    return text


def print_json(data: Mapping[str, Any]) -> None:
    """Print a JSON document on stdout, and nothing else."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def print_text(text: str) -> None:
    """Print a text as it is."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
