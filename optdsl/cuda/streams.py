"""The stream that a caller works on."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from optdsl.cuda.arrays import DeviceArray


def handle_of(stream: Any) -> int:
    """Return the driver's handle of a stream: of PyTorch, CuPy, Numba, CUDA Python, or a number.

    Raises:
        TypeError: it is none of these.

    >>> handle_of(7)
    7
    """
    if isinstance(stream, int) and not isinstance(stream, bool):
        return stream
    if hasattr(stream, "__cuda_stream__"):
        return int(stream.__cuda_stream__()[1])
    for name in ("cuda_stream", "ptr", "handle"):  # PyTorch, CuPy, Numba
        if hasattr(stream, name):
            held = getattr(stream, name)
            return int(getattr(held, "value", held) or 0)
    raise TypeError(f"{stream!r} is no stream: give one of PyTorch, CuPy or Numba, or its handle")


def current_stream(owners: Iterable[Any]) -> int:
    """Return the handle of the current stream in the library whose arrays these are.

    For arrays that a transform here has made it is the stream on which that was. It is the default
    stream where the library has no notion of a current one.
    """
    for owner in owners:
        if isinstance(owner, DeviceArray) and owner.queue is not None:
            return owner.queue.stream
        library = _library(owner)
        module: Any = sys.modules.get(library)
        if library == "torch" and owner.device.type == "cuda":
            return handle_of(module.cuda.current_stream(owner.device))
        if library == "cupy":
            return handle_of(module.cuda.get_current_stream())
    return 0


def _library(owner: Any) -> str:
    """Return which library a class, or one that it is made of, comes from."""
    places = (kind.__module__.partition(".")[0] for kind in type(owner).__mro__)
    return next((place for place in places if place in ("torch", "cupy")), "")
