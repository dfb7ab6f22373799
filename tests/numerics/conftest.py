import numba
import pytest

from tests.numerics.subjects import QUICK, rules


def pytest_generate_tests(metafunc):
    """A test of a `rule` runs for each; for those that are not quick it is a slow test."""
    if "rule" in metafunc.fixturenames:
        slow = [pytest.mark.slow]
        each = [pytest.param(rule, marks=() if rule in QUICK else slow) for rule in rules()]
        metafunc.parametrize("rule", each)


@pytest.fixture
def one_thread():
    """Step with one thread: bits are the same, and nobody waits for another's processor."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)
