"""The command line: one command a file, behind a door that lets no traceback out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave: 0 is good, 1 is findings, 2 is misuse."""
    _open_streams()
    try:
        from optdsl.commands.app import run
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None
    run(sys.argv[1:] if arguments is None else arguments)


def _open_streams() -> None:
    """Give output somewhere to go: nowhere, where the caller has closed a stream."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal cannot show is no reason to stop.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
