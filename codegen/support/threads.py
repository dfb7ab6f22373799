"""Threads that share the chunks of a kernel.

Each takes some chunks, works on them without the GIL, and comes for more, so that one that
is slow or wakes up late keeps nobody waiting. The threads are Python's own: kernels may be run
from several threads at once, within a parallel region of another library, and in a process that
was forked. Who comes while the others are busy works alone; results are the same bits.

A helper that has finished looks out for more work for some tenth of a millisecond, in machine
code (`attending.py`), and sleeps then, so that passes and steps close behind each other find it
awake.
"""

from __future__ import annotations

import atexit
import os
import sys
from functools import cache
from queue import SimpleQueue
from threading import Lock, Thread
from time import sleep
from typing import Any

import numpy as np

from optdsl.codegen.support.jobs import (
    BOX,
    CODE,
    OWN_CODE,
    STATE,
    WOKEN,
    Helpers,
    Job,
    State,
    failure,
)
from optdsl.runtime.arrays import address

#: Takes of each thread: more balance better, fewer keep neighbours in memory together.
_TAKES = 16
#: The most chunks in one take.
_LARGEST = 16
#: How often a helper looks for work before it sleeps, and its owner for the end of the work
#: before he naps; 8,000 looks take 0.13 ms on a Xeon.
_LOOKS = 8000
#: The seconds of a nap, while a helper is still at work.
_NAP = 5e-5
#: The most helpers.
_MOST = 255


def _helper(wakes: SimpleQueue[None], helpers: Helpers, box: int) -> None:
    while True:
        wakes.get()
        helpers.attend(box, _LOOKS)


class _Crew:
    """The helpers of this process, made when they are first wanted: each has a box."""

    def __init__(self) -> None:
        self.busy = Lock()
        self.wakes: list[SimpleQueue[None]] = []
        self._boxes, self._first = _new_boxes()

    def work(self, job: Job, count: int) -> None:
        """Do a job, with so many helpers; those that have not begun when we are done need not."""
        count = min(count, _MOST)
        self._hire(count, job.helpers)
        boxes, work = self._boxes, job.helpers.work
        seen, forgotten, interrupt = 0, [], None
        try:
            job.helpers.post(self._first, count, job.address)
            for box, wakes in zip(boxes, self.wakes[:count], strict=False):
                if box[WOKEN]:
                    wakes.put(None)
            seen = work(self._first, count, job.address, _LOOKS)
        except BaseException as error:
            interrupt = error
            forgotten = self.wakes[:count]  # perhaps it came before all were woken
        while forgotten or seen < count:  # whatever happens, nobody may be at it any more
            try:
                while forgotten:
                    forgotten[-1].put(None)
                    forgotten.pop()
                sleep(_NAP)
                seen = work(self._first, count, 0, 0)
            except BaseException as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt
        if boxes[0, OWN_CODE] or boxes[:count, CODE].any():
            boxes[:count, (CODE, OWN_CODE)] = 0
            raise failure()

    def _hire(self, count: int, helpers: Helpers) -> None:
        while len(self.wakes) < count:
            number = len(self.wakes)
            wakes: SimpleQueue[None] = SimpleQueue()
            arguments = wakes, helpers, self._first + 8 * BOX * number
            name = f"optdsl-{number + 1}"
            Thread(target=_helper, args=arguments, name=name, daemon=True).start()
            self.wakes.append(wakes)

    def rest(self) -> None:
        """Wait until all helpers sleep, for a second at most.

        The machine code that they look from is about to go.
        """
        with self.busy:
            for _ in range(int(1 / _NAP)):
                if all(self._boxes[: len(self.wakes), STATE] == State.ASLEEP):
                    return
                sleep(_NAP)

    def forget(self) -> None:
        """Begin anew: a process that was forked has none of the threads."""
        self.__init__()  # type: ignore[misc]


def _new_boxes() -> tuple[Any, int]:
    """Return boxes whose helpers sleep, and where the first one lies; no two share a line."""
    words = np.zeros((_MOST + 1) * BOX, np.int64)
    begin = -address(words) // 8 % BOX
    boxes = words[begin : begin + _MOST * BOX].reshape(_MOST, BOX)
    boxes[:, STATE] = State.ASLEEP
    return boxes, address(boxes)


_CREW = _Crew()
atexit.register(_CREW.rest)
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


def share(job: Job, take: Any, chunks: int, alone: bool) -> None:
    """Do a job in several threads so that each of so many chunks is worked on once.

    `take` is made to hold the next chunk, how many to take at once, and how many there are;
    kernels go through it by `next_chunks`. With `alone`, no other thread is asked to help.

    Raises:
        RuntimeError: the job failed.
    """
    take[0] = 0
    take[1] = take[2] = chunks
    threads = 1 if alone or chunks < 2 else min(thread_count(), chunks)
    if threads == 1 or not _CREW.busy.acquire(blocking=False):
        job()
        return
    try:
        take[1] = min(_LARGEST, max(1, chunks // (threads * _TAKES)))
        _CREW.work(job, threads - 1)
    finally:
        _CREW.busy.release()
