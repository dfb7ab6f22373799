"""Tensors as NumPy arrays on the same memory.

This is the one place that knows where a tensor lives. A target for another device
begins here: it would hand out addresses on that device.
"""

from __future__ import annotations

import ctypes
from typing import Any

import ml_dtypes
import numpy as np
import torch

from optdsl.runtime.arrays import Array
from optdsl.runtime.errors import GradientError, ParameterError, ParameterTypeError

_BFLOAT16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
#: How the entries of a tensor are told to NumPy, and how they are stepped: float16 in float32.
_DTYPES: dict[torch.dtype, np.dtype[Any]] = {
    torch.float64: np.dtype(np.float64),
    torch.float32: np.dtype(np.float32),
    torch.float16: np.dtype(np.float16),
    torch.bfloat16: _BFLOAT16,
}
_STEPPED = {torch.float16: np.dtype(np.float32)}


def stepped_dtype(dtype: torch.dtype, label: str) -> np.dtype[Any]:
    """Return the dtype in which a parameter of this dtype is stepped.

    Raises:
        ParameterTypeError: it is not a real floating-point number of 16 bits or more.
    """
    if dtype not in _DTYPES:
        raise ParameterTypeError(
            f"parameter {label} holds {dtype}: float64, float32, bfloat16 and float16 can be "
            "stepped"
        )
    return _STEPPED.get(dtype, _DTYPES[dtype])


def local(tensor: torch.Tensor) -> torch.Tensor:
    """Return what this process holds of a tensor: its shard where it is a DTensor."""
    if type(tensor) in (torch.Tensor, torch.nn.Parameter):
        return tensor
    shard = getattr(tensor, "_local_tensor", None)
    return tensor if shard is None else shard


def check_place(tensor: torch.Tensor, label: str) -> None:
    """Refuse a tensor whose memory no kernel can reach, or whose entries share some.

    Raises:
        ParameterError: it is on another device, sparse, or expanded.
    """
    if tensor.device.type != "cpu":
        raise ParameterError(
            f"parameter {label} is on {tensor.device}: this door steps tensors on the CPU so far; "
            'on a card, `optdsl.load(..., target="cuda")` steps them without `torch.optim`'
        )
    if tensor.layout is not torch.strided:
        raise ParameterError(f"parameter {label} is stored as {tensor.layout}: make it dense")
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    if any(size > 1 and stride == 0 for size, stride in pairs):
        raise ParameterError(
            f"parameter {label} is an expanded tensor, several of whose entries share memory: "
            "give the tensor it was expanded from"
        )


def array_of(tensor: torch.Tensor) -> Array:
    """Return an array on the memory of a CPU tensor, with its strides.

    >>> tensor = torch.zeros(2)
    >>> array_of(tensor)[:] = 1
    >>> tensor
    tensor([1., 1.])
    """
    tensor = tensor.detach()
    if tensor.dtype is torch.bfloat16:
        bits: Array = tensor.view(torch.int16).numpy()
        return bits.view(_BFLOAT16)
    return tensor.numpy()


def stepped(tensor: torch.Tensor, label: str) -> Array:
    """Return the entries of a tensor as an array that a kernel takes, which may be a copy."""
    return np.ascontiguousarray(array_of(tensor), stepped_dtype(tensor.dtype, label)).copy()


def tensor_of(array: Array) -> torch.Tensor:
    """Return a tensor on the memory of an array."""
    if array.dtype == _BFLOAT16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


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


class Gradients:
    """The gradients of one parameter as arrays, which own nothing and keep nothing alive.

    In a training loop, a gradient often comes to the same address again. Then it is the same
    array, and whatever was found out about it still holds. An array is read in the step for
    which it was asked for, and no later.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, label: str) -> None:
        self.shape = shape
        self.dtype = dtype
        self.label = label
        self._stepped = stepped_dtype(dtype, label)
        self._numpy = _DTYPES[dtype]
        self._bytes = int(np.prod(shape)) * self._numpy.itemsize
        self._address = -1
        self._array: Array | None = None

    def of(self, gradient: torch.Tensor) -> Array:
        """Return `gradient` as an array; a copy where it is not contiguous, or of float16.

        Raises:
            GradientError: it is on another device, or of another shape or dtype.
        """
        if gradient.dtype is not self.dtype or gradient.device.type != "cpu":
            raise GradientError(
                f"the gradient of {self.label} holds {gradient.dtype} on {gradient.device}, "
                f"but the parameter {self.dtype} on the CPU"
            )
        if self._numpy is not self._stepped or not gradient.is_contiguous():
            return np.ascontiguousarray(array_of(gradient), self._stepped)
        address = gradient.data_ptr()
        if address == self._address:
            assert self._array is not None
            return self._array
        if gradient.shape != self.shape:
            raise GradientError(
                f"the gradient of {self.label} has shape {tuple(gradient.shape)}, "
                f"but the parameter {self.shape}"
            )
        self._address, self._array = address, self._at(address)
        return self._array

    def _at(self, address: int) -> Array:
        if not self._bytes:
            return np.empty(self.shape, self._numpy)
        memory: Any = (ctypes.c_char * self._bytes).from_address(address)
        array: Array = np.frombuffer(memory, self._numpy).reshape(self.shape)
        return array
