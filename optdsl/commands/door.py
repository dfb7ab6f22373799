"""What stands between the commands and the user: every failure leaves as a sentence."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ParamSpec

from optdsl.commands.terminal import Misuse, complain, show_diagnostics
from optdsl.diagnostics import DiagnosticError

GOOD, FINDINGS, MISUSE, INTERNAL, INTERRUPTED = 0, 1, 2, 70, 130

_Arguments = ParamSpec("_Arguments")


def guarded(command: Callable[_Arguments, int | None]) -> Callable[_Arguments, None]:
    """Wrap `command` so that what it raises leaves as a sentence and an exit status.

    A command returns its status; None is good.
    """

    @functools.wraps(command)
    def guard(*arguments: _Arguments.args, **keywords: _Arguments.kwargs) -> None:
        raise SystemExit(_status(lambda: command(*arguments, **keywords)))

    return guard


def _status(command: Callable[[], int | None]) -> int:
    try:
        status = command()
        sys.stdout.flush()
        return GOOD if status is None else status
    except DiagnosticError as error:
        show_diagnostics(error.diagnostics)
        return FINDINGS
    except Misuse as error:
        complain(str(error), error.hint)
        return MISUSE
    except BrokenPipeError:
        return _reader_left()
    except OSError as error:
        complain(_describe(error))
        return MISUSE
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except Exception:
        return _report_bug(traceback.format_exc())


def _describe(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return f"{error.filename}: {reason}" if error.filename else reason


def _reader_left() -> int:
    """Stop quietly where the reader of our output left (`optdsl list | head -1`)."""
    # What is still buffered has nowhere to go; Python would complain of it at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return GOOD


def _report_bug(report: str) -> int:
    path = _write_log(f"optdsl {' '.join(sys.argv[1:])}\n\n{report}")
    what = "report it" if path is None else f"report it with {path}"
    complain(f"internal error, please {what}")
    return INTERNAL


def _write_log(report: str) -> Path | None:
    from platformdirs import user_log_path

    name = f"error-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.log"
    for folder in (user_log_path("optdsl"), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(report, encoding="utf-8")
        except OSError:
            continue
        return folder / name
    return None
