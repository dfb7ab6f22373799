import pytest
import torch

import optdsl


@pytest.fixture(autouse=True, scope="session")
def torch_in_one_thread():
    """Small tensors gain nothing from more threads, and waking them takes long where it is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def load():
    return lambda what: optdsl.load(what, "reference")


@pytest.fixture(params=["reference", "numba-cpu"])
def load_for(request):
    return lambda what: optdsl.load(what, request.param)
