"""A card together with the stream that a step is put on."""

from __future__ import annotations

from typing import Any

import numpy as np

from optdsl.cuda.device import Arguments, Bytes, Device, Memory


class Queue:
    """Where the work of an optimizer goes: `stream` is the caller's, step by step.

    It was `named` by the caller, or found as the one that the caller works on.
    With `capturable`, that work may be recorded in a graph instead of done.
    """

    def __init__(self, device: Device, capturable: bool = False) -> None:
        self.device = device
        self.capturable = capturable
        self.stream = 0
        self.named = False

    def go_to(self, stream: int, named: bool) -> None:
        """Put what comes on a stream."""
        self.stream, self.named = stream, named

    def allocate(self, size: int) -> Memory:
        """Return memory of so many bytes."""
        return self.device.allocate(size)

    def zero(self, address: int, size: int) -> None:
        """Set bytes to zero."""
        self.device.zero(address, size, self.stream)

    def upload(self, address: int, values: Bytes, reserved: Any = None) -> None:
        """Copy an array of the host to an address. See `Device.upload`."""
        self.device.upload(address, np.ascontiguousarray(values), self.stream, reserved)

    @property
    def recording(self) -> bool:
        """Is what is put on it recorded in a graph, instead of done?"""
        return self.capturable and self.device.capturing(self.stream)

    def uploaded(self, values: Bytes) -> Memory:
        """Return new memory that holds an array of the host."""
        memory = self.allocate(values.nbytes)
        self.upload(memory.address, values)
        return memory

    def copy(self, address: int, source: int, size: int) -> None:
        """Copy bytes from one address of the card to another."""
        self.device.copy(address, source, size, self.stream)

    def download(self, values: Bytes, address: int) -> None:
        """Fill an array of the host from an address, and wait for it."""
        self.device.download(values, address, self.stream)

    def launch(self, function: Any, blocks: int, threads: int, arguments: Arguments) -> None:
        """Launch blocks of threads of a kernel."""
        self.device.launch(function, blocks, threads, arguments, self.stream)
