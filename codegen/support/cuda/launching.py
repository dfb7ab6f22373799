"""What a CUDA module says of its stages: which kernels each launches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from optdsl.codegen.support.cuda.words import Kernel


@dataclass(frozen=True)
class Launch:
    """The kernel of a pass: one launch over all tensors whose streams share their formats."""

    kernel: Kernel

    def __call__(self, *arguments: Any) -> NoReturn:
        """Raise a RuntimeError: arrays on the host are not what it runs on."""
        _refuse()


@dataclass(frozen=True)
class Finish:
    """The kernels that finish the reductions of a pass, `of_all` before `of_tensor`."""

    of_all: Kernel | None = None
    of_tensor: Kernel | None = None

    def __call__(self, *arguments: Any) -> NoReturn:
        """Raise a RuntimeError: arrays on the host are not what it runs on."""
        _refuse()


@dataclass(frozen=True)
class InTurn:
    """The kernels of a stage of rows and columns, one after the other.

    They leave `reductions` numbers a block at most.
    """

    stages: tuple[Launch | Finish, ...]
    reductions: int = 0

    def __call__(self, *arguments: Any) -> NoReturn:
        """Raise a RuntimeError: arrays on the host are not what it runs on."""
        _refuse()


@dataclass(frozen=True)
class Timed:
    """What computes the numbers of a step: on the host, or on a device by `kernel`."""

    host: Callable[..., None]
    kernel: Kernel

    def __call__(self, *arguments: Any) -> None:
        """Compute them on the host."""
        self.host(*arguments)


def timed(host: Callable[..., None], kernel: Kernel) -> Timed:
    """Return what computes the numbers of a step, here or there."""
    return Timed(host, kernel)


def launched(kernel: Kernel) -> Launch:
    """Return what a pass launches."""
    return Launch(kernel)


def finished(of_all: Kernel | None = None, of_tensor: Kernel | None = None) -> Finish:
    """Return what finishes the reductions of a pass."""
    return Finish(of_all, of_tensor)


def in_turn(*stages: Launch | Finish, reductions: int = 0) -> InTurn:
    """Return what a stage of rows and columns launches."""
    return InTurn(stages, reductions)


def bind_blocks(arrays: Sequence[Sequence[Any]], identities: Sequence[int]) -> NoReturn:
    """Raise a RuntimeError: arrays on the host are not what this target runs on."""
    _refuse()


def _refuse() -> NoReturn:
    raise RuntimeError("kernels for CUDA run on arrays of a CUDA device alone")
