"""The command line: one command a file, behind a door that lets no traceback out."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave: 0 is good, 1 is findings, 2 is misuse."""
    from optdsl.commands.app import run

    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal cannot show is no reason to stop.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    run(sys.argv[1:] if arguments is None else arguments)
