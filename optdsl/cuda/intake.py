"""Gradients on a card, as they come in step by step."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from optdsl.cuda.arrays import DeviceArray, adopted
from optdsl.cuda.engine import DeviceEngine
from optdsl.runtime.errors import (
    GradientError,
    GradientTypeError,
    ParameterError,
    ParameterTypeError,
)
from optdsl.runtime.intake import Intake


class DeviceIntake(Intake):
    """The arrays of one gradient stream. What comes is read where it lies.

    What a function gave is copied where it is `own`, and where it lies in memory that a step
    writes to.
    """

    engine: DeviceEngine

    def __init__(self, engine: DeviceEngine, stream: str, own: bool = False) -> None:
        super().__init__(engine, stream, own)
        self._copies: dict[int, DeviceArray] = {}

    def take(self, given: list[Any], points: Any = None) -> tuple[int, ...]:
        """Make `given` the gradients; return which tensors have one.

        Raises:
            GradientError: one of them does not fit its parameter; nothing has changed then.
        """
        tensors = self.engine.tensors
        arrays = self._all_fitting(given)
        if self.own or points:
            arrays = self._apart(arrays, points or [])
        identities = tuple(index for index, array in enumerate(arrays) if array is not None)
        if identities == self._identities:
            identities = self._identities  # the same object is found again without a search
        self._identities = identities
        stream: list[Any] = arrays
        tensors.put(self.stream, stream)
        self.engine.moving += 1
        self._follow([array for array in arrays if array is not None])
        return identities

    def check(self, given: list[Any]) -> None:
        """Raise what `take` would raise; change nothing.

        Raises:
            GradientError: one of them does not fit its parameter.
        """
        self._all_fitting(given)

    def _all_fitting(self, given: list[Any]) -> list[DeviceArray | None]:
        return [
            None if each is None else self._fitting(each, index) for index, each in enumerate(given)
        ]

    def _fitting(self, given: Any, index: int) -> DeviceArray:
        tensors = self.engine.tensors
        label = tensors.labels[index]
        try:
            array = adopted(given, f"the gradient of {label}", read_only=True)
        except ParameterTypeError as error:
            raise GradientTypeError(str(error)) from None
        except ParameterError as error:
            raise GradientError(str(error)) from None
        here = tensors.on.device.ordinal
        if array.ordinal not in (None, here):
            raise GradientError(
                f"the gradient of {label} lies on card {array.ordinal}, and the parameter on "
                f"card {here}"
            )
        if array.dtype != tensors.dtype:
            raise GradientTypeError(
                f"the gradient of {label} holds {array.dtype}, but the parameter {tensors.dtype}"
            )
        if array.shape != tensors.shapes[index]:
            raise GradientError(
                f"the gradient of {label} has shape {array.shape}, "
                f"but the parameter {tensors.shapes[index]}"
            )
        return array

    def _apart(self, arrays: list[DeviceArray | None], points: Any) -> list[DeviceArray | None]:
        """Return gradients with copies of those that may change before they are read."""
        spans = sorted(_span(array) for array in points if array.size)
        begins = [begin for begin, _ in spans]
        return [
            array if array is None or not (self.own or _touches(array, begins, spans))
            else self._copied_to_own(index, array)
            for index, array in enumerate(arrays)
        ]  # fmt: skip

    def _copied_to_own(self, index: int, array: DeviceArray) -> DeviceArray:
        queue = self.engine.tensors.on
        self._follow([array])
        own = self._copies.get(index)
        if own is None:
            own = self._copies[index] = DeviceArray.new(queue, array.shape, array.dtype)
        own[...] = array
        return own

    def _follow(self, arrays: list[DeviceArray]) -> None:
        """Let the step begin after what still writes its gradients on other streams."""
        queue = self.engine.tensors.on
        others = {array.stream for array in arrays if array.stream is not None}
        others |= {array.queue.stream for array in arrays if array.queue is not None}
        for other in sorted(others - {queue.stream}):
            queue.device.follow(queue.stream, other)

    def release(self) -> None:
        """Let go of arrays that may not come again."""
        tensors = self.engine.tensors
        tensors.put(self.stream, [None] * len(tensors.shapes))


def _span(array: DeviceArray) -> tuple[int, int]:
    return array.address, array.address + array.nbytes


def _touches(array: DeviceArray, begins: list[int], spans: list[tuple[int, int]]) -> bool:
    """Does an array lie in one of these stretches of memory, which are apart and in order?"""
    begin, end = _span(array)
    before = bisect_left(begins, end) - 1  # the last that begins before it ends
    return array.size > 0 and before >= 0 and spans[before][1] > begin
