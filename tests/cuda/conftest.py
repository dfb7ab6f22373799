import pytest

from optdsl.cuda import driver, programs
from tests.cuda.fake_driver import FakeDriver


@pytest.fixture
def card(monkeypatch):
    """Return a driver of a card that there is not, which optimizers use within this test.

    It is far behind the host, so that what the card reads must still be there then.
    """
    fake = FakeDriver()
    fake.late = True
    monkeypatch.setattr(driver, "driver_module", lambda: fake)
    monkeypatch.setattr(driver, "_DEVICES", {})
    monkeypatch.setattr(programs, "compiled", fake.compiled)
    return fake
