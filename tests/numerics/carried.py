"""Numbers that know the magnitude carried to reach them.

An error of rounding is fair in proportion to what was rounded, not to what cancellation left. So
each value comes with a magnitude: the same expression with every difference evaluated as a sum of
absolute values. With |x| for the value of x, [x] for its magnitude and u for the unit roundoff:

    [input]  = 0 where the format holds it exactly, else |input|
    [a + b]  = [a - b] = max(|result|, [a] + [b])
    [ab]     = max(|ab|, [a]|b|, |a|[b], u[a][b])
    [a/b]    = max(|a/b|, [a]/|b|, |a|[b]/b^2)
    [sqrt a] = max(sqrt|a|, [a]/(2 sqrt|a|)), and sqrt[a] where a is 0
    [f(a)]   = max(|f(a)|, |f'(a)|[a]) for what else is smooth

This is what an error of u times each magnitude grows to, to first order. It is never more than the
plain rule ([input] = |input|, [ab] = [a][b], [a/b] = [a][b]/b^2) gives, which forgives `1 - beta` a
rounding of 1 that never happens: a bound in these units is the stricter one.

Arrays are one-dimensional throughout; a number is an array of one.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import mpmath
import numpy as np

Array = Any


class Carried(NamedTuple):
    """Values, and the magnitudes carried to reach them."""

    value: Array
    magnitude: Array


class Doubles:
    """Numbers are float64: quick, for magnitudes of many entries."""

    def __init__(self) -> None:
        self.pi = np.array([np.pi])
        self.inf = np.array([np.inf])
        self.sqrt, self.exp, self.log, self.cos = np.sqrt, np.exp, np.log, np.cos
        self.sin, self.floor, self.finite = np.sin, np.floor, np.isfinite
        self.divide, self.power = np.divide, np.power

    def lift(self, array: Array) -> Array:
        return np.asarray(array, np.float64).ravel()

    def number(self, value: Fraction) -> Array:
        return np.array([float(value)])

    def size(self, value: Array) -> Array:
        return np.abs(value)


class Digits:
    """Numbers have `digits` decimal digits; floats are taken at their exact value."""

    def __init__(self, digits: int = 50) -> None:
        context = mpmath.MPContext()
        context.dps = digits
        self._context = context
        self.pi, self.inf = _one(+context.pi), _one(context.inf)
        self.sqrt, self.exp, self.log, self.cos, self.sin, self.floor = (
            np.frompyfunc(self._or_nan(getattr(context, name)), 1, 1)
            for name in ("sqrt", "exp", "log", "cos", "sin", "floor")
        )
        self.divide = np.frompyfunc(self._quotient, 2, 1)
        self.power = np.frompyfunc(self._or_nan(context.power), 2, 1)
        self._finite = np.frompyfunc(context.isfinite, 1, 1)
        self._lift = np.frompyfunc(lambda x: context.mpf(float(x)), 1, 1)

    def _or_nan(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function` with NaN where it is not real or not defined."""

        def real(*arguments: Any) -> Any:
            try:
                result = function(*arguments)
            except (ValueError, ZeroDivisionError):
                return self._context.nan
            return result if isinstance(result, self._context.mpf) else self._context.nan

        return real

    def _quotient(self, a: Any, b: Any) -> Any:
        if b != 0:
            return a / b
        return self._context.inf * self._context.sign(a) if a else self._context.nan

    def lift(self, array: Array) -> Array:
        return self._lift(np.asarray(array).ravel())

    def number(self, value: Fraction) -> Array:
        return _one(self._context.mpf(value.numerator) / value.denominator)

    def finite(self, value: Array) -> Array:
        return self._finite(value).astype(bool)

    def size(self, value: Array) -> Array:
        return np.abs(value.astype(np.float64))


def _one(number: Any) -> Array:
    array = np.empty(1, object)
    array[0] = number
    return array


class Algebra:
    """The operators of the language on carried numbers.

    `dtype` is that of the arithmetic that is judged.
    """

    def __init__(self, numbers: Doubles | Digits, dtype: Any) -> None:
        self.numbers = numbers
        self.dtype = np.dtype(dtype)
        self.roundoff = float(np.finfo(self.dtype).eps) / 2

    def given(self, array: Array) -> Carried:
        """Return numbers that are inputs, known exactly to whoever computes with them."""
        with np.errstate(invalid="ignore"):
            value = self.numbers.lift(array)
        if np.can_cast(np.asarray(array).dtype, self.dtype):
            return Carried(value, np.zeros(len(value)))
        return self._held(value)

    def number(self, value: Fraction) -> Carried:
        return self._held(self.numbers.number(value))

    def _held(self, value: Array) -> Carried:
        """Return numbers that are rounded at most once, to be held in the format."""
        with np.errstate(all="ignore"):
            rounded = self.numbers.lift(value.astype(self.dtype))
        return Carried(value, np.where(rounded == value, 0.0, self.numbers.size(value)))

    def constant(self, name: str) -> Carried:
        if name in ("true", "false"):
            return _truth(np.array([name == "true"]))
        return self._held(getattr(self.numbers, name))

    def held(self, numbers: Carried) -> Carried:
        """Return numbers of a better arithmetic: only their rounding to the format counts."""
        return self._held(numbers.value)

    def apply(self, operator: str, arguments: list[Carried]) -> Carried:
        with np.errstate(all="ignore"):
            if operator in ("min", "max"):
                return self._extreme(operator, arguments)
            if operator in _COMPARISONS:
                a, b = arguments
                return _truth(_COMPARISONS[operator](a.value, b.value))
            return getattr(self, f"_{operator}")(*arguments)

    def _neg(self, a: Carried) -> Carried:
        return Carried(-a.value, a.magnitude)

    def _abs(self, a: Carried) -> Carried:
        return Carried(abs(a.value), a.magnitude)

    def _sign(self, a: Carried) -> Carried:
        above, below = (a.value > 0).astype(float), (a.value < 0).astype(float)
        return self.given(above - below)

    def _floor(self, a: Carried) -> Carried:
        return self._held(self.numbers.floor(a.value))

    def _add(self, a: Carried, b: Carried) -> Carried:
        return self._sum(a.value + b.value, a, b)

    def _sub(self, a: Carried, b: Carried) -> Carried:
        return self._sum(a.value - b.value, a, b)

    def _sum(self, value: Array, a: Carried, b: Carried) -> Carried:
        return Carried(value, np.maximum(self.numbers.size(value), a.magnitude + b.magnitude))

    def _mul(self, a: Carried, b: Carried) -> Carried:
        first = np.maximum(a.magnitude * self._size(b), self._size(a) * b.magnitude)
        second = self.roundoff * a.magnitude * b.magnitude
        value = a.value * b.value
        return Carried(value, _largest(self.numbers.size(value), first, second))

    def _div(self, a: Carried, b: Carried) -> Carried:
        below = self._size(b)
        carried = np.maximum(a.magnitude / below, self._size(a) * b.magnitude / below**2)
        value = self.numbers.divide(a.value, b.value)
        return Carried(value, np.maximum(self.numbers.size(value), carried))

    def _mod(self, a: Carried, b: Carried) -> Carried:
        return self._sub(a, self._mul(b, self._floor(self._div(a, b))))

    def _sqrt(self, a: Carried) -> Carried:
        root = self.numbers.sqrt(a.value)
        size = self.numbers.size(root)
        carried = np.maximum(size, a.magnitude / (2 * np.where(size > 0, size, 1)))
        return Carried(root, np.where(size > 0, carried, np.sqrt(a.magnitude)))

    def _exp(self, a: Carried) -> Carried:
        value = self.numbers.exp(a.value)
        return Carried(value, self.numbers.size(value) * np.maximum(1, a.magnitude))

    def _log(self, a: Carried) -> Carried:
        value = self.numbers.log(a.value)
        return Carried(value, np.maximum(self.numbers.size(value), a.magnitude / self._size(a)))

    def _cos(self, a: Carried) -> Carried:
        value = self.numbers.cos(a.value)
        slope = self.numbers.size(self.numbers.sin(a.value))
        return Carried(value, np.maximum(self.numbers.size(value), slope * a.magnitude))

    def _pow(self, a: Carried, b: Carried) -> Carried:
        value = self.numbers.power(a.value, b.value)
        size = self.numbers.size(value)
        base, exponent = self._size(a), self._size(b)
        lost = np.where(base > 0, a.magnitude / np.where(base > 0, base, 1), 1)
        # x^n is n factors; each carries what was lost in x, beyond a rounding of its own.
        carried = size * np.where(lost > 1, np.maximum(1, exponent * lost), 1)
        return Carried(value, carried)

    def _extreme(self, operator: str, arguments: list[Carried]) -> Carried:
        best = arguments[0]
        for each in arguments[1:]:
            take = each.value > best.value if operator == "max" else each.value < best.value
            value = np.where(take.astype(bool), each.value, best.value)
            best = Carried(value, np.maximum(each.magnitude, best.magnitude))
        return best

    def _select(self, condition: Carried, value: Carried, otherwise: Carried) -> Carried:
        taken = condition.value.astype(bool)
        return Carried(
            np.where(taken, value.value, otherwise.value),
            np.where(taken, value.magnitude, otherwise.magnitude),
        )

    def _finite(self, a: Carried) -> Carried:
        return _truth(self.numbers.finite(a.value))

    def _and(self, a: Carried, b: Carried) -> Carried:
        return _truth(a.value.astype(bool) & b.value.astype(bool))

    def _or(self, a: Carried, b: Carried) -> Carried:
        return _truth(a.value.astype(bool) | b.value.astype(bool))

    def _not(self, a: Carried) -> Carried:
        return _truth(~a.value.astype(bool))

    def reduce(self, operator: str, entries: Carried, other: Carried | None) -> Carried:
        """Reduce entries to one number."""
        if operator == "any":
            return _truth(np.array([bool(entries.value.astype(bool).any())]))
        if operator in ("min", "max"):
            fold = np.min if operator == "min" else np.max
            return Carried(_array(fold(entries.value)), _array(np.max(entries.magnitude)))
        if operator in ("norm", "rms"):
            other = entries
        if other is not None:
            entries = self._mul(entries, other)
        total = Carried(_array(np.sum(entries.value)), _array(np.sum(self._size(entries))))
        total = Carried(total.value, np.maximum(total.magnitude, np.sum(entries.magnitude)))
        if operator in ("mean", "rms"):
            total = self._div(total, self.given(np.array([float(len(entries.value))])))
        return self._sqrt(total) if operator in ("norm", "rms") else total

    def _size(self, a: Carried) -> Array:
        return self.numbers.size(a.value)


_COMPARISONS: dict[str, Callable[[Array, Array], Array]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}


def _largest(*arrays: Array) -> Array:
    return np.maximum(arrays[0], np.maximum(arrays[1], arrays[2]))


def _truth(value: Array) -> Carried:
    value = np.asarray(value).astype(bool)
    return Carried(value, value.astype(np.float64))


def _array(number: Any) -> Array:
    if isinstance(number, float | int | np.number):
        return np.array([number], np.float64)
    return _one(number)
