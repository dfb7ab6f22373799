"""The memory of NVIDIA cards, as PyTorch hands it out.

All that asks PyTorch about cards is in `Cuda`, so that everything above it runs without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
import torch

from optdsl.cuda import DeviceArray, DeviceOptimizer
from optdsl.runtime.errors import DeviceError, ParameterError
from optdsl.runtime.optimizer import Optimizer
from optdsl.torch.memory import DTYPES, HOST, Memory


class Cuda(Protocol):
    """What is asked of PyTorch about cards."""

    def ordinal(self, tensor: torch.Tensor) -> int | None:
        """Return the number of the card that a tensor lies on, None where it is elsewhere."""

    def stream(self, ordinal: int) -> int:
        """Return the handle of the stream that the caller works on, on a card."""

    def tensor(self, array: DeviceArray, dtype: torch.dtype) -> torch.Tensor:
        """Return a contiguous tensor on the memory of an array, which keeps its owner alive."""


class TorchCuda:
    """PyTorch's own cards. See `Cuda`."""

    def ordinal(self, tensor: torch.Tensor) -> int | None:
        """Return the number of the card of a tensor.

        Raises:
            DeviceError: PyTorch calls it a card of CUDA, and it is one of another maker.
        """
        if tensor.device.type != "cuda":
            return None
        if torch.version.hip is not None:
            raise DeviceError("this PyTorch is one for AMD cards: kernels here are for NVIDIA's")
        return torch.cuda.current_device() if tensor.device.index is None else tensor.device.index

    def stream(self, ordinal: int) -> int:
        """Return the handle of the current stream of a card."""
        return int(torch.cuda.current_stream(ordinal).cuda_stream)

    def tensor(self, array: DeviceArray, dtype: torch.dtype) -> torch.Tensor:
        """Return a tensor on the memory of an array."""
        place = f"cuda:{array.ordinal}"
        if not array.size:
            return torch.empty(array.shape, dtype=dtype, device=place)
        return torch.as_tensor(_Bytes(array), device=place).view(dtype).view(array.shape)


class _Bytes:
    """An array as bytes: what PyTorch reads knows no bfloat16."""

    def __init__(self, array: DeviceArray) -> None:
        self._array = array

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """The bytes of the array."""
        said = self._array.__cuda_array_interface__
        return {**said, "shape": (self._array.nbytes,), "typestr": "|u1"}


#: What is asked about cards.
CUDA: Cuda = TorchCuda()

_TORCHS = {numpy: dtype for dtype, numpy in DTYPES.items()}


@dataclass(frozen=True)
class CardMemory:
    """The memory of a card. See `Memory`."""

    ordinal: int
    target = "numba-cuda"
    mixes = False

    @property
    def name(self) -> str:
        """What it is called in errors."""
        return f"cuda:{self.ordinal}"

    def stepped(self, dtype: torch.dtype) -> torch.dtype:
        """Return the dtype in which tensors are stepped: their own."""
        return dtype

    def array(self, tensor: torch.Tensor) -> DeviceArray:
        """Return an array on the memory of a contiguous tensor, which it keeps."""
        held = tensor.detach()
        shape, dtype = tuple(held.shape), DTYPES[held.dtype]
        return DeviceArray(held.data_ptr(), shape, dtype, held, self.ordinal)

    def at(self, address: int, shape: tuple[int, ...], dtype: torch.dtype) -> DeviceArray:
        """Return a contiguous array at an address, which keeps nothing alive.

        PyTorch gives memory of a stream to others only behind what the stream does with it.
        """
        return DeviceArray(address, shape, DTYPES[dtype], None, self.ordinal)

    def tensor(self, array: DeviceArray) -> torch.Tensor:
        """Return a tensor on the memory of an array."""
        return CUDA.tensor(array, _TORCHS[array.dtype])

    def address(self, array: DeviceArray) -> int:
        """Return where an array begins."""
        return array.address

    def new_state(
        self, values: torch.Tensor, dtype: np.dtype[Any], beside: DeviceArray
    ) -> DeviceArray:
        """Return an array that holds `values`, on the queue of a parameter."""
        place = beside.owner.device
        held = values.detach().to(place, _TORCHS[dtype]).contiguous()
        array = DeviceArray(held.data_ptr(), tuple(held.shape), dtype, held, self.ordinal)
        array.queue = beside.queue
        return array

    def enter(self, optimizer: Optimizer) -> Mapping[str, Any]:
        """Let an optimizer work on the caller's stream."""
        assert isinstance(optimizer, DeviceOptimizer)
        handle = CUDA.stream(self.ordinal)
        optimizer.work_on(handle)
        return {"stream": handle}


@cache
def card(ordinal: int) -> CardMemory:
    """Return the memory of a card."""
    return CardMemory(ordinal)


def memory_of(tensor: torch.Tensor, label: str) -> Memory:
    """Return the memory that a tensor lies in.

    Raises:
        ParameterError: no kernel of ours reaches it.
        DeviceError: PyTorch calls it a card of CUDA, and it is one of another maker.
    """
    ordinal = CUDA.ordinal(tensor)
    if ordinal is not None:
        return card(ordinal)
    if tensor.device.type == "cpu":
        return HOST
    raise ParameterError(
        f"parameter {label} is on {tensor.device}: this door steps tensors on the CPU, "
        "and on NVIDIA cards (`cuda`)"
    )
