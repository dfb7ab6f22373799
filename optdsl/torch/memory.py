"""Where tensors lie, and how the runtime sees them there.

`Memory` is the seam between tensors and kernels: an address, a shape, a dtype, the stream of the
caller. There is one for the host here, and one for a card in `cards.py`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, Protocol

import ml_dtypes
import numpy as np
import torch

from optdsl.runtime.arrays import Array, address
from optdsl.runtime.errors import ParameterTypeError
from optdsl.runtime.optimizer import Optimizer

_BFLOAT16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
#: How the entries of a tensor are told to NumPy.
DTYPES: dict[torch.dtype, np.dtype[Any]] = {
    torch.float64: np.dtype(np.float64),
    torch.float32: np.dtype(np.float32),
    torch.float16: np.dtype(np.float16),
    torch.bfloat16: _BFLOAT16,
}


class Memory(Protocol):
    """The memory of one device. Its arrays are what an optimizer of the runtime takes there."""

    @property
    def name(self) -> str:
        """What it is called in errors."""

    @property
    def target(self) -> str:
        """The target whose kernels reach it."""

    @property
    def mixes(self) -> bool:
        """Does an optimizer of the runtime take parameters of several dtypes there?"""

    def stepped(self, dtype: torch.dtype) -> torch.dtype:
        """Return the dtype in which tensors of this dtype are stepped: theirs, or a wider one."""

    def array(self, tensor: torch.Tensor) -> Any:
        """Return an array on the memory of a tensor, with its strides where they are its own."""

    def at(self, address: int, shape: tuple[int, ...], dtype: torch.dtype) -> Any:
        """Return a contiguous array at an address, which keeps nothing alive."""

    def tensor(self, array: Any) -> torch.Tensor:
        """Return a tensor on the memory of an array."""

    def address(self, array: Any) -> int:
        """Return where an array begins."""

    def new_state(self, values: torch.Tensor, dtype: np.dtype[Any], beside: Any) -> Any:
        """Return an array that holds `values`, to be kept beside the array of a parameter."""

    def enter(self, optimizer: Optimizer) -> Mapping[str, Any]:
        """Let an optimizer work where the caller does; return what its `step` is told of it."""


class HostMemory:
    """The memory that NumPy's arrays lie in. See `Memory`."""

    name = "the CPU"
    target = "numba-cpu"
    mixes = True

    def stepped(self, dtype: torch.dtype) -> torch.dtype:
        """Return the dtype in which tensors are stepped: float16 in float32."""
        return torch.float32 if dtype is torch.float16 else dtype

    def array(self, tensor: torch.Tensor) -> Array:
        """Return an array on the memory of a tensor.

        >>> tensor = torch.zeros(2)
        >>> HostMemory().array(tensor)[:] = 1
        >>> tensor
        tensor([1., 1.])
        """
        tensor = tensor.detach()
        if tensor.dtype is torch.bfloat16:
            bits: Array = tensor.view(torch.int16).numpy()
            return bits.view(_BFLOAT16)
        return tensor.numpy()

    def at(self, address: int, shape: tuple[int, ...], dtype: torch.dtype) -> Array:
        """Return a contiguous array at an address, which keeps nothing alive."""
        return array_at(address, shape, DTYPES[dtype])

    def tensor(self, array: Array) -> torch.Tensor:
        """Return a tensor on the memory of an array."""
        if array.dtype == _BFLOAT16:
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array)

    def address(self, array: Array) -> int:
        """Return where an array begins."""
        return address(array)

    def new_state(self, values: torch.Tensor, dtype: np.dtype[Any], beside: Array) -> Array:
        """Return an array that holds `values`."""
        return np.asarray(self.array(values.cpu()), dtype, order="C")

    def enter(self, optimizer: Optimizer) -> Mapping[str, Any]:
        """Return nothing: what runs on the host has no stream."""
        return {}


HOST = HostMemory()


def array_at(address: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a contiguous array at an address of the host, which keeps nothing alive."""
    size = int(np.prod(shape)) * dtype.itemsize
    if not size:
        return np.empty(shape, dtype)
    memory: Any = (ctypes.c_char * size).from_address(address)
    array: Array = np.frombuffer(memory, dtype).reshape(shape)
    return array


def stepped_dtype(memory: Memory, dtype: torch.dtype, label: str) -> torch.dtype:
    """Return the dtype in which a parameter of this dtype is stepped.

    Raises:
        ParameterTypeError: it is not a real floating-point number of 16 bits or more.
    """
    if dtype not in DTYPES:
        raise ParameterTypeError(
            f"parameter {label} holds {dtype}: float64, float32, bfloat16 and float16 can be "
            "stepped"
        )
    return memory.stepped(dtype)
