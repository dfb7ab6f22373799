"""The codes of states in blocks, as formulas on LLVM values; see `runtime/formats.py`.

A block has a scale, which says whether it has a sign. All is done in whole-number operations and
selections, so that loops over entries run on vectors.
"""

from __future__ import annotations

import numpy as np

from optdsl.codegen.support.lanes import Lane

#: For blocks with a sign, and without: its bit, and where exponents begin in a number over s.
SIGN_BIT = (np.uint32(0x80), np.uint32(0))
BASE = (np.uint32(112 << 23), np.uint32(96 << 23))
#: The last place of the least exponent.
PLACE = (np.float32(2.0**-17), np.float32(2.0**-33))
#: For numbers times 2/s: where exponents begin, and what rounds one of the least exponent when
#: it is added, or makes the place a one when it is multiplied.
BASE_TWICE = (np.uint32(113 << 23), np.uint32(97 << 23))
MAGIC = (np.float32(2.0**7), np.float32(2.0**-9))
PLACES = (np.float32(2.0**16), np.float32(2.0**32))


def number_formula(code: Lane, scale: Lane, base: Lane, place: Lane, sign: Lane) -> Lane:
    """Return the number of a code."""
    whole = code.extended()
    size = whole & (sign ^ 0xFF)
    normal = ((size << 20) + base).from_bits() * scale
    small = size.to_number() * place * scale
    bits = (size < 8).choose(small, normal).bits()
    return (bits | (whole & (sign << 24))).from_bits()


def _scaled(number: Lane, factor: Lane) -> Lane:
    return (number * factor).bits() & 0x7FFFFFFF


def _nearest(scaled: Lane, base: Lane, magic: Lane) -> Lane:
    last = (scaled >> 20) & 1
    normal = (scaled + last - (base - 0x7FFFF)) >> 20
    small = (scaled.from_bits() + magic).bits() - magic.bits()
    return (scaled < base + (1 << 23)).choose(small, normal)


def _code(size: Lane, number: Lane, sign: Lane) -> Lane:
    largest, least = sign ^ 0xFF, (sign ^ 0x80) >> 7
    bounded = (size > largest).choose(largest, size)
    lowest = (number > 0.0).choose(least, 0)
    kept = (bounded < lowest).choose(lowest, bounded)
    return (kept | ((number.bits() >> 24) & sign)).cut(8)


def code_formula(number: Lane, factor: Lane, base: Lane, magic: Lane, sign: Lane) -> Lane:
    """Return the code of a number, rounded to the nearest."""
    return _code(_nearest(_scaled(number, factor), base, magic), number, sign)


def chance_formula(
    number: Lane, word: Lane, factor: Lane, base: Lane, places: Lane, sign: Lane
) -> Lane:
    """Return the code of a number; noise is added to the bits that go, or to their fraction."""
    scaled, noise = _scaled(number, factor), word.cut(32)
    normal = (scaled - base + (noise & 0xFFFFF)) >> 20
    small = scaled.from_bits() * places
    below = small.to_whole()
    chance = ((noise >> 9) & 0x7FFFFF).to_number() * 2.0**-23
    up = (small - below.to_number() > chance).choose(below + 1, below)
    return _code((scaled < base + (1 << 23)).choose(up, normal), number, sign)


def larger_formula(largest: Lane, number: Lane) -> Lane:
    """Return the larger of some bits and those of the size of a number."""
    size = number.bits() & 0x7FFFFFFF
    return (size > largest).choose(size, largest)
