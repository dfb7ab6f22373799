import numba
import pytest


@pytest.fixture
def one_thread():
    """Step with one thread: nobody waits for another's processor."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)
