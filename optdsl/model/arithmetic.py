"""Arithmetic that says what it knows: exact where it can be, to many digits where not.

A number is a `Real`: exact (a fraction) or rounded to a settable number of
digits. A value that mathematics does not define is `UNDEFINED`, and so is all
that is made of it. Comparisons are exact, or raise `Undecided`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cache
from math import isqrt
from typing import Any, Final, Literal, TypeAlias

import mpmath

_LARGEST_FRACTION = 1600  # bits of a denominator or numerator, beyond which it is rounded
_FARTHEST = 65_536  # powers of two beyond which a number is not computed with any more
_SMALLEST = 1e-290  # below this a magnitude may be lost
_LEAST = 5e-324  # the magnitude of what a float cannot hold, which is never 0
_GUARD = 12  # digits by which a rounded number may be wrong


class Undefined(Enum):
    """The value of 0/0, of the root of a negative number, and of all that reads one."""

    UNDEFINED = "undefined"

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = Undefined.UNDEFINED


class Undecided(ArithmeticError):
    """A comparison of numbers so close that their rounding hides which is larger.

    So is every comparison of numbers beyond 2^65536, or nearer to zero than their inverses.
    """


@dataclass(frozen=True, slots=True)
class Real:
    """A number, and the magnitude carried to reach it.

    `value` is a `Fraction` where it is exact, else an `mpf`. `magnitude` is the
    absolute value of the same expression with every difference evaluated as a
    sum of absolute values, so that `magnitude / |value|` tells how much was lost
    by cancellation.
    """

    value: Any
    magnitude: float

    @property
    def exact(self) -> bool:
        """Is the value known without rounding?"""
        return type(self.value) is Fraction

    def __repr__(self) -> str:
        return str(self.value) if self.exact else mpmath.nstr(self.value, 12)


Scalar: TypeAlias = Real | bool | Undefined
_Known: TypeAlias = Real | bool


def real(value: int | float | Fraction) -> Real:
    """Return an exact number: floats are taken at their exact value.

    >>> real(0.5)
    1/2
    """
    exact = value if type(value) is Fraction else Fraction(value)
    return Real(exact, _float(abs(exact)))


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


class Arithmetic:
    """The operators of the language on `Scalar`s, to `digits` decimal digits."""

    def __init__(self, digits: int = 50) -> None:
        self.digits = digits
        self._context = mpmath.MPContext()
        self._context.dps = digits + 5
        self._slack = self._context.mpf(10) ** (_GUARD - digits)
        self._infinity = Real(self._context.inf, float("inf"))
        self._unary: dict[str, Callable[[Real], Scalar]] = {
            "neg": lambda x: Real(-x.value, x.magnitude),
            "abs": lambda x: Real(abs(x.value), x.magnitude),
            "sign": lambda x: real(self._sign(x)),
            "sqrt": self._sqrt,
            "exp": self._exp,
            "log": self._log,
            "cos": self._cos,
            "floor": self._floor,
            "finite": lambda x: x.exact or bool(self._context.isfinite(x.value)),
        }
        self._binary: dict[str, Callable[[Real, Real], Scalar]] = {
            "add": self._add,
            "sub": lambda a, b: self._add(a, Real(-b.value, b.magnitude)),
            "mul": self._multiply,
            "div": self._divide,
            "pow": self._power,
            "mod": self._modulo,
            "lt": lambda a, b: self.compare(a, b) < 0,
            "le": lambda a, b: self.compare(a, b) <= 0,
            "gt": lambda a, b: self.compare(a, b) > 0,
            "ge": lambda a, b: self.compare(a, b) >= 0,
            "eq": lambda a, b: self.compare(a, b) == 0,
            "ne": lambda a, b: self.compare(a, b) != 0,
        }

    def eigenvalues(
        self, matrix: Sequence[Sequence[Scalar]]
    ) -> tuple[list[Scalar], list[list[Scalar]]] | None:
        """Return the eigenvalues of a symmetric matrix, and its eigenvectors as columns.

        None where it is not symmetric or has a negative eigenvalue.

        Raises:
            Undecided: rounding hides whether an eigenvalue is positive.
        """
        known = [[x for x in line if isinstance(x, Real)] for line in matrix]
        size = len(known)
        for row in range(size):
            for column in range(row):
                if self.compare(known[row][column], known[column][row]) != 0:
                    return None
        rounded = self._context.matrix([[self._rounded(x) for x in line] for line in known])
        numbers, vectors = self._context.eigsy(rounded)
        least = self._slack * max((abs(x) for x in numbers), default=0)
        if any(x < -least for x in numbers):
            return None
        if any(abs(x) <= least for x in numbers):
            raise Undecided("an eigenvalue of a matrix may be zero")
        columns = [
            [Real(vectors[i, j], _float(abs(vectors[i, j]))) for j in range(size)]
            for i in range(size)
        ]
        return [Real(x, _float(x)) for x in numbers], [list(line) for line in columns]

    def constant(self, name: str) -> Scalar:
        """Return `pi`, `inf`, `true` or `false`."""
        if name == "pi":
            return Real(+self._context.pi, 3.2)
        if name == "inf":
            return self._infinity
        return name == "true"

    def apply(self, operator: str, arguments: Sequence[Scalar]) -> Scalar:
        """Return `operator` on `arguments`; undefined as soon as one of them is."""
        if len(arguments) == 2 and operator in self._binary:
            a, b = arguments
            if type(a) is Real and type(b) is Real:
                return self._checked(self._binary[operator](a, b))
        if operator == "finite" and arguments[0] is UNDEFINED:
            return False
        known: list[_Known] = []
        for argument in arguments:
            if argument is UNDEFINED:
                return UNDEFINED
            known.append(argument)
        if operator in ("and", "or", "not"):
            return self._logic(operator, known)
        numbers = [self._number(argument) for argument in known]
        if operator in ("min", "max"):
            return self._extreme(numbers, 1 if operator == "max" else -1)
        if len(numbers) == 1:
            return self._unary[operator](numbers[0])
        return self._checked(self._binary[operator](*numbers))

    def compare(self, a: Real, b: Real) -> Literal[-1, 0, 1]:
        """Return -1, 0 or 1 as `a` is less than, equal to or more than `b`.

        Raises:
            Undecided: where rounding hides it.
        """
        if a.exact and b.exact:
            return -1 if a.value < b.value else 1 if a.value > b.value else 0
        x, y = self._rounded(a), self._rounded(b)
        if self._context.isinf(x) or self._context.isinf(y):  # rounding makes nothing infinite
            return 0 if x == y else -1 if x < y else 1
        if x == y and a is b:
            return 0
        if abs(x - y) > self._slack * (a.magnitude + b.magnitude + _SMALLEST) and x != y:
            return -1 if x < y else 1
        raise Undecided  # also where magnitudes are beyond what a float holds

    def difference(self, a: Real, b: Real) -> Any:
        """Return `a - b` as an mpf."""
        return self._rounded(a) - self._rounded(b)

    def same(self, a: Scalar, b: Scalar) -> bool:
        """Are two values equal, to all the digits that rounding left?"""
        if isinstance(a, Real) and isinstance(b, Real):
            try:
                return self.compare(a, b) == 0
            except Undecided:
                return True
        return a is b

    # -------------------------------------------------------------- operators

    def _number(self, value: _Known) -> Real:
        return real(int(value)) if isinstance(value, bool) else value

    def _rounded(self, x: Real) -> Any:
        if type(x.value) is Fraction:
            return self._context.mpf(x.value.numerator) / x.value.denominator
        return x.value

    def _checked(self, x: Scalar) -> Scalar:
        if type(x) is not Real:
            return x
        value = x.value
        if type(value) is Fraction:
            if (
                max(value.numerator.bit_length(), value.denominator.bit_length())
                < _LARGEST_FRACTION
            ):
                return x
            return Real(self._rounded(x), x.magnitude)
        if self._context.isnan(value):
            return UNDEFINED
        finite = value and not self._context.isinf(value)
        if finite and abs(self._context.mag(value)) > _FARTHEST:
            raise Undecided  # a power of it would take for ever
        return x if x.magnitude else Real(value, _LEAST)

    def _logic(self, operator: str, values: list[_Known]) -> bool:
        truths = [bool(v.value) if isinstance(v, Real) else v for v in values]
        if operator == "not":
            return not truths[0]
        return all(truths) if operator == "and" else any(truths)

    def _extreme(self, numbers: list[Real], direction: int) -> Real:
        best = numbers[0]
        for x in numbers[1:]:
            try:
                larger = self.compare(x, best) == direction
            except Undecided:  # they are equal, as far as anyone can tell: either will do
                larger = False
            best = x if larger else best
        near = [best, *(x for x in numbers if not self._infinite(x))]
        return Real(best.value, max(x.magnitude for x in near))

    def _pair(self, a: Real, b: Real) -> tuple[Any, Any]:
        if a.exact and b.exact:
            return a.value, b.value
        return self._rounded(a), self._rounded(b)

    def _add(self, a: Real, b: Real) -> Real:
        x, y = self._pair(a, b)
        return Real(x + y, a.magnitude + b.magnitude)

    def _multiply(self, a: Real, b: Real) -> Real:
        for factor in (a, b):
            if factor.exact and factor.value == 0 and not self._infinite(a, b):
                return real(0)
        x, y = self._pair(a, b)
        return Real(x * y, a.magnitude * b.magnitude)

    def _infinite(self, *numbers: Real) -> bool:
        return any(not x.exact and self._context.isinf(x.value) for x in numbers)

    def _divide(self, a: Real, b: Real) -> Scalar:
        x, y = self._pair(a, b)
        if y == 0:
            return UNDEFINED
        if not b.exact and abs(y) <= self._slack * b.magnitude:
            raise Undecided
        if a.exact and a.value == 0:
            return real(0)
        size = _float(abs(y))
        lost = b.magnitude / size if size else 1.0
        return Real(x / y, a.magnitude / size * lost if size else float("inf"))

    def _sqrt(self, x: Real) -> Scalar:
        if self._sign(x) < 0:
            return UNDEFINED
        if type(x.value) is Fraction:
            top, bottom = isqrt(x.value.numerator), isqrt(x.value.denominator)
            if top * top == x.value.numerator and bottom * bottom == x.value.denominator:
                return real(Fraction(top, bottom))
        root = self._context.sqrt(self._rounded(x))
        size = _float(root)
        return Real(root, max(size, x.magnitude / (2 * size)) if size else _LEAST)

    def _sign(self, x: Real) -> Literal[-1, 0, 1]:
        return self.compare(x, real(0))

    def _exp(self, x: Real) -> Scalar:
        if x.exact and x.value == 0:
            return real(1)
        value = self._context.exp(self._rounded(x))
        return Real(value, _float(value) * max(1.0, x.magnitude) or _LEAST)

    def _log(self, x: Real) -> Scalar:
        if self._sign(x) <= 0:
            return UNDEFINED
        if x.exact and x.value == 1:
            return real(0)
        value = self._context.log(self._rounded(x))
        size = _float(abs(self._rounded(x)))
        return Real(value, max(_float(abs(value)), x.magnitude / size if size else 1.0))

    def _cos(self, x: Real) -> Scalar:
        if x.exact and x.value == 0:
            return real(1)
        if self._infinite(x):
            return UNDEFINED
        return Real(self._context.cos(self._rounded(x)), max(1.0, x.magnitude))

    def _floor(self, x: Real) -> Scalar:
        if type(x.value) is Fraction:
            return real(x.value.__floor__())
        if self._infinite(x):
            return x
        nearest = real(int(self._context.nint(x.value)))
        below = self.compare(x, nearest) < 0  # Undecided beside a whole number
        return real(nearest.value - 1) if below else nearest

    def _modulo(self, a: Real, b: Real) -> Scalar:
        quotient = self._divide(a, b)
        if not isinstance(quotient, Real):
            return UNDEFINED
        whole = self._floor(quotient)
        if not isinstance(whole, Real):
            return UNDEFINED
        product = self._multiply(b, whole)
        return self._add(a, Real(-product.value, product.magnitude))

    def _power(self, x: Real, y: Real) -> Scalar:
        if type(y.value) is Fraction and y.value.denominator == 1:
            return self._whole_power(x, int(y.value))
        if y.exact and y.value == Fraction(1, 2):
            return self._sqrt(x)
        sign = self._sign(x)
        if sign < 0 or (sign == 0 and self._sign(y) <= 0):
            return UNDEFINED
        if sign == 0:
            return real(0)
        value = self._context.power(self._rounded(x), self._rounded(y))
        lost = x.magnitude / max(_float(abs(self._rounded(x))), 1e-300)
        return Real(value, _float(value) * max(1.0, lost, y.magnitude))

    def _whole_power(self, x: Real, n: int) -> Scalar:
        if n < 0:
            below = self._whole_power(x, -n)
            return self._divide(real(1), below) if isinstance(below, Real) else UNDEFINED
        if n == 0:
            return real(1)
        if type(x.value) is Fraction:
            size = max(x.value.numerator.bit_length(), x.value.denominator.bit_length())
            if size * n > _LARGEST_FRACTION:
                return Real(self._rounded(x) ** n, _power_float(x.magnitude, n))
        return Real(x.value**n, _power_float(x.magnitude, n))


@cache
def arithmetic(digits: int) -> Arithmetic:
    """Return the arithmetic to a number of digits; it holds no state, so each is made once."""
    return Arithmetic(digits)


def _power_float(x: float, n: int) -> float:
    try:
        return float(x**n)
    except OverflowError:
        return float("inf")
