"""The words of CUDA kernels, as generated modules import them.

They mean something within a kernel alone, and what they mean depends on where it runs: on a
device (`device.py`), or on the CPU in place of one (`emulation.py`). So that a generated module
can be loaded without any of this, here are only their names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Literal

import numpy as np
from numpy import float64, inf, int32, int64, pi

#: Threads a block, in every kernel that goes through entries or partial sums.
THREADS = 256
#: How often each thread of a pass with reductions goes through entries: fewer sums are left over.
TURNS = 8
#: Threads that a processor lets work in step, and how many such groups a block has.
WARP = 32
WARPS = THREADS // WARP

Kind = Literal["pass", "reduction", "tiles", "lines", "all", "tensor", "step", "gather"]
#: Kinds of kernels that are made for streams of given formats.
OVER_STREAMS = ("pass", "reduction", "tiles", "lines")
Entry = Callable[..., None]
#: What every word means, for kernels that compute in a type.
Words = Callable[[Any], dict[str, Any]]


@dataclass(frozen=True)
class Word:
    """A function that exists within kernels alone."""

    name: str

    def __call__(self, *arguments: Any) -> Any:
        """Raise a TypeError."""
        raise TypeError(f"{self.name} exists within a kernel alone")


# Where a thread is, and what the threads of a block make together: thread 0 gets the result.
block_index, thread_index = Word("block_index"), Word("thread_index")
sum_of_block, least_of_block, greatest_of_block = (
    Word(f"{name}_of_block") for name in ("sum", "least", "greatest")
)
warp_index, thread_of_warp = Word("warp_index"), Word("thread_of_warp")
sum_of_warp, least_of_warp, greatest_of_warp = (
    Word(f"{name}_of_warp") for name in ("sum", "least", "greatest")
)
# Memory: see `memory.py`.
read, read_changing, write = Word("read"), Word("read_changing"), Word("write")
is_aligned, load, load_constant = Word("is_aligned"), Word("load"), Word("load_constant")
load_some, store, store_some = Word("load_some"), Word("store"), Word("store_some")
one_by_one = Word("one_by_one")
nothing, repeated = Word("nothing"), Word("repeated")
get, put, rounded = Word("get"), Word("put"), Word("rounded")
# Arithmetic: see `kernels.py` of the CPU, whose functions these are.
cos, cube, exp, floor = Word("cos"), Word("cube"), Word("exp"), Word("floor")
isfinite, log, logical_not = Word("isfinite"), Word("log"), Word("logical_not")
maximum, minimum, mod, power = Word("maximum"), Word("minimum"), Word("mod"), Word("power")
sign, sqrt, square, where = Word("sign"), Word("sqrt"), Word("square"), Word("where")
bfloat16_by_chance, float16_by_chance = Word("bfloat16_by_chance"), Word("float16_by_chance")
standard_normal, standard_uniform = Word("standard_normal"), Word("standard_uniform")

__all__ = [
    "THREADS", "TURNS", "WARP", "WARPS", "bfloat16_by_chance", "block_index", "cos", "cube", "exp",
    "float16_by_chance", "float64", "floor", "get", "greatest_of_block", "greatest_of_warp", "inf",
    "int32", "int64", "is_aligned", "isfinite", "kernel", "least_of_block", "least_of_warp", "load",
    "load_constant", "load_some", "log", "logical_not", "maximum", "minimum", "mod", "nothing",
    "one_by_one", "pi", "power", "put", "read", "read_changing", "repeated", "rounded", "sign",
    "sqrt", "square", "standard_normal", "standard_uniform", "store", "store_some",
    "sum_of_block", "sum_of_warp", "thread_index", "thread_of_warp", "warp_index", "where", "write",
]  # fmt: skip


def real_of(formats: tuple[str, ...]) -> type[np.float32 | np.float64]:
    """Return the type that a pass over streams of these formats computes in."""
    return np.float64 if formats[0] == "float64" else np.float32


def lanes_of(formats: tuple[str, ...]) -> int:
    """Return how many entries a thread works on at once: as many as 16 bytes hold."""
    return 16 // np.dtype(real_of(formats)).itemsize


@dataclass(frozen=True)
class Kernel:
    """A kernel of a generated module.

    One of kind "pass" or "reduction" goes through the entries of tensors, one of kind "tiles"
    through those of matrices, piece by piece, one of kind "lines" through what there is one of a
    row or a column. It is a function that makes the kernel for streams of given formats:
    `make(real, lanes, *formats)`. One of kind "all" or "tensor" finishes reductions, over all
    tensors or over each, one of kind "gather" moves partial sums. One of kind "step" computes the
    numbers of a step: `make(real)` makes it for numbers that are rounded to `real`. `kept` says how
    many sums a column a thread keeps.
    """

    kind: Kind
    make: Callable[..., Any]
    kept: int = 0

    @property
    def name(self) -> str:
        """What the generated module calls it."""
        return str(self.make.__name__)

    def function(self, formats: tuple[str, ...], words: Words) -> Entry:
        """Return the kernel for streams of these formats, where words mean this."""
        goes_through = self.kind in OVER_STREAMS
        real = real_of(formats) if goes_through else np.float64
        globals_ = {**self.make.__globals__, **words(real)}
        bound: Any = FunctionType(self.make.__code__, globals_, self.make.__name__)
        if goes_through:
            bound = bound(real, lanes_of(formats), *formats)
        elif self.kind == "step":
            bound = bound(real_of(formats))
        entry: Entry = bound
        return entry


def kernel(kind: Kind, kept: int = 0) -> Callable[[Callable[..., Any]], Kernel]:
    """Return what makes a `Kernel` of this kind of a function."""
    return lambda make: Kernel(kind, make, kept)
