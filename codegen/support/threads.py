"""Threads that share the chunks of a kernel.

Each takes some chunks, works on them without the GIL, and comes for more, so that one that
is slow or wakes up late keeps nobody waiting. The threads are Python's own: kernels may be run
from several threads at once, within a parallel region of another library, and in a process that
was forked. Who comes while the others are busy works alone; results are the same bits.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

#: Takes of each thread: more balance better, fewer keep neighbours in memory together.
_TAKES = 16
#: The most chunks in one take.
_LARGEST = 16


class _Task:
    """A kernel to help with: a helper or its owner claims it, whoever comes first."""

    __slots__ = ("claimed", "done", "error", "run")

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        self.claimed = Lock()
        self.done = Lock()
        self.done.acquire()
        self.error: BaseException | None = None

    def help(self) -> None:
        """Work, unless the owner needs no help any more."""
        if not self.claimed.acquire(blocking=False):
            return
        try:
            self.run()
        except BaseException as error:  # told to the owner
            self.error = error
        finally:
            self.done.release()

    def finish(self) -> None:
        """Wait for a helper that has begun; one that has not need not begin."""
        if self.claimed.acquire(blocking=False):
            return
        self.done.acquire()
        if self.error is not None:
            raise self.error


def _helper(tasks: SimpleQueue[_Task]) -> None:
    while True:
        task = tasks.get()
        task.help()
        del task  # it holds on to arrays


class _Crew:
    """The helpers of this process, made when they are first wanted."""

    def __init__(self) -> None:
        self.busy = Lock()
        self.queues: list[SimpleQueue[_Task]] = []

    def wanted(self, count: int) -> list[SimpleQueue[_Task]]:
        while len(self.queues) < count:
            tasks: SimpleQueue[_Task] = SimpleQueue()
            name = f"optdsl-{len(self.queues) + 1}"
            Thread(target=_helper, args=(tasks,), name=name, daemon=True).start()
            self.queues.append(tasks)
        return self.queues[:count]

    def forget(self) -> None:
        """Begin anew: a process that was forked has none of the threads."""
        self.__init__()  # type: ignore[misc]


_CREW = _Crew()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_CREW.forget)


def thread_count() -> int:
    """Return how many threads a kernel may use: what Numba says, which need not be imported."""
    numba: Any = sys.modules.get("numba")
    count = getattr(numba, "get_num_threads", None)
    return _threads_by_default() if count is None else int(count())


@cache
def _threads_by_default() -> int:
    """Return what `numba.get_num_threads()` is until someone sets it."""
    chosen = os.environ.get("NUMBA_NUM_THREADS", "")
    if chosen.isdecimal():
        return max(1, int(chosen))
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def share(run: Callable[[], None], take: Any, chunks: int, alone: bool) -> None:
    """Call `run` in several threads so that each of so many chunks is worked on once.

    `take` is made to hold the next chunk, how many to take at once, and how many there are;
    kernels go through it by `next_chunks`. With `alone`, no other thread is asked to help.
    """
    take[0] = 0
    take[1] = take[2] = chunks
    threads = 1 if alone or chunks < 2 else min(thread_count(), chunks)
    if threads == 1 or not _CREW.busy.acquire(blocking=False):
        run()
        return
    try:
        take[1] = min(_LARGEST, max(1, chunks // (threads * _TAKES)))
        tasks = []
        for queue in _CREW.wanted(threads - 1):
            tasks.append(_Task(run))
            queue.put(tasks[-1])
        try:
            run()
        finally:
            for task in tasks:
                task.finish()
    finally:
        _CREW.busy.release()
