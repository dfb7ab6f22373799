"""CUDA kernels to PTX, on any machine: what it takes is numba-cuda with libNVVM, and no driver."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from optdsl.codegen.support.cuda.device import device_words
from optdsl.codegen.support.cuda.words import OVER_STREAMS, THREADS, Kernel, real_of

#: How many numbers of 64 bits a kernel of each kind is given.
PARAMETERS = {
    "pass": 11, "reduction": 11, "tiles": 11, "lines": 11, "all": 10, "tensor": 10, "step": 6,
    "gather": 7,
}  # fmt: skip
#: Blocks a multiprocessor must hold at once, so that a thread has 64 registers at most. Where it
#: computes with entries of float64, which take two each, it has 80, and 128 in reductions; 128
#: too where it keeps many sums a column.
_RESIDENT, _RESIDENT_WIDE, _RESIDENT_SUMS = 4, 3, 2
#: Sums a column that fit into 64 registers beside the rest.
_MOST_KEPT = 2

#: The first version of PTX that knows an architecture. Source: the release notes in "PTX ISA".
_FIRST = {
    "sm_75": "6.3", "sm_80": "7.0", "sm_86": "7.1", "sm_87": "7.4", "sm_89": "7.8", "sm_90": "7.8",
    "sm_100": "8.6", "sm_103": "8.8", "sm_120": "8.7", "sm_121": "8.8",
}  # fmt: skip


@dataclass(frozen=True)
class Ptx:
    """The PTX text of a kernel, and the name of its entry."""

    text: str
    entry: str


def ptx(
    kernel: Kernel,
    formats: tuple[str, ...] = (),
    cc: tuple[int, int] = (9, 0),
    name: str = "",
    approximate: bool = False,
) -> Ptx:
    """Return the PTX of a kernel for streams of these formats and a compute capability.

    `name` stands before that of the entry. With `approximate`, square roots and divisions of
    float32 are those of the hardware: within 1 and 2 units in the last place, where they are
    otherwise rounded correctly.

    Raises:
        ImportError: where numba-cuda is missing.
    """
    cuda: Any = import_module("numba.cuda")
    types: Any = import_module("numba.core.types")
    integers = [types.int64] * PARAMETERS[kernel.kind]
    found: Any = cuda.compile(
        kernel.function(formats, device_words),
        types.void(*integers),
        device=False,
        abi="numba",
        cc=cc,
        output="ptx",
        launch_bounds=(THREADS, _resident(kernel, formats)),
    )
    text = str(found[0])
    mangled = re.search(r"\.entry\s+(\w+)", text)
    assert mangled is not None
    parts = [name, kernel.name, real_of(formats).__name__ if formats else ""]
    entry = "_".join(part for part in parts if part)
    text = _for_older_drivers(_with_plain_names(text, mangled[1], entry))
    return Ptx(_approximated(text) if approximate else text, entry)


def _resident(kernel: Kernel, formats: tuple[str, ...]) -> int:
    """Return how many blocks a multiprocessor must hold at once."""
    if kernel.kept > _MOST_KEPT:
        return _RESIDENT_SUMS
    if kernel.kind not in OVER_STREAMS or real_of(formats) is not np.float64:
        return _RESIDENT
    return _RESIDENT_WIDE if kernel.kind == "pass" else _RESIDENT_SUMS


def _with_plain_names(text: str, mangled: str, entry: str) -> str:
    """Give the entry its plain name, and drop what Numba has for its own errors."""
    lines = [line for line in text.splitlines() if "NumbaEnv" not in line]
    return "\n".join(lines).replace(mangled, entry) + "\n"


def _for_older_drivers(text: str) -> str:
    """Mark PTX with the first version that knows its architecture: it needs nothing newer.

    libNVVM marks it with its own, and drivers and assemblers refuse what is newer than they are.

    >>> _for_older_drivers(".version 9.0\\n.target sm_90")
    '.version 7.8\\n.target sm_90'
    """
    target = re.search(r"\.target (\w+)", text)
    first = _FIRST.get(target[1]) if target else None
    return re.sub(r"\.version [\d.]+", f".version {first}", text, count=1) if first else text


def _approximated(text: str) -> str:
    """Let divisions and square roots of float32 be those of the hardware."""
    return text.replace("div.rn.f32", "div.full.f32").replace("sqrt.rn.f32", "sqrt.approx.f32")
