"""Random numbers within the loops of Numba kernels, from the counters of `draws.py`.

The words of a number are those of the reference. What is computed of them has the precision of
the parameters: uniform numbers agree exactly, normal ones to a few units in the last place.
Loops that draw run on vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload, register_jitable

from optdsl.codegen.support import draws
from optdsl.codegen.support.kernels import log, sine, sqrt, types

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_FULL_32, _FULL_64 = np.float32(2.0 * np.pi), 2.0 * np.pi
_UNIT_32, _UNIT_64 = np.float32(2.0**-23), 2.0**-52
_HALF_32, _QUARTER_32, _TWO_32 = np.float32(0.5), np.float32(0.25), np.float32(-2.0)


def formulas(compiled: Callable[[Any], Any]) -> dict[str, Any]:
    """Return what gives numbers of each kind: `compiled` makes a function one for kernels."""
    mixed, bumped = compiled(draws.mixed), compiled(draws.bumped)

    @compiled
    def words(
        i: Any, begin: Any, identity: Any, step: Any, code: Any, seed_low: Any, seed_high: Any
    ) -> Any:
        """Return the four words of entry `begin + i`."""
        entry = np.uint64(begin + i)
        c0, c1 = entry & _LOW, np.uint64(step) & _LOW
        c2, c3 = np.uint64(identity) & _LOW, (entry >> _HALF) | np.uint64(code << 16)
        k0, k1 = np.uint64(seed_low), np.uint64(seed_high)
        for _ in range(9):
            c0, c1, c2, c3 = mixed(c0, c1, c2, c3, k0, k1)
            k0, k1 = bumped(k0, k1)
        return mixed(c0, c1, c2, c3, k0, k1)

    @compiled
    def narrow(word: Any) -> Any:
        return (np.float32(np.int64(word >> np.uint64(9))) + _HALF_32) * _UNIT_32

    @compiled
    def wide(high: Any, low: Any) -> Any:
        bits = np.int64((high << np.uint64(20)) | (low >> np.uint64(12)))
        return (np.float64(bits) + 0.5) * _UNIT_64

    @compiled
    def uniform_narrow(
        i: Any, begin: Any, identity: Any, step: Any, number: Any, low: Any, high: Any
    ) -> Any:
        return narrow(words(i, begin, identity, step, 2 * number + 1, low, high)[0])

    @compiled
    def uniform_wide(
        i: Any, begin: Any, identity: Any, step: Any, number: Any, low: Any, high: Any
    ) -> Any:
        w = words(i, begin, identity, step, 2 * number + 1, low, high)
        return wide(w[0], w[1])

    @compiled
    def normal_narrow(
        i: Any, begin: Any, identity: Any, step: Any, number: Any, low: Any, high: Any
    ) -> Any:
        w = words(i, begin, identity, step, 2 * number, low, high)
        angle = _FULL_32 * (abs(narrow(w[1]) - _HALF_32) - _QUARTER_32)
        return sqrt(_TWO_32 * log(narrow(w[0]))) * sine(angle)

    @compiled
    def normal_wide(
        i: Any, begin: Any, identity: Any, step: Any, number: Any, low: Any, high: Any
    ) -> Any:
        w = words(i, begin, identity, step, 2 * number, low, high)
        angle = _FULL_64 * (abs(wide(w[2], w[3]) - 0.5) - 0.25)
        return sqrt(-2.0 * log(wide(w[0], w[1]))) * sine(angle)

    return {"uniform32": uniform_narrow, "uniform64": uniform_wide,
            "normal32": normal_narrow, "normal64": normal_wide, "words": words}  # fmt: skip


_COMPILED = formulas(register_jitable)
words = _COMPILED["words"]


def standard_uniform(zero: Any, i: Any, *place: Any) -> Any:
    """Return a number in (0, 1) of the type of `zero`; compiled, within a kernel alone."""
    raise NotImplementedError


def standard_normal(zero: Any, i: Any, *place: Any) -> Any:
    """Return a number of mean 0 and deviation 1; compiled, within a kernel alone."""
    raise NotImplementedError


def _like(zero: Any, distribution: str) -> Any:
    """Return what draws numbers of the type of `zero`, as a function that takes that too."""
    formula = _COMPILED[f"{distribution}{32 if zero == types.float32 else 64}"]

    def drawn(
        zero: Any, i: Any, begin: Any, identity: Any, step: Any, number: Any, low: Any, high: Any
    ) -> Any:
        return formula(i, begin, identity, step, number, low, high)

    return drawn


@overload(standard_uniform)
def _uniform(
    zero: Any, i: Any, begin: Any, identity: Any, step: Any, number: Any, low: Any, high: Any
) -> Any:
    return _like(zero, "uniform")


@overload(standard_normal)
def _normal(
    zero: Any, i: Any, begin: Any, identity: Any, step: Any, number: Any, low: Any, high: Any
) -> Any:
    return _like(zero, "normal")
