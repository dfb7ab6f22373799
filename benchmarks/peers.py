"""Steps of this package and of its peers, ready to be called. Peers are optional."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

import optdsl

Step = Callable[[], object]

#: What is compared with, and the package that has it.
PEERS = {"PyTorch": "torch", "Optax": "optax", "DeepSpeed": "deepspeed"}


def missing() -> list[str]:
    """Return the peers that are not installed."""
    return [peer for peer, package in PEERS.items() if find_spec(package) is None]


def arrays(sizes: Sequence[int], seed: int) -> list[Any]:
    """Return float32 arrays of ordinary numbers; those of large arrays come again and again."""
    random = np.random.default_rng(seed)
    drawn = (random.standard_normal(min(size, 2**24), np.float32) for size in sizes)
    return [
        np.resize(block * np.float32(0.1), size) if size > block.size else block * np.float32(0.1)
        for block, size in zip(drawn, sizes, strict=True)
    ]


def ours(
    rule: str, sizes: Sequence[int], storage: Mapping[str, str] | None = None, **hypers: Any
) -> tuple[Step, Any]:
    """Return a step of a compiled rule, and its optimizer, which has taken two and holds on to
    its gradients."""
    gradients = arrays(sizes, 1)
    optimizer = optdsl.load(rule, storage=storage)(arrays(sizes, 0), **hypers)

    def step() -> object:
        return optimizer.step(gradients, loss=1.0)

    step()
    step()
    return step, optimizer


def torch_step(name: str, sizes: Sequence[int], **settings: Any) -> Step:
    """Return a step of an optimizer of PyTorch on the CPU, with as many threads."""
    import numba
    import torch

    torch.set_num_threads(numba.get_num_threads())
    parameters = [torch.from_numpy(array).requires_grad_() for array in arrays(sizes, 0)]
    for parameter, gradient in zip(parameters, arrays(sizes, 1), strict=True):
        parameter.grad = torch.from_numpy(gradient)
    optimizer = getattr(torch.optim, name)(parameters, lr=1e-3, **settings)
    optimizer.step()
    step: Step = optimizer.step
    return step


def deepspeed_step(sizes: Sequence[int]) -> Step:
    """Return a step of DeepSpeed's Adam on the CPU, which it compiles when it is first wanted."""
    import numba
    import torch
    from deepspeed.ops.adam import DeepSpeedCPUAdam  # type: ignore[import-not-found]

    torch.set_num_threads(numba.get_num_threads())
    parameters = [torch.from_numpy(array).requires_grad_() for array in arrays(sizes, 0)]
    for parameter, gradient in zip(parameters, arrays(sizes, 1), strict=True):
        parameter.grad = torch.from_numpy(gradient)
    optimizer = DeepSpeedCPUAdam(parameters, lr=1e-3, adamw_mode=False)
    optimizer.step()
    step: Step = optimizer.step
    return step


def optax_step(name: str, sizes: Sequence[int]) -> Step:
    """Return a step of Optax under `jit`, which overwrites its parameters and states."""
    import jax
    import optax

    transform = getattr(optax, name)(1e-3)
    parameters = [jax.numpy.asarray(array) for array in arrays(sizes, 0)]
    gradients = [jax.numpy.asarray(array) for array in arrays(sizes, 1)]
    kept = [parameters, transform.init(parameters)]

    def update(parameters: Any, state: Any, gradients: Any) -> Any:
        updates, state = transform.update(gradients, state, parameters)
        return optax.apply_updates(parameters, updates), state

    compiled = jax.jit(update, donate_argnums=(0, 1))

    def step() -> object:
        kept[:] = compiled(*kept, gradients)
        return jax.block_until_ready(kept)  # type: ignore[no-untyped-call]

    step()
    return step
