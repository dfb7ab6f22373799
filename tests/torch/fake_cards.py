"""Cards that there are not: tensors of the host that pass for tensors on a card.

Below the door everything is as it is with a card, down to the calls of a simulated driver, which
runs kernels on the CPU. All that is asked of PyTorch about cards is answered here.
"""

import ctypes
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from optdsl.cuda import driver, programs
from optdsl.torch import cards
from tests.cuda.fake_driver import FakeDriver
from tests.torch.models import made, train, twins

FLOAT = torch.float32
#: Host and card may round a product and a sum once or twice.
BOUND = 2e-6


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
        if not array.size:
            return torch.empty(array.shape, dtype=dtype)
        memory = (ctypes.c_uint8 * array.nbytes).from_address(array.address)
        memory.owner = array.owner  # whoever holds the tensor holds the memory
        raw = np.frombuffer(memory, np.uint8)
        return torch.from_numpy(raw).view(dtype).view(array.shape)


@contextmanager
def simulated():
    """Let all tensors pass for tensors on cards; give what passes for PyTorch and driver."""
    made = SimpleNamespace(driver=FakeDriver(), cuda=FakeCuda())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "driver_module", lambda: made.driver)
        patch.setattr(driver, "_DEVICES", {})
        patch.setattr(programs, "compiled", made.driver.compiled)
        patch.setattr(cards, "CUDA", made.cuda)
        yield made


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


def both(fake, rule, groups=lambda model: model.parameters(), **settings):
    """Return a model on a card and one on the host, each with an optimizer of the same rule."""
    model, beside = twins(torch.float32)
    opt = made(rule)(groups(model), **settings)
    with on_host(fake.cuda):
        other = made(rule)(groups(beside), **settings)
    return (model, opt), (beside, other)


def train_both(pairs, given, fake, each=lambda model, opt: None):
    for batch in given:
        for place, (model, opt) in enumerate(pairs):
            with on_host(fake.cuda, place == 1):
                each(model, opt)
                train(model, opt, [batch])
