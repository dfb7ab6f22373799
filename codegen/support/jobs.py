"""Jobs: a kernel and a frame of its, as a row of words that any thread can run in machine code.

`attending.py` says what happens to jobs, and what the words of a box mean.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import IntEnum

import numpy as np

from optdsl.runtime.arrays import address

#: Counts the changes of what follows, and of what `attending.py` makes of it. It is part
#: of their names in libraries, which may be older than what calls them.
VERSION = 1
#: The words of a box: two cache lines, as processors like to fetch them in pairs.
BOX = 16
#: Which word of a box is what: its state, the address of a job, whether its helper must be woken,
#: how the helper's work failed, and (in the first box) how the owner's did.
STATE, JOB, WOKEN, CODE, OWN_CODE = range(5)

_WORD = ctypes.c_int64


class State(IntEnum):
    """The states of a box."""

    EMPTY = 0
    POSTED = 1
    TAKEN = 2
    DONE = 3
    ASLEEP = 4


class Helpers:
    """The functions of `attending.py`, at these addresses.

    `post` is over in no time and keeps the GIL, the others let it go.
    """

    __slots__ = ("attend", "post", "work")

    def __init__(self, find: Callable[[str], int]) -> None:
        self.post = ctypes.PYFUNCTYPE(None, _WORD, _WORD, _WORD)(find("post"))
        self.attend = ctypes.CFUNCTYPE(None, _WORD, _WORD)(find("attend"))
        self.work = ctypes.CFUNCTYPE(_WORD, _WORD, _WORD, _WORD, _WORD)(find("work"))


class Job:
    """A function at an address, and its arguments; calling the job does it in this thread.

    `mask` are the bits of what it returns that say it failed.
    """

    __slots__ = ("_box", "_place", "_words", "address", "helpers")

    def __init__(
        self, helpers: Helpers, function: int, arguments: tuple[int, int, int], mask: int
    ) -> None:
        self.helpers = helpers
        self._words = np.array([function, *arguments, mask], np.int64)
        self._box = np.zeros(BOX, np.int64)
        self._place = address(self._box)
        self.address = address(self._words)

    def __call__(self) -> None:
        """Do the job in this thread alone."""
        self.helpers.work(self._place, 0, self.address, 0)
        if self._box[OWN_CODE]:
            raise failure()


def failure() -> RuntimeError:
    """Return the error that tells of a job that failed."""
    return RuntimeError("a compiled kernel failed, which none should")
