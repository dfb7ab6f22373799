"""A small transformer trains with ours as with PyTorch's AdamW."""

import pytest
import torch

from benchmarks.transformer import train
from tests.torch.models import made


@pytest.fixture(autouse=True)
def one_thread():
    """Small products are slower where threads wait for a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def losses(make, dtype, steps):
    return torch.tensor(train(make, dtype, steps).losses, dtype=torch.float64)


def test_a_transformer_learns_a_text_to_the_same_losses():
    ours = losses(made("AdamW"), torch.float64, 8)
    theirs = losses(torch.optim.AdamW, torch.float64, 8)
    assert (ours - theirs).abs().max() < 1e-10
    assert ours[-1] < ours[0] - 0.3


@pytest.mark.slow
def test_two_hundred_steps():
    ours = losses(made("AdamW"), torch.float64, 200)
    theirs = losses(torch.optim.AdamW, torch.float64, 200)
    assert (ours - theirs).abs().max() < 1e-8
    assert ours[-20:].mean() < 2.6
    narrow = losses(made("AdamW"), torch.float32, 200)
    assert (narrow - ours).abs().max() < 1e-2
