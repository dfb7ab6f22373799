"""The parameters as arrays: on their own memory, or beside it where they are not contiguous."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from optdsl.runtime.arrays import Array
from optdsl.runtime.errors import ParameterError
from optdsl.torch.memory import Gradients, array_of, check_place, local, stepped_dtype


class Place:
    """One parameter: the array that is stepped, and where its gradients come from.

    The array is on the tensor's own memory. Where the tensor is not contiguous, or of a dtype
    that no kernel steps, the array is a copy, filled before a step and written back after it.
    """

    def __init__(self, tensor: torch.Tensor, label: str) -> None:
        self.tensor = tensor
        self.label = label
        held = local(tensor)
        check_place(held, label)
        dtype = stepped_dtype(held.dtype, label)
        self.held = held
        self.dtype = held.dtype
        self.address = held.data_ptr()
        self.source: Array | None = None
        self.array = array_of(held)
        if not held.is_contiguous() or self.array.dtype != dtype:
            self.source, self.array = self.array, np.ascontiguousarray(self.array, dtype)
        self.gradients = Gradients(tuple(held.shape), held.dtype, label)

    def has_moved(self) -> bool:
        """Is the parameter on other memory than before, as after `model.to(...)`?"""
        held = local(self.tensor)
        return held.data_ptr() != self.address or held.dtype is not self.dtype

    def moved(self) -> Place:
        """Return the place where the parameter is now.

        Raises:
            ParameterError: it has another dtype or shape than before.
        """
        new = Place(self.tensor, self.label)
        if new.array.shape != self.array.shape or new.dtype is not self.dtype:
            was = f"{self.dtype} of shape {tuple(self.array.shape)}"
            now = f"{new.dtype} of shape {tuple(new.array.shape)}"
            raise ParameterError(
                f"parameter {self.label} was {was} when the optimizer was made and is now {now}: "
                "make the optimizer after such a change"
            )
        return new


class Places:
    """All parameters, in the order of the groups."""

    def __init__(self) -> None:
        self.items: list[Place] = []
        self.staged: list[Place] = []

    def add(self, places: Sequence[Place]) -> None:
        """Take in the parameters of one more group."""
        self.items += places
        self.staged = [place for place in self.items if place.source is not None]

    def copy(self) -> Places:
        """Return the same places in a list of their own."""
        new = Places()
        new.add(self.items)
        return new

    def follow(self) -> bool:
        """Find parameters that are on other memory now; say whether there were any."""
        if not any(place.has_moved() for place in self.items):
            return False
        self.items = [place.moved() if place.has_moved() else place for place in self.items]
        self.staged = [place for place in self.items if place.source is not None]
        return True

    def take(self) -> None:
        """Fill the copies."""
        for place in self.staged:
            place.array[...] = place.source

    def give_back(self) -> None:
        """Write the copies back, and let autograd know that the parameters have changed."""
        for place in self.staged:
            assert place.source is not None
            place.source[...] = place.array
        torch.autograd.graph.increment_version([place.held for place in self.items])
