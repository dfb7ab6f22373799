"""A card, by the driver of CUDA: thin, so that all that decides anything can be tested without."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

import numpy as np

from optdsl.cuda.device import Arguments, Bytes, as_bytes
from optdsl.cuda.failures import told
from optdsl.runtime.errors import DeviceError

#: Uploads under way at most: only who is further ahead of the card than this waits for it.
_STAGES = 64


def driver_module() -> Any:
    """Return the module `cuda.bindings.driver`, with the driver loaded and ready.

    Raises:
        DeviceError: the package, the driver or a card is missing.
    """
    try:
        from cuda.bindings import driver
    except ImportError:
        raise DeviceError(
            "the package cuda-bindings is missing, which calls the driver of CUDA: "
            'install it with pip install "optdsl[cuda]"'
        ) from None
    try:
        (status,) = driver.cuInit(0)
    except Exception as error:  # the loader's own error, which no public module names
        raise DeviceError(
            "there is no driver of CUDA on this machine: a step needs an NVIDIA card and its "
            "driver; compiling and inspecting need neither"
        ) from error
    if status != driver.CUresult.CUDA_SUCCESS:
        raise DeviceError(told("cuInit", status.name))
    return driver


class DriverMemory:
    """Memory of a card."""

    def __init__(self, device: DriverDevice, size: int) -> None:
        self.size = size
        self._device = device
        # The driver refuses to allocate nothing.
        self.address = int(device.call("cuMemAlloc", max(size, 1)))

    def __del__(self) -> None:
        if hasattr(self, "address"):
            self._device.give_back("cuMemFree", self.address)


class _Stage:
    """Host memory that the card reads from while the host goes on, and when it was read."""

    def __init__(self, device: DriverDevice, size: int) -> None:
        self.size = size
        self._device = device
        self.address = int(device.call("cuMemAllocHost", size))
        self.event = device.call("cuEventCreate", 2)  # 2: an event that measures no time
        self.bytes = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(self.address))

    def __del__(self) -> None:
        if hasattr(self, "event"):
            self._device.give_back("cuEventDestroy", self.event)
        if hasattr(self, "address"):
            self._device.give_back("cuMemFreeHost", self.address)


class DriverDevice:
    """A card. See `Device`."""

    def __init__(self, ordinal: int, driver: Any) -> None:
        self.ordinal = ordinal
        self._driver = driver
        handle = self.call("cuDeviceGet", ordinal)
        self._context = self.call("cuDevicePrimaryCtxRetain", handle)
        names = driver.CUdevice_attribute
        major, minor = (
            int(self.call("cuDeviceGetAttribute", getattr(names, f"{prefix}_{part}"), handle))
            for prefix in ("CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY",)
            for part in ("MAJOR", "MINOR")
        )
        self.capability = (major, minor)
        self._lock = Lock()  # optimizers of several threads may share a card
        self._modules: dict[str, Any] = {}
        self._stages: deque[_Stage] = deque()  # in the order in which they were put on streams

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the driver; return what it gives, if anything.

        Raises:
            DeviceError: the driver reports an error.
        """
        status, *results = getattr(self._driver, name)(*arguments)
        if status != self._driver.CUresult.CUDA_SUCCESS:
            raise DeviceError(told(name, status.name))
        return results[0] if results else None

    def give_back(self, name: str, handle: Any) -> None:
        """Give back something of the card, from whatever thread collects garbage.

        Where that fails there is nothing to be done: the card has gone, and all of it with it.
        """
        with suppress(DeviceError), self.current():
            self.call(name, handle)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Let calls of this thread go to this card."""
        self.call("cuCtxPushCurrent", self._context)
        try:
            yield
        finally:
            self.call("cuCtxPopCurrent")

    def allocate(self, size: int) -> DriverMemory:
        """Return memory of so many bytes."""
        return DriverMemory(self, size)

    def zero(self, address: int, size: int, stream: int) -> None:
        """Set bytes to zero."""
        if size:
            self.call("cuMemsetD8Async", address, 0, size, stream)

    def upload(self, address: int, values: Bytes, stream: int, reserved: Any = None) -> None:
        """Copy an array to an address, by way of memory that the card may read at leisure."""
        if not values.nbytes:
            return
        recorded = self.capturing(stream)
        if recorded and reserved is None:
            raise DeviceError(
                "a step cannot be recorded in a graph now: give capturable=True, and take a plain "
                "step before the one that is recorded, and after whatever was changed last"
            )
        stage = reserved if recorded else self._stage(values.nbytes)
        stage.bytes[: values.nbytes] = as_bytes(values)
        self.call("cuMemcpyHtoDAsync", address, stage.address, values.nbytes, stream)
        if not recorded:
            self.call("cuEventRecord", stage.event, stream)
            with self._lock:
                self._stages.append(stage)

    def reserve(self, size: int) -> Any:
        """Return memory by way of which so many bytes can be uploaded while a graph is recorded."""
        return _Stage(self, max(size, 1))

    def _stage(self, size: int) -> _Stage:
        """Return host memory that the card is done with: new memory until enough is there."""
        with self._lock:
            fitting = [stage for stage in self._stages if stage.size >= size]
            done = next((stage for stage in fitting if self._is_done(stage)), None)
            if done is None and len(fitting) >= _STAGES:
                done = fitting[0]
                self.call("cuEventSynchronize", done.event)
            if done is not None:
                self._stages.remove(done)
                return done
        return _Stage(self, 1 << max(12, (size - 1).bit_length()))

    def _is_done(self, stage: _Stage) -> bool:
        (status,) = self._driver.cuEventQuery(stage.event)
        return bool(status == self._driver.CUresult.CUDA_SUCCESS)

    def copy(self, address: int, source: int, size: int, stream: int) -> None:
        """Copy bytes from one address of the card to another."""
        if size:
            self.call("cuMemcpyDtoDAsync", address, source, size, stream)

    def download(self, values: Bytes, address: int, stream: int) -> None:
        """Fill an array from an address, and wait for it."""
        if self.capturing(stream):
            raise DeviceError("nothing can be read back while a graph is recorded")
        if values.nbytes:
            self.call("cuMemcpyDtoHAsync", values.ctypes.data, address, values.nbytes, stream)
            self.call("cuStreamSynchronize", stream)

    def function(self, ptx: str, entry: str) -> Any:
        """Return the kernel called `entry` of a PTX module."""
        module = self._modules.get(ptx)
        if module is None:
            module = self._modules[ptx] = self.call("cuModuleLoadData", ptx.encode() + b"\0")
        return self.call("cuModuleGetFunction", module, entry.encode())

    def launch(
        self, function: Any, blocks: int, threads: int, arguments: Arguments, stream: int
    ) -> None:
        """Launch blocks of threads of a kernel."""
        self.call(
            "cuLaunchKernel", function, blocks, 1, 1, threads, 1, 1, 0, stream,
            arguments.pointers, 0,
        )  # fmt: skip

    def follow(self, stream: int, other: int) -> None:
        """Let what comes on `stream` begin after what has been put on `other`."""
        event = self.call("cuEventCreate", 2)
        self.call("cuEventRecord", event, other)
        self.call("cuStreamWaitEvent", stream, event, 0)
        self.call("cuEventDestroy", event)

    def capturing(self, stream: int) -> bool:
        """Is what is put on `stream` recorded in a graph?"""
        status = self.call("cuStreamIsCapturing", stream)
        return bool(status != self._driver.CUstreamCaptureStatus.CU_STREAM_CAPTURE_STATUS_NONE)


_DEVICES: dict[int, DriverDevice] = {}  # one for each card, whoever asks first
_FINDING = Lock()


def find_device(address: int, ordinal: int | None) -> DriverDevice:
    """Return the card that an address lies on; `ordinal` is its number where that is known.

    Raises:
        DeviceError: a package, the driver or a card is missing, or the address lies on none.
    """
    driver = driver_module()
    if ordinal is None:
        name = driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
        status, found = driver.cuPointerGetAttribute(name, address)
        if status != driver.CUresult.CUDA_SUCCESS:
            raise DeviceError(f"the address {address:#x} lies on no card")
        ordinal = int(found)
    with _FINDING:
        if ordinal not in _DEVICES:
            _DEVICES[ordinal] = DriverDevice(ordinal, driver)
        return _DEVICES[ordinal]
