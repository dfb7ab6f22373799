"""The parameters as arrays: on their own memory, or beside it where they are not contiguous."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch

from optdsl.runtime import Optimizer, ParameterError
from optdsl.torch.cards import memory_of
from optdsl.torch.gradients import Gradients
from optdsl.torch.memory import Memory, stepped_dtype
from optdsl.torch.tensors import check_layout, local


class Place:
    """One parameter: the array that is stepped, and where its gradients come from.

    The array is on the tensor's own memory. Where the tensor is not contiguous, or of a dtype
    that no kernel steps, it is on that of a copy, filled before a step and written back after it.
    """

    def __init__(self, tensor: torch.Tensor, label: str, memory: Memory | None = None) -> None:
        self.tensor = tensor
        self.label = label
        self.memory = memory_of(tensor, label) if memory is None else memory
        held = local(tensor).detach()
        check_layout(held, label)
        dtype = stepped_dtype(self.memory, held.dtype, label)
        self.held = held
        self.dtype = held.dtype
        self.copied: torch.Tensor | None = None
        if not held.is_contiguous() or held.dtype is not dtype or held.is_neg():
            self.copied = torch.empty(held.shape, dtype=dtype, device=held.device).copy_(held)
        self.array = self.memory.array(held if self.copied is None else self.copied)
        self.gradients = Gradients(self.memory, held, label)

    def moved(self) -> Place:
        """Return the place where the parameter is now.

        Raises:
            ParameterError: it has another dtype or shape than before, or is on another device.
        """
        new = Place(self.tensor, self.label)
        if (new.held.shape, new.dtype, new.memory) != (self.held.shape, self.dtype, self.memory):
            raise ParameterError(
                f"parameter {self.label} was {self._text()} when the optimizer was made and is now "
                f"{new._text()}: make the optimizer after such a change"
            )
        return new

    def _text(self) -> str:
        return f"{self.dtype} of shape {tuple(self.held.shape)} on {self.memory.name}"


#: What tells where a tensor lies in memory, and how. Each is asked of all tensors at a time, which
#: takes half as long as all of one tensor after the other. Gradients tell of another dtype.
_FORM = (torch.Tensor.data_ptr, torch.Tensor.stride, torch.Tensor.size)


def _forms(tensors: Sequence[torch.Tensor]) -> list[list[Any]]:
    """Return all there is of `_FORM`, for each of the tensors."""
    return [list(map(ask, tensors)) for ask in _FORM]


class Places:
    """Parameters, in the order of the groups."""

    def __init__(self) -> None:
        self.items: list[Place] = []
        self.copied: list[Place] = []
        self._tensors: list[torch.Tensor] = []
        self._parts = False  # does this process hold a part of one only?
        self._forms: list[list[Any]] = [[] for _ in _FORM]

    def add(self, places: Sequence[Place]) -> None:
        """Take in the parameters of one more group."""
        self.items += places
        self.copied = [place for place in self.items if place.copied is not None]
        self._tensors = [place.tensor for place in self.items]
        self._parts = any(local(tensor) is not tensor for tensor in self._tensors)
        for known, new in zip(self._forms, _forms([p.held for p in places]), strict=True):
            known += new

    def follow(self, optimizer: Optimizer) -> None:
        """Find parameters that are on other memory now, and let an optimizer step them there.

        So they are after `model.to(...)`. A view of the same memory with other strides counts too.

        Raises:
            ParameterError: it cannot; then they are looked for again the next time.
        """
        forms = _forms(list(map(local, self._tensors)) if self._parts else self._tensors)
        if forms == self._forms:
            return
        before, now = zip(*self._forms, strict=True), zip(*forms, strict=True)
        items = [
            place if same else place.moved()
            for place, same in zip(self.items, map(operator.eq, before, now), strict=True)
        ]
        optimizer.rebind([place.array for place in items])
        self.items, self._forms = [], [[] for _ in _FORM]
        self.add(items)

    def take(self) -> None:
        """Fill the copies."""
        for place in self.copied:
            assert place.copied is not None
            place.copied.copy_(place.held)

    def give_back(self) -> None:
        """Write the copies back, and let autograd know that the parameters have changed."""
        for place in self.copied:
            assert place.copied is not None
            place.held.copy_(place.copied)
        torch.autograd.graph.increment_version([place.held for place in self.items])
