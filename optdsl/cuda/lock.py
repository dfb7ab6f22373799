"""One caller at a time, on the card and the stream that it works on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from optdsl.cuda.engine import DeviceEngine
from optdsl.cuda.streams import current_stream
from optdsl.runtime.lock import CallerLock


class DeviceLock(CallerLock):
    """A lock on a rule; who holds it works on the card of its arrays.

    Where the caller has named no stream, it is the current one in the library of `owners`.
    """

    def __init__(self, engine: DeviceEngine, owners: Callable[[], Iterable[Any]]) -> None:
        super().__init__()
        self._engine = engine
        self._owners = owners
        self._entered = ExitStack()

    def __enter__(self) -> None:
        super().__enter__()
        queue = self._engine.tensors.queue
        if queue is None:
            return
        try:
            self._entered.enter_context(queue.device.current())
            if not queue.named:
                queue.go_to(current_stream(self._owners()), named=False)
        except BaseException:
            self._entered.close()
            super().__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._entered.close()
        finally:
            super().__exit__(kind, error, traceback)
