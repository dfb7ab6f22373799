"""The architectures of NVIDIA's cards, and what one multiprocessor of each can hold.

Source: the tables "Technical Specifications per Compute Capability" of the CUDA C++ Programming
Guide (13.0); the same numbers stand in the header `cuda/__device/arch_traits.h` of libcu++.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from optdsl.diagnostics import Diagnostic, DiagnosticError, did_you_mean

_KIB = 1024
WARP = 32  # threads that run in step


@dataclass(frozen=True, slots=True)
class Architecture:
    """What one multiprocessor holds at a time: threads, blocks of them, registers, shared memory.

    `shared` and `reserved` are bytes; the system takes `reserved` of them for each block.
    """

    name: str
    threads: int
    blocks: int
    shared: int
    reserved: int = 1 * _KIB
    registers: int = 64 * _KIB

    @property
    def capability(self) -> tuple[int, int]:
        """The compute capability: (9, 0) for sm_90."""
        digits = self.name.removeprefix("sm_")
        return int(digits[:-1]), int(digits[-1])

    @property
    def warps(self) -> int:
        """How many warps one multiprocessor holds."""
        return self.threads // WARP


#: By name, oldest first.
ARCHITECTURES = {
    each.name: each
    for each in (
        Architecture("sm_75", 1024, 16, 64 * _KIB, reserved=0),
        Architecture("sm_80", 2048, 32, 164 * _KIB),
        Architecture("sm_86", 1536, 16, 100 * _KIB),
        Architecture("sm_89", 1536, 24, 100 * _KIB),
        Architecture("sm_90", 2048, 32, 228 * _KIB),
        Architecture("sm_100", 2048, 32, 228 * _KIB),
        Architecture("sm_103", 2048, 32, 228 * _KIB),
        Architecture("sm_120", 1536, 24, 100 * _KIB),
    )
}

#: What is compiled for where nothing is said.
USUAL = ("sm_80", "sm_90", "sm_100")


def architectures(names: str | Sequence[str]) -> tuple[Architecture, ...]:
    """Return the architectures called `names`: "sm_80,sm_90", or a sequence of such names.

    Raises:
        DiagnosticError: one of them is not known.

    >>> [each.capability for each in architectures("sm_80,sm_120")]
    [(8, 0), (12, 0)]
    """
    given = re.split(r"[,\s]+", names.strip()) if isinstance(names, str) else list(names)
    unknown = [name for name in given if name not in ARCHITECTURES]
    if unknown:
        raise DiagnosticError([_unknown(name) for name in unknown])
    return tuple(ARCHITECTURES[name] for name in dict.fromkeys(given))


def _unknown(name: str) -> Diagnostic:
    known = ", ".join(ARCHITECTURES)
    hint = did_you_mean(name, ARCHITECTURES) or f"the architectures are {known}"
    return Diagnostic("unknown-architecture", f"there is no architecture `{name}`", None, hint)
