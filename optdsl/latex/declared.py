"""What a reader is told of symbols, and what it makes names for itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from optdsl.language import syntax


@dataclass(frozen=True, slots=True)
class Function:
    """A function that the reader is told: `\\Pi(x)` is x.

    `value` is made of the `parameters` and of names of the document.
    """

    name: str
    parameters: tuple[str, ...]
    value: syntax.Expression


@dataclass(frozen=True)
class Total:
    """A running sum or product: its name, and what each step adds or multiplies."""

    name: str
    kind: str
    term: syntax.Expression


#: Names known to be names, in ASCII; one with a time (`f[t]`) is a function of t, and a
#: `Function` says what it is.
Declared: TypeAlias = Collection[str | syntax.Name | Function]


def spellings(declared: Declared) -> frozenset[str]:
    """Return the declared names as text."""
    return frozenset(name if isinstance(name, str) else name.name for name in declared)
