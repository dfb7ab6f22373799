from types import SimpleNamespace

import pytest

from optdsl.cuda import driver, programs
from optdsl.torch import cards
from tests.cuda.fake_driver import FakeDriver
from tests.torch.fake_cards import FakeCuda


@pytest.fixture
def fake(monkeypatch):
    """Let all tensors pass for tensors on cards; return what passes for PyTorch and driver."""
    made = SimpleNamespace(driver=FakeDriver(), cuda=FakeCuda())
    monkeypatch.setattr(driver, "driver_module", lambda: made.driver)
    monkeypatch.setattr(driver, "_DEVICES", {})
    monkeypatch.setattr(programs, "compiled", made.driver.compiled)
    monkeypatch.setattr(cards, "CUDA", made.cuda)
    return made
