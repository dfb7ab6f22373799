import pytest

from optdsl.cuda import driver, programs
from tests.cuda.fake_driver import FakeDriver


@pytest.fixture
def card(monkeypatch):
    """Return a driver of a card that there is not, which optimizers use within this test."""
    fake = FakeDriver()
    monkeypatch.setattr(driver, "driver_module", lambda: fake)
    monkeypatch.setattr(driver, "_DEVICES", {})
    monkeypatch.setattr(programs, "compiled", fake.compiled)
    return fake
