"""One caller at a time, on the card that it works on."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType

from optdsl.cuda.engine import DeviceEngine
from optdsl.runtime.turns import Turns


class DeviceTurns(Turns):
    """A lock on a rule; who holds it works on the card of its arrays."""

    def __init__(self, engine: DeviceEngine) -> None:
        super().__init__()
        self._engine = engine
        self._entered = ExitStack()

    def __enter__(self) -> None:
        super().__enter__()
        queue = self._engine.tensors.queue
        if queue is None:
            return
        try:
            self._entered.enter_context(queue.device.current())
        except BaseException:
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
