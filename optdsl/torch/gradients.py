"""The gradients of parameters, as arrays where the parameters lie."""

from __future__ import annotations

from typing import Any

import torch

from optdsl.runtime.errors import GradientError
from optdsl.torch.memory import Memory


class Gradients:
    """The gradients of one parameter as arrays, which own nothing and keep nothing alive.

    In a training loop, a gradient often comes to the same address again. Then it is the same
    array, and whatever was found out about it still holds. An array is read in the step for
    which it was asked for, and no later.
    """

    def __init__(self, memory: Memory, parameter: torch.Tensor, label: str) -> None:
        self.memory = memory
        self.shape = tuple(parameter.shape)
        self.dtype = parameter.dtype
        self.device = parameter.device
        self.label = label
        self._stepped = memory.stepped(self.dtype)
        self._uphill: torch.Tensor | None = None
        self._address = -1
        self._array: Any = None

    def of(self, gradient: torch.Tensor) -> Any:
        """Return `gradient` as an array; a copy where it is not contiguous, or not as is stepped.

        Raises:
            GradientError: it is on another device, or of another shape or dtype.
        """
        if gradient.dtype is not self.dtype or gradient.device != self.device:
            self.check(gradient)
        if self.dtype is not self._stepped or not gradient.is_contiguous() or gradient.is_neg():
            held = gradient.detach().to(self._stepped).contiguous()
            return self.memory.array(held.resolve_neg())
        address = gradient.data_ptr()
        if address == self._address:
            return self._array
        if gradient.shape != self.shape:
            raise GradientError(
                f"the gradient of {self.label} has shape {tuple(gradient.shape)}, "
                f"but the parameter {self.shape}"
            )
        self._address, self._array = address, self.memory.at(address, self.shape, self.dtype)
        return self._array

    def check(self, gradient: torch.Tensor) -> None:
        """Refuse a gradient that is not of the dtype of the parameter and where it is.

        Raises:
            GradientError: so it is.
        """
        if gradient.dtype is not self.dtype or gradient.device != self.device:
            raise GradientError(
                f"the gradient of {self.label} holds {gradient.dtype} on {gradient.device}, "
                f"but the parameter {self.dtype} on {self.device}"
            )

    def turned(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return the gradient with its sign changed, on memory that is kept for it."""
        kept = self._uphill
        if kept is None or kept.shape != gradient.shape:
            kept = self._uphill = torch.empty_like(gradient, memory_format=torch.contiguous_format)
        return torch.neg(gradient.detach(), out=kept)


def copied(memory: Memory, values: torch.Tensor) -> Any:
    """Return the entries of a tensor as an array that a kernel takes, on memory of its own."""
    held = values.detach()
    return memory.array(held.to(memory.stepped(held.dtype)).contiguous().clone())
