"""Storage formats: how the numbers of a state are kept between steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from optdsl.diagnostics import Diagnostic, DiagnosticError

#: Bytes of one stored number, by format.
WIDTHS = {"bfloat16": 2, "float16": 2, "float32": 4, "float64": 8, "int8": 1}

#: Formats of 16 bits, and what a rounding may be called.
NARROW = ("bfloat16", "float16")
ROUNDINGS = ("stochastic", "compensated")

#: Entries that may share a scale: the loops over tensors work on pieces of 4096 entries.
BLOCKS = tuple(2**n for n in range(5, 13))
DEFAULT_BLOCK = 256

_TEXT = re.compile(r"(\w+)(?:\s+blockwise\((\d+)\))?(?:\s+(\w+))?\s*")


@dataclass(frozen=True, slots=True)
class Storage:
    """A format, the entries a block where a block has a scale, and how stores round.

    Stores round to the nearest number, ties to even, where `rounding` is None.
    """

    format: str
    block: int | None = None
    rounding: str | None = None

    def __str__(self) -> str:
        block = "" if self.block is None else f" blockwise({self.block})"
        return f"{self.format}{block}" + ("" if self.rounding is None else f" {self.rounding}")

    @property
    def stochastic(self) -> bool:
        """Does a store draw a random number an entry?"""
        return self.rounding == "stochastic"

    @property
    def width(self) -> Fraction:
        """Bytes an entry; a block has a scale of four bytes."""
        shared = Fraction(0) if self.block is None else Fraction(4, self.block)
        return WIDTHS[self.format] + shared

    @property
    def problem(self) -> str | None:
        """What is wrong with it, or None."""
        if self.format not in WIDTHS:
            return f"there is no format `{self.format}`: there are {', '.join(WIDTHS)}"
        if self.format == "int8" and self.block is None:
            return f"int8 needs a scale a block: write `int8 blockwise({DEFAULT_BLOCK})`"
        if self.format != "int8" and self.block is not None:
            return f"{self.format} has no blocks: only int8 has"
        if self.block is not None and self.block not in BLOCKS:
            return f"a block has a power of two of entries, from {BLOCKS[0]} to {BLOCKS[-1]}"
        if self.rounding is not None and self.rounding not in ROUNDINGS:
            return f"there is no rounding `{self.rounding}`: there is `stochastic`"
        if self.rounding is not None and self.format in ("float32", "float64"):
            return f"{self.format} is not rounded"
        return None


def read_storage(text: str) -> Storage | None:
    """Return the storage that a text such as "int8 blockwise(256) stochastic" means.

    >>> read_storage("int8 blockwise(256)")
    Storage(format='int8', block=256, rounding=None)
    >>> read_storage("bfloat16 stochastic").width
    Fraction(2, 1)
    """
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        return None
    name, block, rounding = found.groups()
    return Storage(name, None if block is None else int(block), rounding)


def known_storage(text: str) -> Storage:
    """Return the storage of a text that is known to mean one."""
    found = read_storage(text)
    assert found is not None
    assert found.problem is None
    return found


def require_texts(storage: Any) -> None:
    """Refuse formats that are not given as texts, by the names of states.

    Raises:
        DiagnosticError: it says how to give them.
    """
    if storage is None:
        return
    if not isinstance(storage, Mapping) or not all(isinstance(x, str) for x in storage.values()):
        raise DiagnosticError(
            Diagnostic(
                "bad-storage",
                f"`storage` is {storage!r}, which does not say how a state is kept",
                hint='give formats by the names of states, as in `{"m": "bfloat16"}`',
            )
        )
