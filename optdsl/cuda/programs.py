"""Kernels of a layout as a card runs them: compiled once for its architecture and for formats."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from optdsl.codegen import shelf
from optdsl.codegen.support.cuda.words import Kernel
from optdsl.codegen.toolkit.compiling import ptx_of
from optdsl.codegen.versions import environment
from optdsl.cuda.device import Device
from optdsl.files import cache_directory

#: Returns the PTX of a kernel for streams of formats and a compute capability, and its entry.
Compiler = Callable[[Kernel, tuple[str, ...], tuple[int, int], bool], tuple[str, str]]

_ENTRY = re.compile(r"\.entry\s+(\w+)")


def compiled(
    kernel: Kernel, formats: tuple[str, ...], capability: tuple[int, int], approximate: bool
) -> tuple[str, str]:
    """Return the PTX of a kernel, from the cache where it has it, and the name of its entry.

    With `approximate`, roots and divisions of float32 are those of the hardware.

    Raises:
        DiagnosticError: it is not in the cache, and numba-cuda or libNVVM is missing.
    """
    path = _place(kernel, formats, capability, approximate)
    if path.exists():
        text = path.read_text(encoding="utf-8")
    else:
        text = ptx_of(kernel, formats, capability, approximate=approximate)
        with suppress(OSError):  # who cannot keep it makes it again the next time
            shelf.write(path, text)
    entry = _ENTRY.search(text)
    assert entry is not None
    return text, entry[1]


def _place(
    kernel: Kernel, formats: tuple[str, ...], capability: tuple[int, int], approximate: bool
) -> Path:
    """Return where the PTX of a kernel is kept: under a hash of all that it depends on."""
    source = Path(kernel.make.__code__.co_filename).read_bytes()
    facts = (kernel.name, *formats, str(capability), str(approximate), *_environment())
    digest = hashlib.sha256(source + "\n".join(facts).encode()).hexdigest()[:24]
    return cache_directory() / "ptx" / f"{kernel.name}_{digest}.ptx"


@cache
def _environment() -> tuple[str, ...]:
    return environment("numba-cuda")


class Programs:
    """The kernels that an optimizer has launched so far."""

    def __init__(
        self, device: Device, approximate: bool = False, compiler: Compiler | None = None
    ) -> None:
        self._device = device
        self._approximate = approximate
        self._compiler = compiler or compiled
        self._functions: dict[tuple[int, tuple[str, ...]], Any] = {}

    def function(self, kernel: Kernel, formats: tuple[str, ...] = ()) -> Any:
        """Return a kernel for streams of these formats, ready to be launched."""
        key = (id(kernel), formats)
        found = self._functions.get(key)
        if found is None:
            text, entry = self._compiler(
                kernel, formats, self._device.capability, self._approximate
            )
            found = self._functions[key] = self._device.function(text, entry)
        return found
