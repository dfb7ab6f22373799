"""A driver of CUDA that is none: it records every call, and runs kernels on the CPU.

Memory of the card is memory of the host, so that addresses mean something. What is put on a
stream is done at once; by a card that is `late`, when somebody waits for it or looks at an array.
It has the functions, and the names, of `cuda.bindings.driver`.
"""

import ctypes
from enum import Enum
from types import SimpleNamespace

import numpy as np

from optdsl.codegen.support.cuda.emulation import Emulated
from optdsl.runtime.formats import dtype_named

CUresult = Enum("CUresult", ["CUDA_SUCCESS", "CUDA_ERROR_NOT_READY", "CUDA_ERROR_INVALID_VALUE"])
GOOD = CUresult.CUDA_SUCCESS


_NEEDS_CONTEXT = (
    "cuMemAlloc", "cuMemFree", "cuMemcpy", "cuMemset", "cuModule", "cuLaunch", "cuEventCreate",
)  # fmt: skip

#: The driver of this test, whose work is done before anybody looks at an array.
_PRESENT = SimpleNamespace(driver=None)

#: Kernels that run on the CPU already: to compile them takes longer than any test.
_KNOWN = {}


def _emulated(kernel, formats):
    key = (id(kernel), formats)
    if key not in _KNOWN:
        _KNOWN[key] = (
            kernel,
            Emulated(kernel, formats).plain,
        )  # the kernel is held, so its id is its own
    return _KNOWN[key][1]


class FakeDriver:
    """Records calls as (name, arguments); `launches` are those of kernels, in words."""

    CUresult = CUresult
    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR=75,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR=76,
    )
    CUpointer_attribute = SimpleNamespace(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL=9)
    CUstreamCaptureStatus = SimpleNamespace(CU_STREAM_CAPTURE_STATUS_NONE=0)

    def __init__(self):
        self.calls = []
        self.without_context = []  # calls that a driver refuses where no context is current
        self.launches = []
        self.kept = {}
        self.kernels = {}
        self.contexts = []
        self.capturing = False
        self.recorded = []  # what is put on a stream while it is captured is done in `replay`
        self.unfinished = 0  # how many of the next questions for an event are answered "not yet"
        self.late = False  # is what is put on a stream done only when somebody waits for it?
        self.waiting = []
        self.arrays = []  # memory of others, who give it back behind what is on the stream
        _PRESENT.driver = self

    # --------------------------------------------------------------- kernels

    def compiled(self, kernel, formats, capability, approximate):
        """Stand for the compiler: the PTX is only a name under which the kernel is found."""
        entry = "_".join([kernel.name, *formats])
        text = f"{entry} for {capability} of {id(kernel)}"
        self.kernels[text] = (entry, _emulated(kernel, formats))
        return text, entry

    def cuModuleLoadData(self, image):
        self._note("cuModuleLoadData")
        return GOOD, image.rstrip(b"\0").decode()

    def cuModuleGetFunction(self, module, name):
        entry, run = self.kernels[module]
        assert entry == name.decode()
        return GOOD, (entry, run)

    def cuLaunchKernel(self, function, gx, gy, gz, bx, by, bz, shared, stream, parameters, extra):
        entry, run = function
        assert (gy, gz, by, bz, shared, extra) == (1, 1, 1, 1, 0, 0)
        assert gx > 0, "a grid of no blocks is refused by the driver"
        count = {"kernel": 11, "lines": 11, "finish": 10, "clock": 6, "gathered": 7}[
            entry.split("_")[0]
        ]
        places = (ctypes.c_void_p * count).from_address(parameters)
        values = [ctypes.c_int64.from_address(place).value for place in places]
        self._note("cuLaunchKernel", entry, gx, bx, stream)
        self.launches.append(SimpleNamespace(entry=entry, blocks=gx, threads=bx, stream=stream))
        self._put(lambda: run(gx, *values))
        return (GOOD,)

    # ---------------------------------------------------------------- memory

    def _new(self, name, size):
        self._note(name, size)
        memory = np.full(size + 256, 0xAA, np.uint8)  # not zeros: nobody may count on them
        address = -(-memory.ctypes.data // 256) * 256
        self.kept[address] = memory
        return GOOD, address

    def cuMemAlloc(self, size):
        return self._new("cuMemAlloc", size)

    def cuMemAllocHost(self, size):
        return self._new("cuMemAllocHost", size)

    def cuMemFree(self, address):
        self._note("cuMemFree", address)
        self.finish()  # the driver waits for the card before it takes memory away
        del self.kept[address]
        return (GOOD,)

    def cuMemFreeHost(self, address):
        self._note("cuMemFreeHost", address)
        self.finish()
        del self.kept[address]
        return (GOOD,)

    def cuMemsetD8Async(self, address, value, size, stream):
        self._note("cuMemsetD8Async", size, stream)
        self._put(lambda: ctypes.memset(address, value, size))
        return (GOOD,)

    def _copied(self, name, address, source, size, stream):
        self._note(name, size, stream)
        self._put(lambda: ctypes.memmove(address, source, size))
        return (GOOD,)

    def cuMemcpyHtoDAsync(self, address, source, size, stream):
        return self._copied("cuMemcpyHtoDAsync", address, source, size, stream)

    def cuMemcpyDtoDAsync(self, address, source, size, stream):
        return self._copied("cuMemcpyDtoDAsync", address, source, size, stream)

    def cuMemcpyDtoHAsync(self, address, source, size, stream):
        return self._copied("cuMemcpyDtoHAsync", address, source, size, stream)

    def cuPointerGetAttribute(self, name, address):
        return GOOD, 0

    # ------------------------------------------------------- all that remains

    def cuInit(self, flags):
        return (GOOD,)

    def cuDeviceGet(self, ordinal):
        return GOOD, ordinal

    def cuDeviceGetAttribute(self, name, device):
        return GOOD, {75: 9, 76: 0}[name]

    def cuDevicePrimaryCtxRetain(self, device):
        return GOOD, f"context of {device}"

    def cuCtxPushCurrent(self, context):
        self.contexts.append(context)
        return (GOOD,)

    def cuCtxPopCurrent(self):
        return GOOD, self.contexts.pop()

    def cuEventCreate(self, flags):
        self._note("cuEventCreate")
        return GOOD, SimpleNamespace(done=True)

    def cuEventDestroy(self, event):
        return (GOOD,)

    def cuEventRecord(self, event, stream):
        self._note("cuEventRecord", stream)
        event.done = False
        self._put(lambda: setattr(event, "done", True))
        return (GOOD,)

    def cuEventQuery(self, event):
        if self.unfinished or not event.done:
            self.unfinished = max(self.unfinished - 1, 0)
            return (CUresult.CUDA_ERROR_NOT_READY,)
        return (GOOD,)

    def cuEventSynchronize(self, event):
        self._note("cuEventSynchronize")
        while not event.done:
            self.waiting.pop(0)()
        return (GOOD,)

    def cuStreamSynchronize(self, stream):
        self._note("cuStreamSynchronize", stream)
        self.finish()
        return (GOOD,)

    def finish(self):
        """Do all that has been put on streams."""
        while self.waiting:
            self.waiting.pop(0)()

    def cuStreamWaitEvent(self, stream, event, flags):
        self._note("cuStreamWaitEvent", stream)
        return (GOOD,)

    def cuStreamIsCapturing(self, stream):
        return GOOD, int(self.capturing)

    def _put(self, work):
        if self.capturing:
            self.recorded.append(work)
        elif self.late:
            self.waiting.append(work)
        else:
            work()

    def replay(self):
        """Do what was recorded, as a graph is replayed: without any call."""
        for work in self.recorded:
            work()

    def _note(self, name, *arguments):
        self.calls.append((name, *arguments))
        if not self.contexts and name.startswith(_NEEDS_CONTEXT):
            self.without_context.append(name)

    def called(self, *beginnings):
        """Return the names of the calls so far that begin so."""
        return [call[0] for call in self.calls if call[0].startswith(beginnings)]


class CardArray:
    """An array on the card, as another library has it: `values` are its memory."""

    def __init__(self, values, dtype="float32", stream=None, offset=0):
        values = np.asarray(values, dtype_named(dtype))
        memory = np.zeros(values.nbytes + 64 + offset, np.uint8)
        start = -memory.ctypes.data % 64 + offset
        if _PRESENT.driver:
            _PRESENT.driver.arrays.append(memory)
        self.values = memory[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
        self._values[...] = values
        self.stream = stream

    @property
    def values(self):
        """The array, when all that was put on streams is done."""
        if _PRESENT.driver:
            _PRESENT.driver.finish()
        return self._values

    @values.setter
    def values(self, values):
        self._values = values

    @property
    def __cuda_array_interface__(self):
        strides = None if self._values.flags.c_contiguous else self._values.strides
        return {
            "shape": self._values.shape, "typestr": self._values.dtype.str, "strides": strides,
            "data": (self._values.ctypes.data, False), "version": 3, "stream": self.stream,
        }  # fmt: skip


class _Exported(ctypes.Structure):
    """A managed tensor of DLPack: a pointer, where it lies, how it is laid out."""

    _fields_ = (
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)), ("offset", ctypes.c_uint64),
        ("manager", ctypes.c_void_p), ("deleter", ctypes.c_void_p),
    )  # fmt: skip


class DLPackArray(CardArray):
    """An array on the card that is handed on by DLPack only."""

    __cuda_array_interface__ = property()
    device = (2, 0)

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, *, stream=None):
        assert stream == -1, "nobody is to wait"
        shape, itemsize = self._values.shape, self._values.itemsize
        lengths = ctypes.c_int64 * max(len(shape), 1)
        code = 4 if self._values.dtype.name == "bfloat16" else 2
        strides = lengths(*(stride // itemsize for stride in self._values.strides))
        self.exported = _Exported(
            self._values.ctypes.data, *self.device, len(shape), code, 8 * itemsize, 1,
            lengths(*shape), strides, 0, None, None,
        )  # fmt: skip
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        return new(ctypes.addressof(self.exported), b"dltensor", None)


def card_array(values, dtype="float32", **how):
    """Return an array on the card, by the protocol that knows its dtype."""
    kind = DLPackArray if dtype == "bfloat16" else CardArray
    return kind(values, dtype, **how)
