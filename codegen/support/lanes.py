"""LLVM values with Python's operators, to write elementary functions as their formulas.

Sums, differences and products are rounded one by one, even where the kernel around them may
contract: what one rounding loses is computed exactly by `sum_of` and `product_of`. Where one
rounding of a product and a sum is meant, it is written as `fused`. Nothing branches and nothing
is called, so that a loop over entries runs several lanes wide.

The same formulas serve CUDA, whose compiler contracts whatever is not a function that says how
it is rounded.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.support.arithmetic import declared, for_cuda, intrinsic_call, negative

_FLOAT, _DOUBLE, _WHOLE_32, _WHOLE_64 = (
    ir.FloatType(),
    ir.DoubleType(),
    ir.IntType(32),
    ir.IntType(64),
)

#: Numba marks every operation that has no flag as one to contract; this flag says nothing of
#: sums and products, and so keeps them as they are.
_AS_WRITTEN = ("arcp",)


@dataclass(frozen=True)
class Format:
    """A floating-point format: its digits, its exponents, and a whole number of as many bits.

    Added to `magic`, a number below 2^(digits - 2) in size is rounded to a whole one, which then
    stands in the last bits.
    """

    kind: Any
    whole: Any
    suffix: str
    code: str
    digits: int
    bias: int

    @property
    def magic(self) -> float:
        """1.5*2^(digits - 1): the whole numbers around it are those that the format has."""
        return 1.5 * 2.0 ** (self.digits - 1)

    @property
    def least(self) -> float:
        """The least normal number."""
        return float(2.0 ** (1 - self.bias))

    def bits(self, value: float) -> int:
        """Return the bits of a number as a whole one."""
        number: int = struct.unpack(
            "<q" if self.digits > 24 else "<i", struct.pack(self.code, value)
        )[0]
        return number


SINGLE = Format(_FLOAT, _WHOLE_32, "f32", "<f", 24, 127)
DOUBLE = Format(_DOUBLE, _WHOLE_64, "f64", "<d", 53, 1023)


class Lane:
    """A number, a whole number or a truth value that LLVM code computes."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = value

    @property
    def format(self) -> Format:
        """The format of a number, or the one whose bits a whole number holds."""
        return SINGLE if self.value.type in (_FLOAT, _WHOLE_32) else DOUBLE

    def like(self, other: Lane | float) -> Lane:
        """Return `other`, a constant too, as a value of the same type."""
        if isinstance(other, Lane):
            return other
        return Lane(self.builder, ir.Constant(self.value.type, other))

    def _of(self, operation: str, other: Lane | float, **flags: Any) -> Lane:
        operate = getattr(self.builder, operation)
        return Lane(self.builder, operate(self.value, self.like(other).value, **flags))

    def _number(self, operation: str, other: Lane | float) -> Lane:
        if isinstance(self.value.type, ir.IntType):
            return self._of(operation, other)
        if for_cuda(self.builder):
            return self._rounded(operation, self.like(other).value)
        return self._of(f"f{operation}", other, flags=_AS_WRITTEN)

    def _rounded(self, operation: str, other: Any) -> Lane:
        """Return what CUDA's own functions make of two numbers: they are never contracted."""
        if operation == "sub":
            operation, other = "add", negative(self.builder, other)
        kind = self.value.type
        name = f"llvm.nvvm.{operation}.rn.{'f' if kind == _FLOAT else 'd'}"
        function = declared(self.builder.module, name, kind, [kind, kind])
        return Lane(self.builder, self.builder.call(function, [self.value, other]))

    def __add__(self, other: Lane | float) -> Lane:
        return self._number("add", other)

    def __sub__(self, other: Lane | float) -> Lane:
        return self._number("sub", other)

    def __mul__(self, other: Lane | float) -> Lane:
        return self._number("mul", other)

    def __truediv__(self, other: Lane | float) -> Lane:
        return self._of("fdiv", other)

    def __neg__(self) -> Lane:
        return Lane(self.builder, negative(self.builder, self.value))

    def __lshift__(self, count: int) -> Lane:
        return self._of("shl", count)

    def __rshift__(self, count: int) -> Lane:
        return self._of("ashr", count)

    def __and__(self, other: Lane | int) -> Lane:
        return self._of("and_", other)

    def __or__(self, other: Lane | int) -> Lane:
        return self._of("or_", other)

    def __xor__(self, other: Lane | int) -> Lane:
        return self._of("xor", other)

    def __invert__(self) -> Lane:
        return Lane(self.builder, self.builder.not_(self.value))

    def _compared(self, symbol: str, other: Lane | float) -> Lane:
        right = self.like(other).value
        if isinstance(self.value.type, ir.IntType):
            return Lane(self.builder, self.builder.icmp_signed(symbol, self.value, right))
        compare = self.builder.fcmp_unordered if symbol == "!=" else self.builder.fcmp_ordered
        return Lane(self.builder, compare(symbol, self.value, right))

    def __lt__(self, other: Lane | float) -> Lane:
        return self._compared("<", other)

    def __gt__(self, other: Lane | float) -> Lane:
        return self._compared(">", other)

    def equals(self, other: Lane | float) -> Lane:
        """Is it the same number? Not where either is NaN."""
        return self._compared("==", other)

    def differs(self, other: Lane | float) -> Lane:
        """Is it another number? So NaN is, even from itself."""
        return self._compared("!=", other)

    def choose(self, value: Lane, otherwise: Lane | float) -> Lane:
        """Return `value` where this holds, else `otherwise`."""
        second = value.like(otherwise).value
        return Lane(self.builder, self.builder.select(self.value, value.value, second))

    def bits(self) -> Lane:
        """Return the bits of a number as a whole number."""
        return Lane(self.builder, self.builder.bitcast(self.value, self.format.whole))

    def from_bits(self) -> Lane:
        """Return the number of these bits."""
        return Lane(self.builder, self.builder.bitcast(self.value, self.format.kind))

    def extended(self) -> Lane:
        """Return a shorter whole number with 32 bits, all the new ones as its highest."""
        return Lane(self.builder, self.builder.sext(self.value, _WHOLE_32))

    def cut(self, bits: int) -> Lane:
        """Return the lowest bits of a whole number."""
        return Lane(self.builder, self.builder.trunc(self.value, ir.IntType(bits)))

    def to_number(self) -> Lane:
        """Return a whole number as a float32 one."""
        return Lane(self.builder, self.builder.sitofp(self.value, _FLOAT))

    def to_whole(self) -> Lane:
        """Return what stands before the point of a number that 32 bits hold."""
        return Lane(self.builder, self.builder.fptosi(self.value, _WHOLE_32))

    def wide(self) -> Lane:
        """Return a float32 number as float64."""
        return Lane(self.builder, self.builder.fpext(self.value, _DOUBLE))

    def narrow(self) -> Lane:
        """Return a float64 number rounded to float32."""
        return Lane(self.builder, self.builder.fptrunc(self.value, _FLOAT))

    def nearest(self) -> Lane:
        """Return the nearest whole number, the even one of two."""
        return self._called("rint")

    def size(self) -> Lane:
        """Return the absolute value."""
        return self._called("fabs")

    def with_sign(self, other: Lane) -> Lane:
        """Return this with the sign of another number."""
        return self._called("copysign", other)

    def fused(self, factor: Lane | float, term: Lane | float) -> Lane:
        """Return this times `factor`, plus `term`, rounded once."""
        return self._called("fma", self.like(factor), self.like(term))

    def _called(self, name: str, *others: Lane) -> Lane:
        values = (each.value for each in others)
        return Lane(self.builder, intrinsic_call(self.builder, name, self.value, *values))


def polynomial(x: Lane, coefficients: Sequence[float]) -> Lane:
    """Return c[0] + c[1]*x + c[2]*x^2 + ..."""
    total = x.like(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total.fused(x, coefficient)
    return total


def sum_of(a: Lane, b: Lane) -> tuple[Lane, Lane]:
    """Return a + b rounded, and exactly what the rounding lost (Knuth, two-sum)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def product_of(a: Lane, b: Lane) -> tuple[Lane, Lane]:
    """Return a*b rounded, and exactly what the rounding lost."""
    product = a * b
    return product, a.fused(b, -product)


def whole_power_of_two(k: Lane) -> Lane:
    """Return 2^k for a whole number k of normal size."""
    return (k + k.format.bias << k.format.digits - 1).from_bits()


def function_of_lanes(formula: Callable[..., Lane]) -> Callable[..., Any]:
    """Return what builds the LLVM code of a formula: `build(builder, *values)`."""

    def build(builder: Any, *values: Any) -> Any:
        return formula(*(Lane(builder, value) for value in values)).value

    return build
