"""The rules of the source documents, beside others at the same equations."""

from __future__ import annotations

import torch.optim as torch_optim

from tests.catalogue.compare import Case, torch

CASES = (
    Case("SGD", {"lr": 0.05}, "torch.optim.SGD", torch(lambda p: torch_optim.SGD(p, lr=0.05))),
)
