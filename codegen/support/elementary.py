"""Exponentials, logarithms, powers and cosines as straight-line code, several lanes wide.

The mathematical library is called for one number at a time, which takes longer than a step moves
memory. These are polynomials behind a reduction of their range. The largest error, in units in
the last place, of every number of float32 (powers: of many pairs), and of many of float64:

    function        float32     float64
    exp             0.8         0.6
    log             0.9         0.8
    power           0.51        0.7
    cos             0.51        0.9
    sine            1.9         1.7         for |x| <= pi/2 alone

Special values are those of C and IEEE 754: NaN, infinities, zeros and their signs, numbers below
the least normal one, negative bases with whole exponents. (`sine` is for draws, and may lose the
sign of a zero.)

Coefficients are those of Taylor series, long enough that what is left out is below a tenth of a
unit. Source: Muller et al. 2018, Handbook of Floating-Point Arithmetic, chapters 4 and 10.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import factorial, inf, nan, sqrt
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.support.lanes import (
    DOUBLE,
    Format,
    Lane,
    function_of_lanes,
    polynomial,
    product_of,
    sum_of,
    whole_power_of_two,
)

#: log(2) and 2/pi to more digits than any format needs.
_LOG_2 = Fraction(0xB17217F7D1CF79ABC9E3B39803F2F6AF40F343267298B62D8A, 2**200)
_TWO_OVER_PI = int(
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e0"
    "06492eea09d1921cfe1deb1cb129a73ee88235f52ebb4484e99c7026b45f7e413991d639835339f4"
    "9c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d"
    "7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6babf0cfbc209af4361d",
    16,
)
_PLACES = 1280
_HALF_PI = 1.5707963267948966, 6.123233995736766e-17


def _terms(form: Format, single: int, double: int) -> int:
    return double if form is DOUBLE else single


def _parts_of_log_2(form: Format) -> tuple[float, float]:
    """Return log(2) as a sum; the first part times an exponent is exact."""
    places = form.digits - (11 if form is DOUBLE else 8)
    first = Fraction(round(_LOG_2 * 2**places), 2**places)
    return float(first), float(_LOG_2 - first)


# ------------------------------------------------------------------ exponentials


def _exp(x: Lane) -> Lane:
    return _exp_of_sum(x, x.like(0.0))


def _exp_of_sum(x: Lane, small: Lane) -> Lane:
    """Return e^(x + small): x is cut into n*log(2) and a rest r, and e^r is a polynomial."""
    form = x.format
    highest, lowest = (710.0, -746.0) if form is DOUBLE else (89.0, -104.0)
    small = ((x < highest) & (x > lowest)).choose(small, 0.0)
    x = (x > highest).choose(x.like(highest), x)
    x = (x < lowest).choose(x.like(lowest), x)
    shifted = x.fused(float(1 / _LOG_2), form.magic)
    n = shifted - form.magic
    first, second = _parts_of_log_2(form)
    r = n.fused(-first, x)
    small = n.fused(-second, small)
    # Both are needed: the sum is rounded, and what it loses counts.
    r, small = sum_of(r, small)
    series = [1 / factorial(k) for k in range(2, _terms(form, 8, 14))]
    curved = (r * r).fused(polynomial(r, series), small.fused(r, small))
    total, lost = sum_of(r.like(1.0), r)
    result = total + (lost + curved)
    k = shifted.bits() - form.bits(form.magic)
    half = k >> 1
    return result * whole_power_of_two(half) * whole_power_of_two(k - half)


# -------------------------------------------------------------------- logarithms


def _split(x: Lane) -> tuple[Lane, Lane]:
    """Return m - 1 and k where x = m*2^k and m is within [sqrt(1/2), sqrt(2))."""
    form = x.format
    tiny = x < form.least
    bits = tiny.choose(x * 2.0**form.digits, x).bits()
    places = form.digits - 1
    k = bits - form.bits(sqrt(0.5)) >> places
    m = (bits - (k << places)).from_bits()
    exponent = (k + form.bits(form.magic)).from_bits() - form.magic
    return m - 1.0, exponent - tiny.choose(exponent.like(float(form.digits)), 0.0)


def _of_bounds(x: Lane, value: Lane) -> Lane:
    """Return the logarithm of x, `value` where that is positive and finite."""
    value = (x < inf).choose(value, x)
    value = x.equals(0.0).choose(value.like(-inf), value)
    return (x < 0.0).choose(value.like(nan), value)


def _log(x: Lane) -> Lane:
    """Return log(1 + f) + k*log(2) with log(1 + f) = 2 atanh(s) for s = f/(2 + f).

    It is written f - f^2/2 + s*(f^2/2 + R), so that s and R need few digits.
    """
    form = x.format
    f, k = _split(x)
    s = f / (f + 2.0)
    z = s * s
    series = [2 / (2 * i + 1) for i in range(1, _terms(form, 6, 12))]
    half_square = f * f * 0.5
    curved = s.fused(half_square + z * polynomial(z, series), -half_square)
    first, second = _parts_of_log_2(form)
    whole = k * first
    total = whole + f
    lost = f - (total - whole)
    return _of_bounds(x, total + (lost + k.fused(second, curved)))


def _log_as_sum(x: Lane) -> tuple[Lane, Lane]:
    """Return the logarithm of a positive finite x as a sum of two numbers, to 64 digits."""
    f, k = _split(x)
    over, over_lost = sum_of(f, f.like(2.0))
    s = f / over
    s_lost = (s.fused(-over, f) - s * over_lost) / over
    z, z_lost = product_of(s, s)
    z_lost = (s * 2.0).fused(s_lost, z_lost)
    rest = z * polynomial(z, [2 / (2 * i + 1) for i in range(2, 13)])
    third = Fraction(2, 3)
    c, c_lost = sum_of(f.like(float(third)), rest)
    c_lost = c_lost + float(third - Fraction(float(third)))
    cubic, cubic_lost = _times((z, z_lost), (s, s_lost))
    curved, curved_lost = _times((cubic, cubic_lost), (c, c_lost))
    first, second = _parts_of_log_2(DOUBLE)
    total, lost = sum_of(k * first, s * 2.0)
    total, more = sum_of(total, curved)
    lost = lost + more + (curved_lost + (s_lost * 2.0 + k * second))
    return sum_of(total, lost)


def _times(a: tuple[Lane, Lane], b: tuple[Lane, Lane]) -> tuple[Lane, Lane]:
    """Return the product of two numbers, each a sum."""
    product, lost = product_of(a[0], b[0])
    return product, a[0].fused(b[1], a[1].fused(b[0], lost))


# ------------------------------------------------------------------------ powers


def _power(x: Lane, y: Lane) -> Lane:
    """Return x^y = e^(y log|x|), with the sign of x where y is odd."""
    if x.format is not DOUBLE:
        return _power_by(_single_power, x.wide(), y.wide()).narrow()
    return _power_by(_double_power, x, y)


def _single_power(size: Lane, y: Lane) -> Lane:
    """Return the power in float64, to the 32 digits or so that float32 needs."""
    f, k = _split(size)
    s = f / (f + 2.0)
    z = s * s
    series = [2 / (2 * i + 1) for i in range(1, 7)]
    logarithm = k.fused(float(_LOG_2), (s * z).fused(polynomial(z, series), s * 2.0))
    x = _is_one(size, y * _of_bounds(size, logarithm))
    x = (x > 200.0).choose(x.like(200.0), x)
    x = (x < -200.0).choose(x.like(-200.0), x)
    shifted = x.fused(float(1 / _LOG_2), DOUBLE.magic)
    r = (shifted - DOUBLE.magic).fused(-float(_LOG_2), x)
    result = polynomial(r, [1 / factorial(i) for i in range(10)])
    return result * whole_power_of_two(shifted.bits() - DOUBLE.bits(DOUBLE.magic))


def _double_power(size: Lane, y: Lane) -> Lane:
    high, low = _log_as_sum(size)
    high = _of_bounds(size, high)
    product = y * high
    rest = y.fused(low, y.fused(high, -product))
    return _exp_of_sum(_is_one(size, product), _is_one(size, rest))


def _is_one(size: Lane, exponent: Lane) -> Lane:
    """Return the exponent, 0 where any power is 1."""
    return size.equals(1.0).choose(exponent.like(0.0), exponent)


def _power_by(formula: Any, x: Lane, y: Lane) -> Lane:
    """Return x^y, where `formula` gives the power of |x|."""
    size = x.size()
    result = formula(size, y)
    half = y * 0.5
    whole = y.equals(y.nearest())
    odd = whole & half.differs(half.nearest())
    negative = x.bits() < 0
    result = (negative & odd).choose(-result, result)
    unknown = (x < 0.0) & (x > -inf) & ~whole
    result = (unknown | x.differs(x) | y.differs(y)).choose(result.like(nan), result)
    return (y.equals(0.0) | x.equals(1.0)).choose(result.like(1.0), result)


# ----------------------------------------------------------------------- cosines


def _sine(x: Lane) -> Lane:
    """Return sin(x) for |x| <= pi/2."""
    z = x * x
    series = [(-1) ** k / factorial(2 * k + 1) for k in range(1, _terms(x.format, 7, 12))]
    return (x * z).fused(polynomial(z, series), x)


def _cos(x: Lane) -> Lane:
    if x.format is not DOUBLE:
        return _cos(x.wide()).narrow()
    quarter, r, small = _quarters(x.size())
    z = r * r
    odd_series = [(-1) ** k / factorial(2 * k + 1) for k in range(1, 10)]
    even_series = [(-1) ** k / factorial(2 * k) for k in range(2, 10)]
    sine = r + (r * z).fused(polynomial(z, odd_series), small)
    half = z * 0.5
    one_less = r.like(1.0) - half
    lost = (r.like(1.0) - one_less) - half
    cosine = one_less + (z * z).fused(polynomial(z, even_series), lost - r * small)
    odd = quarter.equals(1.0) | quarter.equals(3.0)
    result = odd.choose(sine, cosine)
    return (quarter.equals(1.0) | quarter.equals(2.0)).choose(-result, result)


def _quarters(x: Lane) -> tuple[Lane, Lane, Lane]:
    """Return q and r where x = (4n + q)*pi/2 + r and |r| <= pi/4; r is a sum of two numbers.

    x is a whole number times 2^j, or j = 0. The multiples of 4 in 2^j*2/pi do not count; what
    is left of it stands in row j of a table, as a sum of four numbers.
    """
    builder = x.builder
    exponent = (x.bits() >> 52) - (1023 + 52)
    j = (exponent < 0).choose(exponent.like(0), exponent)
    j = (j > _ROWS - 1).choose(j.like(_ROWS - 1), j)
    scaled = x * whole_power_of_two(j.like(0) - j)
    row = [_entry(builder, j, place) for place in range(4)]
    first, b = product_of(scaled, row[0])
    a = first - (first * 0.25).nearest() * 4.0
    c, d = product_of(scaled, row[1])
    e, f = product_of(scaled, row[2])
    total, lost_1 = sum_of(a, b)
    total, lost_2 = sum_of(total, c)
    whole = total.nearest()
    low, deep_1 = sum_of(lost_1, lost_2)
    low, deep_2 = sum_of(low, d)
    low, deep_3 = sum_of(low, e)
    high, low = sum_of(total - whole, low)
    low = low + (deep_1 + deep_2 + deep_3 + scaled.fused(row[3], f))
    high, low = sum_of(high, low)
    r, small = _times((high, low), tuple(x.like(part) for part in _HALF_PI))  # type: ignore[arg-type]
    fourth = whole * 0.25
    floor = fourth.nearest()
    floor = (floor > fourth).choose(floor - 1.0, floor)
    return whole - floor * 4.0, r, small


_ROWS = 972


@cache
def _table() -> tuple[tuple[float, ...], ...]:
    """Return for each place what all rows have there: 2^j*2/pi without multiples of 4."""
    rows = []
    for j in range(_ROWS):
        rest = Fraction((_TWO_OVER_PI << j) % (4 << _PLACES), 1 << _PLACES)
        row = []
        for _ in range(4):
            row.append(float(rest))
            rest -= Fraction(row[-1])
        rows.append(row)
    return tuple(zip(*rows, strict=True))


def _entry(builder: Any, j: Lane, place: int) -> Lane:
    """Return one number of row j of the table."""
    kind = ir.ArrayType(ir.DoubleType(), _ROWS)
    name = f"optdsl.two_over_pi.{place}"
    table = builder.module.globals.get(name)
    if table is None:
        table = ir.GlobalVariable(builder.module, kind, name)
        table.global_constant = True
        table.linkage = "internal"
        table.initializer = ir.Constant(kind, list(_table()[place]))
    address = builder.gep(table, [ir.IntType(64)(0), j.value], inbounds=True)
    return Lane(builder, builder.load(address))


exp_of, log_of, power_of, cos_of, sine_of = (
    function_of_lanes(formula) for formula in (_exp, _log, _power, _cos, _sine)
)
