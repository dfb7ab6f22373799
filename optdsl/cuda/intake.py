"""Gradients on a card, as they come in step by step."""

from __future__ import annotations

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
    """The arrays of one gradient stream. What comes is read where it lies."""

    engine: DeviceEngine

    def take(self, given: list[Any], points: Any = None) -> tuple[int, ...]:
        """Make `given` the gradients; return which tensors have one.

        Raises:
            GradientError: one of them does not fit its parameter; nothing has changed then.
        """
        tensors = self.engine.tensors
        arrays = [
            None if each is None else self._fitting(each, index) for index, each in enumerate(given)
        ]
        identities = tuple(index for index, array in enumerate(arrays) if array is not None)
        if identities == self._identities:
            identities = self._identities  # the same object is found again without a search
        self._identities = identities
        stream: list[Any] = arrays
        tensors.put(self.stream, stream)
        self.engine.moving += 1
        self._follow([array for array in arrays if array is not None])
        return identities

    def _fitting(self, given: Any, index: int) -> DeviceArray:
        tensors = self.engine.tensors
        label = tensors.labels[index]
        try:
            array = adopted(given, f"the gradient of {label}", read_only=True)
        except ParameterTypeError as error:
            raise GradientTypeError(str(error)) from None
        except ParameterError as error:
            raise GradientError(str(error)) from None
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

    def _follow(self, arrays: list[DeviceArray]) -> None:
        """Let the step begin after what still writes its gradients on other streams."""
        queue = self.engine.tensors.on
        others = {array.stream for array in arrays if array.stream is not None}
        for other in sorted(others - {queue.stream}):
            queue.device.follow(queue.stream, other)

    def release(self) -> None:
        """Let go of arrays that may not come again."""
        tensors = self.engine.tensors
        tensors.put(self.stream, [None] * len(tensors.shapes))
