"""The column of PyTorch on cards: every shipped definition, really tried, on a simulated driver."""

from __future__ import annotations

from tests.doors import torch_column
from tests.torch.fake_cards import simulated

TITLE = "PyTorch, CUDA"


def cell(name: str, family: str) -> str:
    """Return whether tensors on a card take the steps of the arrays, or why they are refused."""
    with simulated():
        return torch_column.cell(name, family)
