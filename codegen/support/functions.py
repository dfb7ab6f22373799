"""What generated functions for JAX call, besides `jax.numpy`.

They run where 64-bit numbers are enabled: numbers of a step, of a tensor and of all tensors are
float64, entries keep the type of their tensor. Meetings are requests that an `update` yields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from optdsl.codegen.support.draws import philox

__all__ = [
    "Draws", "Request", "finished", "gradient_at", "meet_all", "number_of", "over_axis",
    "reduced", "rounded", "symmetric_power",
]  # fmt: skip

#: What an empty reduction gives.
NEUTRAL = {"min": np.inf, "max": -np.inf}


def rounded(number: Any, dtype: Any) -> Any:
    """Return a number in the type of the entries."""
    return jnp.asarray(number).astype(dtype)


def reduced(operator: str, entries: Any, axis: int | None = None, other: Any = None) -> Any:
    """Return what a reduction keeps of an array, or of each row (axis 1) or column (axis 0).

    Sums are taken in float64.
    """
    x = jnp.asarray(entries)
    if operator == "any":
        return jnp.any(x != 0.0, axis=axis, keepdims=axis is not None)
    x = x.astype(jnp.float64)
    if operator in NEUTRAL:
        fold = jnp.min if operator == "min" else jnp.max
        return fold(x, axis=axis, keepdims=axis is not None, initial=NEUTRAL[operator])
    if operator in ("norm", "rms"):
        x = x * x
    elif operator == "dot":
        x = x * jnp.asarray(other).astype(jnp.float64)
    return jnp.sum(x, axis=axis, keepdims=axis is not None)


def finished(operator: str, total: Any, count: Any) -> Any:
    """Return the reduction of `count` entries that were reduced to `total`.

    The derivative of a norm at 0 is 0.
    """
    if operator in ("mean", "rms"):
        total = total / count
    if operator not in ("norm", "rms"):
        return total
    above = total > 0.0
    return jnp.where(above, jnp.sqrt(jnp.where(above, total, 1.0)), total)


def number_of(operator: str, values: Any, other: Any = None) -> Any:
    """Return a reduction of all values of an array.

    >>> import jax.numpy as jnp
    >>> float(number_of("norm", jnp.array([3.0, 4.0])))
    5.0
    """
    x = jnp.asarray(values)
    if other is not None:
        x, other = jnp.broadcast_arrays(x, other)
    return finished(operator, reduced(operator, x, None, other), x.size)


def over_axis(operator: str, values: Any, axis: int, other: Any = None) -> Any:
    """Return a reduction to a value a row (axis 1) or a column (axis 0)."""
    return finished(operator, reduced(operator, values, axis, other), values.shape[axis])


def symmetric_power(matrix: Any, exponent: Any) -> Any:
    """Return `Q diag(lambda^exponent) Q^T` of a symmetric positive semidefinite matrix.

    Eigenvalues are found in float64, and those that rounding has made negative count as zero;
    what is not finite gives NaN.
    """
    known = jnp.all(jnp.isfinite(matrix))
    safe = jnp.where(known, matrix, jnp.zeros_like(matrix)).astype(jnp.float64)
    numbers, vectors = jnp.linalg.eigh(safe)
    scaled = vectors * jnp.maximum(numbers, 0.0) ** exponent
    # The product is one of the entries' type: JAX maps over no wider one outside of this function.
    result = scaled.astype(matrix.dtype) @ vectors.T.astype(matrix.dtype)
    return jnp.where(known, result, jnp.nan)


# ------------------------------------------------------------------- meetings


@dataclass(frozen=True)
class Request:
    """What one tensor brings to a meeting: a reduction, or a point ("gradient")."""

    operator: str
    value: Any
    other: Any = None


def meet_all(operator: str, values: Any, other: Any = None) -> Request:
    """Ask for a reduction over the entries of all tensors."""
    return Request(operator, values, other)


def gradient_at(point: Any) -> Request:
    """Ask for the gradient at a point."""
    return Request("gradient", point)


# ---------------------------------------------------------------------- draws


@dataclass(frozen=True)
class Draws:
    """The random numbers of one tensor: those of the other targets, see `draws`.

    `identity` is the tensor's place among all, `seed` a whole number below 2^64. Entries have
    this `shape`; `wide` says that they are float64.
    """

    shape: tuple[int, ...]
    dtype: Any
    identity: int
    seed: int
    wide: bool

    def uniform(self, number: int, step: Any) -> Any:
        """Return numbers in (0, 1), one an entry."""
        first, second, _, _ = self._words(2 * number + 1, step)
        return self._shaped(self._fraction(first, second))

    def normal(self, number: int, step: Any) -> Any:
        """Return numbers of mean 0 and deviation 1, one an entry."""
        first, second, third, fourth = self._words(2 * number, step)
        if self.wide:
            one, other = self._fraction(first, second), self._fraction(third, fourth)
        else:
            one, other = self._fraction(first, first), self._fraction(second, second)
        angle = 2.0 * jnp.pi * (jnp.abs(other - 0.5) - 0.25)
        return self._shaped(jnp.sqrt(-2.0 * jnp.log(one)) * jnp.sin(angle))

    def _words(self, code: int, step: Any) -> Any:
        entries = jnp.arange(int(np.prod(self.shape)), dtype=jnp.uint64)
        low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
        clock = jnp.asarray(step).astype(jnp.uint64) & low
        last = (entries >> half) | np.uint64(code << 16)
        keys = np.uint64(self.seed & 0xFFFFFFFF), np.uint64(self.seed >> 32)
        return philox(entries & low, clock, np.uint64(self.identity), last, *keys)

    def _fraction(self, high: Any, low: Any) -> Any:
        if not self.wide:
            return ((high >> np.uint64(9)).astype(jnp.float64) + 0.5) * 2.0**-23
        bits = (high << np.uint64(20)) | (low >> np.uint64(12))
        return (bits.astype(jnp.float64) + 0.5) * 2.0**-52

    def _shaped(self, numbers: Any) -> Any:
        return numbers.reshape(self.shape).astype(self.dtype)
