"""Kernels of a layout as a card runs them: compiled once for its architecture and for formats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optdsl.codegen.support.cuda.words import Kernel
from optdsl.cuda.device import Device
from optdsl.runtime.errors import DeviceError

#: Returns the PTX of a kernel for streams of formats and a compute capability, and its entry.
Compiler = Callable[[Kernel, tuple[str, ...], tuple[int, int]], tuple[str, str]]


def compiled(
    kernel: Kernel, formats: tuple[str, ...], capability: tuple[int, int]
) -> tuple[str, str]:
    """Return the PTX of a kernel, and the name of its entry.

    Raises:
        DeviceError: numba-cuda or libNVVM is missing.
    """
    from optdsl.codegen.support.cuda.compiling import ptx

    try:
        made = ptx(kernel, formats, capability)
    except ImportError as error:
        raise DeviceError(
            f"kernels cannot be compiled for CUDA ({error}): "
            'install what that needs with pip install "optdsl[cuda]"'
        ) from error
    return made.text, made.entry


class Programs:
    """The kernels that an optimizer has launched so far."""

    def __init__(self, device: Device, compiler: Compiler | None = None) -> None:
        self._device = device
        self._compiler = compiler or compiled
        self._functions: dict[tuple[int, tuple[str, ...]], Any] = {}

    def function(self, kernel: Kernel, formats: tuple[str, ...] = ()) -> Any:
        """Return a kernel for streams of these formats, ready to be launched."""
        key = (id(kernel), formats)
        found = self._functions.get(key)
        if found is None:
            text, entry = self._compiler(kernel, formats, self._device.capability)
            found = self._functions[key] = self._device.function(text, entry)
        return found
