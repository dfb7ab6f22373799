"""The seed of a rule that draws random numbers."""

from __future__ import annotations

import operator
from typing import Any

from optdsl.runtime.errors import HyperparameterError, HyperparameterTypeError
from optdsl.runtime.layout import Layout

LIMIT = 2**64


def taken_seed(layout: Layout, given: dict[str, Any]) -> int:
    """Take the seed out of what a user gave, 0 if there is none.

    A rule that draws nothing has no seed, and `given` stays as it is.

    Raises:
        HyperparameterError: it is not a whole number in [0, 2^64).
    """
    return 0 if layout.seed is None else checked_seed(given.pop("seed", 0))


def checked_seed(seed: Any) -> int:
    """Return a seed as an int in [0, 2^64).

    >>> checked_seed(7)
    7
    """
    try:
        if isinstance(seed, bool):
            raise TypeError
        number = operator.index(seed)
    except TypeError:
        raise HyperparameterTypeError(
            f"the seed is {seed!r}: give a whole number from 0 on, below 2^64"
        ) from None
    if not 0 <= number < LIMIT:
        raise HyperparameterError(f"the seed is {number}: give a whole number from 0, below 2^64")
    return number
