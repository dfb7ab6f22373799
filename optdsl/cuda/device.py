"""What optimizers on a card need of it: memory, copies, launches. All else is above this seam."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[Any]


class Memory(Protocol):
    """A stretch of the memory of a card, given back when nobody refers to it any more."""

    @property
    def address(self) -> int:
        """Where it begins."""

    @property
    def size(self) -> int:
        """How many bytes it has."""


class Device(Protocol):
    """A card. Streams are the handles of the driver; 0 is the default stream.

    What works on a stream is done in order, and nothing here waits for it but `download`.
    """

    @property
    def ordinal(self) -> int:
        """Its number among the cards of this machine."""

    @property
    def capability(self) -> tuple[int, int]:
        """Its compute capability, such as (9, 0)."""

    def current(self) -> AbstractContextManager[None]:
        """Let calls of this thread go to this card, within a `with` block."""

    def allocate(self, size: int) -> Memory:
        """Return memory of so many bytes."""

    def zero(self, address: int, size: int, stream: int) -> None:
        """Set bytes to zero."""

    def upload(self, address: int, values: Bytes, stream: int, reserved: Any = None) -> None:
        """Copy a contiguous array to an address. It may be changed once this returns.

        While a graph is recorded, this goes by way of memory that was `reserved`: replays read
        it, so whoever reserved it keeps it, and uses it for no other upload.
        """

    def reserve(self, size: int) -> Any:
        """Return memory by way of which so many bytes can be uploaded while a graph is recorded."""

    def copy(self, address: int, source: int, size: int, stream: int) -> None:
        """Copy bytes from one address of the card to another."""

    def download(self, values: Bytes, address: int, stream: int) -> None:
        """Fill a contiguous array from an address, and wait for it."""

    def function(self, ptx: str, entry: str) -> Any:
        """Return the kernel called `entry` of a PTX module, ready to be launched."""

    def launch(
        self, function: Any, blocks: int, threads: int, arguments: Arguments, stream: int
    ) -> None:
        """Launch blocks of threads of a kernel."""

    def follow(self, stream: int, other: int) -> None:
        """Let what comes on `stream` begin after what has been put on `other`."""

    def capturing(self, stream: int) -> bool:
        """Is what is put on `stream` recorded in a graph, instead of done?"""


class Arguments:
    """The arguments of a launch, laid out as the driver reads them: 64-bit whole numbers.

    >>> Arguments([1, 2**40]).values
    (1, 1099511627776)
    """

    def __init__(self, values: Sequence[int]) -> None:
        self._numbers = (ctypes.c_int64 * len(values))(*values)
        first = ctypes.addressof(self._numbers)
        places = (first + 8 * place for place in range(len(values)))
        self._pointers = (ctypes.c_void_p * len(values))(*places)

    @property
    def values(self) -> tuple[int, ...]:
        """The arguments."""
        return tuple(self._numbers)

    @property
    def pointers(self) -> int:
        """The address of the table of their addresses, which a launch is given."""
        return ctypes.addressof(self._pointers)


def as_bytes(array: Bytes) -> npt.NDArray[np.uint8]:
    """Return the bytes of a contiguous array, without a copy."""
    flat: npt.NDArray[np.uint8] = array.reshape(-1).view(np.uint8)
    return flat
