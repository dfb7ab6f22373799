"""What this process holds of tensors: their shards, and what stands beside them."""

from __future__ import annotations

from typing import Any

import torch

from optdsl.runtime.errors import ParameterError


def local(tensor: torch.Tensor) -> torch.Tensor:
    """Return what this process holds of a tensor: its shard where it is a DTensor."""
    if type(tensor) in (torch.Tensor, torch.nn.Parameter):
        return tensor
    shard = getattr(tensor, "_local_tensor", None)
    return tensor if shard is None else shard


def check_layout(tensor: torch.Tensor, label: str) -> None:
    """Refuse a tensor that has no entries of its own, one beside the other.

    Raises:
        ParameterError: it is sparse, or expanded.
    """
    if tensor.layout is not torch.strided:
        raise ParameterError(f"parameter {label} is stored as {tensor.layout}: make it dense")
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    if any(size > 1 and stride == 0 for size, stride in pairs):
        raise ParameterError(
            f"parameter {label} is an expanded tensor, several of whose entries share memory: "
            "give the tensor it was expanded from"
        )


def like(parameter: torch.Tensor, shard: torch.Tensor) -> torch.Tensor:
    """Return what stands beside the entries of a parameter as the same kind of tensor.

    Beside a DTensor it is a DTensor, so that a sharded checkpoint knows where it belongs.
    """
    held = local(parameter)
    if held is parameter or shard.shape != held.shape:
        return shard
    from torch.distributed.tensor import DTensor

    assert isinstance(parameter, DTensor)
    made: torch.Tensor = DTensor.from_local(
        shard, parameter.device_mesh, parameter.placements, run_check=False,
        shape=parameter.shape, stride=parameter.stride(),
    )  # fmt: skip
    return made


def beside(parameter: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Return what this process holds of a gradient: the entries of the part of the parameter."""
    if type(gradient) is torch.Tensor or not hasattr(gradient, "placements"):
        return gradient
    held: Any = gradient
    wanted = getattr(parameter, "placements", held.placements)
    return local(held if held.placements == wanted else held.redistribute(placements=wanted))
