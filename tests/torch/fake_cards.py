"""Cards that there are not: tensors of the host that pass for tensors on a card.

Below the door everything is as it is with a card, down to the calls of a simulated driver, which
runs kernels on the CPU. All that is asked of PyTorch about cards is answered here.
"""

import ctypes
from contextlib import contextmanager

import numpy as np
import torch


class FakeCuda:
    """Answers what `TorchCuda` does. `where` tells the card of a tensor, None for the host."""

    def __init__(self):
        self.where = lambda tensor: 0
        self.handle = 77

    def ordinal(self, tensor):
        return self.where(tensor)

    def stream(self, ordinal):
        return self.handle + 100 * ordinal

    def tensor(self, array, dtype):
        memory = (ctypes.c_uint8 * array.nbytes).from_address(array.address)
        memory.owner = array.owner  # whoever holds the tensor holds the memory
        raw = np.frombuffer(memory, np.uint8) if array.nbytes else np.empty(0, np.uint8)
        return torch.from_numpy(raw).view(dtype).view(array.shape)


@contextmanager
def on_host(cuda, really=True):
    """Let tensors be where they are within a `with` block."""
    where = cuda.where
    if really:
        cuda.where = lambda tensor: None
    try:
        yield
    finally:
        cuda.where = where
