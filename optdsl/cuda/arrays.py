"""Arrays on a card, as other libraries have them: by DLPack, or by `__cuda_array_interface__`.

Nothing is copied, and nothing waits. Who uses an address keeps the array that it is of.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from optdsl.cuda.driver import find_device
from optdsl.cuda.queue import Queue
from optdsl.runtime.errors import ParameterError, ParameterTypeError
from optdsl.runtime.formats import dtype_named

#: Where an array lies, as DLPack says it: on a card, or in memory that a card manages; on the host,
#: whether a card may read it there or not.
_ON_CARD, _ON_HOST = (2, 13), (1, 3, 11)
_CODES = {0: "int", 1: "uint", 2: "float", 4: "bfloat"}
_STEPPED = ("float32", "float64", "bfloat16", "float16")


class _Place(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int32), ("ordinal", ctypes.c_int32))


class _Type(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class _Tensor(ctypes.Structure):
    """The beginning of what a DLPack capsule points at. Source: dlpack.h, version 1.0."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("place", _Place),
        ("ndim", ctypes.c_int32),
        ("dtype", _Type),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("offset", ctypes.c_uint64),
    )


_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = ctypes.c_void_p
_pointer_of.argtypes = (ctypes.py_object, ctypes.c_char_p)


class DeviceArray:
    """A contiguous array on a card: an address, and whoever keeps its memory.

    It has `__cuda_array_interface__`, so that `torch.as_tensor`, `cupy.asarray` and Numba take it.
    `stream` is one on which whoever made the array may still write it, or None. `ordinal` is the
    number of its card, None where that is not said. One of our own has a `queue`, on which it can
    be copied, and filled from another.
    """

    def __init__(
        self,
        address: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        owner: Any,
        ordinal: int | None = None,
        stream: int | None = None,
        queue: Queue | None = None,
    ) -> None:
        self.address = address
        self.shape = shape
        self.dtype = dtype
        self.owner = owner
        self.ordinal = ordinal
        self.stream = stream
        self.queue = queue
        self.size = math.prod(shape)
        self.nbytes = self.size * dtype.itemsize

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """The array as CuPy, Numba and PyTorch read it."""
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.address, False),
            "strides": None,
            "version": 3,
            "stream": None,
        }

    @classmethod
    def new(cls, queue: Queue, shape: tuple[int, ...], dtype: np.dtype[Any]) -> DeviceArray:
        """Return an array whose values are not set yet."""
        memory = queue.allocate(math.prod(shape) * dtype.itemsize)
        return cls(memory.address, shape, dtype, memory, queue.device.ordinal, None, queue)

    def copy(self) -> DeviceArray:
        """Return a copy."""
        assert self.queue is not None
        with self.queue.device.current():
            made = DeviceArray.new(self.queue, self.shape, self.dtype)
            made[...] = self
        return made

    def __setitem__(self, everything: Any, values: DeviceArray | npt.NDArray[Any]) -> None:
        """Fill the whole array, as in `array[...] = values`, which have its shape and dtype."""
        assert self.queue is not None
        assert everything is ...
        assert (values.shape, values.dtype) == (self.shape, self.dtype)
        with self.queue.device.current():
            if isinstance(values, DeviceArray):
                self.queue.copy(self.address, values.address, self.nbytes)
            else:
                self.queue.upload(self.address, values)

    def view(self, dtype: str) -> DeviceArray:
        """Return the same memory as numbers of another dtype that are as wide.

        Nothing that reads `__cuda_array_interface__` knows bfloat16. A tensor of PyTorch comes of
        `torch.as_tensor(array.view("int16")).view(torch.bfloat16)`.

        Raises:
            TypeError: such numbers are wider or narrower.
        """
        found = np.dtype(dtype)
        if found.itemsize != self.dtype.itemsize:
            raise TypeError(f"{self.dtype} cannot be seen as {found}, which has another width")
        return DeviceArray(self.address, self.shape, found, self, self.ordinal, None, self.queue)

    def copy_to_host(self) -> npt.NDArray[Any]:
        """Return the values as a NumPy array; this waits for them."""
        assert self.queue is not None
        values = np.empty(self.shape, self.dtype)
        with self.queue.device.current():
            self.queue.download(values, self.address)
        return values

    def __repr__(self) -> str:
        return f"DeviceArray({self.dtype}, shape={self.shape})"


def adopted(given: Any, what: str, read_only: bool = False) -> DeviceArray:
    """Return the array that `given` is; `what` it is called in errors.

    With `read_only` it need not be one that can be written to.

    Raises:
        ParameterTypeError: it is no array on a card, or of a dtype that cannot be stepped.
        ParameterError: it is not contiguous, or cannot be written to.
    """
    given = _detached(given)
    if isinstance(given, DeviceArray):
        array = given
    elif hasattr(given, "__dlpack_device__"):
        array = _by_dlpack(given, what)
    elif hasattr(given, "__cuda_array_interface__"):
        array = _by_interface(given, what, read_only)
    else:
        raise ParameterTypeError(
            f"{what} is of type {type(given).__name__}: give an array on a card, "
            "with __cuda_array_interface__ or DLPack, such as those of PyTorch, CuPy and Numba"
        )
    if array.dtype.name not in _STEPPED:
        known = ", ".join(_STEPPED)
        raise ParameterTypeError(f"{what} holds {array.dtype}: {known} can be stepped")
    return array


def _detached(given: Any) -> Any:
    """Return a tensor that requires a gradient without its history, and all else as it is."""
    return given.detach() if getattr(given, "requires_grad", False) else given


def _by_dlpack(given: Any, what: str) -> DeviceArray:
    kind, ordinal = (int(each) for each in given.__dlpack_device__())
    if kind in _ON_HOST:
        raise ParameterTypeError(
            f"{what} lies in the memory of the host: move it to a card, "
            'or load the rule for the target "numba-cpu"'
        )
    if kind not in _ON_CARD:
        raise ParameterTypeError(f"{what} lies on a device (kind {kind} of DLPack), "
                                 "which is none of NVIDIA's cards")  # fmt: skip
    capsule = _exported(given, ordinal, what)
    tensor = _Tensor.from_address(_pointer_of(capsule, b"dltensor"))
    shape = tuple(tensor.shape[: tensor.ndim])
    strides = tuple(tensor.strides[: tensor.ndim]) if tensor.strides else None
    _require_contiguous(shape, strides, 1, what)
    dtype = _dtype(tensor.dtype, what)
    return DeviceArray((tensor.data or 0) + tensor.offset, shape, dtype, given, ordinal)


def _exported(given: Any, ordinal: int, what: str) -> Any:
    """Return the DLPack capsule of an array. PyTorch makes those of the current card alone."""
    waiting = -1  # the exporter need not wait for anything
    with suppress(BufferError):
        return given.__dlpack__(stream=waiting)
    try:
        with find_device(0, ordinal).current():
            return given.__dlpack__(stream=waiting)
    except BufferError as error:
        raise ParameterTypeError(f"{what} cannot be handed on: {error}") from error


def _dtype(said: _Type, what: str) -> np.dtype[Any]:
    name = f"{_CODES.get(said.code, 'unknown')}{said.bits}"
    if said.lanes != 1 or name not in _STEPPED:
        known = ", ".join(_STEPPED)
        raise ParameterTypeError(f"{what} holds {name}: {known} can be stepped")
    return dtype_named(name)


def _by_interface(given: Any, what: str, read_only: bool) -> DeviceArray:
    said = given.__cuda_array_interface__
    shape, dtype = tuple(said["shape"]), np.dtype(said["typestr"])
    address, cannot_be_written = said["data"]
    if cannot_be_written and not read_only:
        raise ParameterError(f"{what} is read-only: a step writes to parameters")
    _require_contiguous(shape, said.get("strides"), dtype.itemsize, what)
    return DeviceArray(address or 0, shape, dtype, given, None, said.get("stream"))


def _require_contiguous(
    shape: Sequence[int], strides: Sequence[int] | None, unit: int, what: str
) -> None:
    """Refuse strides, in multiples of `unit` bytes or entries, other than those of C order."""
    if strides is None or 0 in shape:
        return
    expected = unit
    for length, stride in zip(reversed(shape), reversed(strides), strict=True):
        if length != 1 and stride != expected:
            raise ParameterError(f"{what} is not contiguous in C order: give a contiguous copy")
        expected *= length


def require_apart(arrays: Sequence[DeviceArray], labels: Sequence[str]) -> None:
    """Refuse arrays that share memory.

    Raises:
        ParameterError: two of them do.
    """
    spans = sorted((a.address, a.address + a.nbytes, i) for i, a in enumerate(arrays) if a.size)
    for (_, end, first), (begin, _, second) in pairwise(spans):
        if begin < end:
            raise ParameterError(
                f"parameters {labels[first]} and {labels[second]} share memory: "
                "each array must be given once"
            )
