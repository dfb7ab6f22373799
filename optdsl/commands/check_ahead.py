"""Other processes that check rules ahead, so that their verdicts are kept when one gets there.

They say nothing themselves: what they find is in the cache of verdicts, and a rule that they
did not reach is checked as if there were none of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context


class Ahead:
    """Processes that check shipped rules, the last first."""

    def __init__(self, names: Sequence[str], processes: int) -> None:
        context = get_context("spawn")
        self._pool = ProcessPoolExecutor(processes, context, initializer=_ignore_interrupts)
        self._waiting: dict[str, Future[None]] = {
            name: self._pool.submit(_check, name) for name in reversed(names)
        }

    def leave(self, name: str) -> None:
        """Leave a rule to the caller, unless it is done or in work."""
        self._waiting[name].cancel()

    def stop(self) -> None:
        """Take up no further rule."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def checking_ahead(names: Sequence[str], processes: int | None = None) -> Iterator[Ahead | None]:
    """Check rules ahead while the body runs; None where there is no processor to spare."""
    spare = len(os.sched_getaffinity(0)) - 1 if hasattr(os, "sched_getaffinity") else 0
    processes = spare if processes is None else processes
    if processes < 1 or not names:
        yield None
        return
    ahead = Ahead(names, min(processes, len(names)))
    try:
        yield ahead
    finally:
        ahead.stop()


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _check(name: str) -> None:
    from optdsl.commands.checking import check_shipped

    check_shipped(name)
