"""A small transformer on a real text, by PyTorch's AdamW and by ours.

`python -m benchmarks.transformer` trains it both ways. It predicts the next character of the first
chapters of Genesis (King James Version, public domain). Printed are the losses of both, how far
they part, and the optimizer's share of a step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

import optdsl.torch

TEXT = Path(__file__).parents[1] / "tests" / "torch" / "genesis.txt"
CONTEXT, BATCH, WIDTH = 32, 8, 32


class Block(nn.Module):
    """Attention to what came before, and two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        self.layers = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the block makes of a batch of sequences."""
        y: torch.Tensor = self.norms[0](x)
        later = torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).triu(1)
        x = x + self.attention(y, y, y, attn_mask=later, need_weights=False)[0]
        layered: torch.Tensor = self.layers(self.norms[1](x))
        return x + layered


class Transformer(nn.Module):
    """Tells the next character."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(characters, WIDTH)
        self.places = nn.Parameter(0.02 * torch.randn(CONTEXT, WIDTH))
        self.blocks = nn.Sequential(Block(), Block())
        self.out = nn.Linear(WIDTH, characters)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the scores of each character, at each place of a batch."""
        scores: torch.Tensor = self.out(self.blocks(self.tokens(tokens) + self.places))
        return scores


@dataclass
class Run:
    """The losses of a training run, and the seconds of each step and of its optimizer."""

    losses: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    optimizer: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Return the share of a step that the optimizer takes, of medians."""
        return median(self.optimizer) / median(self.steps)


def train(make: Callable[..., Any], dtype: torch.dtype, steps: int) -> Run:
    """Train with the optimizer that `make` makes of parameters and settings."""
    text = TEXT.read_text(encoding="utf-8")
    known = sorted(set(text))
    tokens = torch.tensor([known.index(character) for character in text])
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    model = Transformer(len(known)).to(dtype)
    torch.set_default_dtype(before)
    opt = make(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.1)
    generator = torch.Generator().manual_seed(1)
    run = Run()
    for _ in range(steps):
        begin = time.perf_counter()
        starts = torch.randint(len(tokens) - CONTEXT - 1, (BATCH,), generator=generator)
        batch = torch.stack([tokens[start : start + CONTEXT + 1] for start in starts])
        scores = model(batch[:, :-1])
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), batch[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        middle = time.perf_counter()
        opt.step()
        end = time.perf_counter()
        run.losses.append(loss.item())
        run.steps.append(end - begin)
        run.optimizer.append(end - middle)
    return run


def main(steps: int = 200) -> None:
    """Print a table of both optimizers in both precisions."""
    makers: dict[str, Callable[..., Any]] = {
        "PyTorch": torch.optim.AdamW,
        "fused": partial(torch.optim.AdamW, fused=True),
        "optdsl": optdsl.torch.optimizer("AdamW"),
    }
    print(f"{'':8} {'AdamW of':9} {'first loss':>10} {'last loss':>10} {'ms a step':>10} ", end="")
    print(f"{'optimizer':>10} {'share':>7}")
    for dtype in (torch.float64, torch.float32):
        runs = {name: train(make, dtype, steps) for name, make in makers.items()}
        for name, run in runs.items():
            milliseconds = [1e3 * median(times) for times in (run.steps, run.optimizer)]
            print(
                f"{str(dtype)[6:]:8} {name:9} {run.losses[0]:10.6f} {run.losses[-1]:10.6f} "
                f"{milliseconds[0]:10.2f} {milliseconds[1]:10.3f} {run.share:7.1%}"
            )
        first, second = runs["PyTorch"].losses, runs["optdsl"].losses
        apart = max(abs(a - b) for a, b in zip(first, second, strict=True))
        print(f"{str(dtype)[6:]:8} the losses part by {apart:.1e} at most (PyTorch, optdsl)")


if __name__ == "__main__":
    main()
