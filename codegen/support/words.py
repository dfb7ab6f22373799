"""What generated modules write their kernels with: names, found where a kernel is compiled.

Nothing here imports Numba. A kernel whose machine code is on disk never needs it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from threading import Lock
from types import FunctionType
from typing import Any

from optdsl.codegen.support.jobs import Job

#: The module of this package in which each word stands.
PLACES = {
    word: module
    for module, words in {
        "kernels": (
            "add", "cos", "cube", "divide", "exp", "fill", "float64", "floor", "greatest", "inf",
            "isfinite", "least", "log", "logical_not", "maximum", "minimum", "mod", "pi", "power",
            "row_of", "sign", "size_of", "sqrt", "square", "view", "where",
        ),
        "block_arrays": ("before_blocks", "last_block", "next_block", "read_block"),
        "blocks": ("close_blocks", "close_blocks_by_chance", "open_blocks", "room", "rooms"),
        "chances": ("bfloat16_by_chance", "float16_by_chance"),
        "sharing": ("flush_tiny", "next_chunks", "restore"),
        "kernel_draws": ("standard_normal", "standard_uniform"),
    }.items()
    for word in words
}  # fmt: skip
#: All that a generated module may import from here.
WORDS = ("entrywise", "kernel", *PLACES)

#: Returns what runs the chunks of a frame, which begins at an address; see `frames.py`.
Run = Callable[[int], Job]


@dataclass(frozen=True)
class Word:
    """A name of another module, which is not imported before it is found."""

    name: str

    def found(self) -> Any:
        """Import the module and return what has this name there."""
        return getattr(import_module(f"{__package__}.{PLACES[self.name]}"), self.name)


def __getattr__(name: str) -> Word:
    if name not in PLACES:
        raise AttributeError(f"there is no word {name}")
    return Word(name)


@dataclass(frozen=True)
class Entrywise:
    """What is done to the entries of one chunk: no two of its arrays overlap."""

    function: FunctionType


def entrywise(function: FunctionType) -> Entrywise:
    """Mark what is done to the entries of one chunk."""
    return Entrywise(function)


class Kernel:
    """A loop over chunks that threads share, compiled once for each set of formats.

    `arguments` are the names of its parameters: arrays of a frame, and `formats`.
    """

    def __init__(self, function: FunctionType) -> None:
        self.function = function
        self.arguments = tuple(inspect.signature(function).parameters)
        self._compiled: dict[tuple[str, ...], Run] = {}
        self._compiling = Lock()

    def compiled(self, formats: tuple[Any, ...]) -> Run:
        """Return the machine code for arrays like these zeros: that on disk, or new."""
        names = tuple(zero.dtype.name for zero in formats)
        with self._compiling:
            found = self._compiled.get(names)
            if found is None:
                from optdsl.codegen.support.machine_code import machine_code

                found = self._compiled[names] = machine_code(self, formats)
            return found


def kernel(function: FunctionType) -> Kernel:
    """Mark a loop over chunks."""
    return Kernel(function)
