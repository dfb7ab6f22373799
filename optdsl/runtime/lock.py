"""One caller at a time."""

from __future__ import annotations

import threading
from types import TracebackType

from optdsl.runtime.errors import StepError


class CallerLock:
    """A lock on an optimizer: other threads wait, the same thread is refused.

    The same thread comes twice only from within the function that it passed to `step`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None

    def __enter__(self) -> None:
        me = threading.get_ident()
        if self._owner == me:
            raise StepError(
                "the optimizer was called from within its own step: "
                "a function of gradients may only return gradients"
            )
        self._lock.acquire()
        self._owner = me

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._owner = None
        self._lock.release()
