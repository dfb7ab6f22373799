"""Arrays in storage formats: how numbers are widened when they are loaded, and rounded when stored.

A state of `int8 blockwise(256)` is an array of records, one a block of 256 entries: 4 bytes of a
float32 scale, then 256 bytes of codes. The scale is the least power of two, s, of which no entry
of the block is more than 15/8. A code of a block with negative entries is a sign, 4 bits e of an
exponent and 3 bits m of a mantissa:

    x = ±(1 + m/8)*2^(e-15)*s,  and for e = 0  ±(m/8)*2^(-14)*s

A block without negative entries, such as squares, needs no sign: its scale is stored as -s, and
the bit goes to the exponent, so that the squares of what the other kind can hold are held:

    x = (1 + m/8)*2^(e-31)*s,   and for e = 0  (m/8)*2^(-30)*s

There, a positive number is never stored as zero: a root of it may stand in a denominator. Of a
block that holds NaN or an infinity, every entry is loaded as NaN.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from optdsl.storage import Storage, known_storage

Array = npt.NDArray[Any]
Wide = npt.NDArray[np.float64]

#: Bytes of the scale of a block.
SCALE = 4
#: The sign bit, and the exponents and the bias of a code, without and with a sign.
_SIGN = 0x80
_BIAS = {False: 31, True: 15}


def dtype_named(name: str) -> np.dtype[Any]:
    """Return the dtype called `name`, bfloat16 too."""
    if name == "bfloat16":
        import ml_dtypes

        bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    return np.dtype(name)


def is_bfloat16(dtype: Any) -> bool:
    """Is this the dtype of ml_dtypes?"""
    return getattr(dtype, "name", None) == "bfloat16"


def stored_dtype(storage: Storage) -> np.dtype[Any]:
    """Return the dtype of an array of this storage."""
    return np.dtype(np.uint8) if storage.block is not None else dtype_named(storage.format)


def stored_shape(storage: Storage, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of an array of this storage, for a tensor of this shape.

    >>> stored_shape(known_storage("int8 blockwise(256)"), (3, 100))
    (2, 260)
    """
    if storage.block is None:
        return shape
    return (-(-math.prod(shape) // storage.block), storage.block + SCALE)


def without_chance(storage: str) -> str:
    """Return a storage that rounds to the nearest."""
    return str(replace(known_storage(storage), rounding=None))


def load(storage: str, array: Array, shape: tuple[int, ...]) -> Wide:
    """Return the numbers of a stored array, in float64."""
    said = known_storage(storage)
    if said.block is None:
        return array.astype(np.float64)
    scales, codes = _split(array)
    numbers = _decoded(scales, codes).reshape(-1)
    return numbers[: math.prod(shape)].reshape(shape)


def store(storage: str, array: Array, values: Any, words: Any = None) -> None:
    """Write numbers to a stored array, each rounded once; `words` are random ones for an entry.

    >>> import numpy as np
    >>> stored = np.zeros(stored_shape(known_storage("int8 blockwise(32)"), (3,)), np.uint8)
    >>> store("int8 blockwise(32)", stored, np.array([0.5, -1.0, 1e-3]))
    >>> load("int8 blockwise(32)", stored, (3,)).tolist()
    [0.5, -1.0, 0.0009765625]
    """
    said = known_storage(storage)
    if said.block is not None:
        _store_blocks(said.block, array, np.asarray(values, np.float64), words)
    elif said.format in ("bfloat16", "float16"):
        numbers = np.broadcast_to(np.asarray(values, np.float64), array.shape)
        bits = bits_of(said.format, numbers if words is None else dithered(said, numbers, words))
        array[...] = bits.view(array.dtype)
    else:
        array[...] = values


def lost(values: Array, array: Array) -> Wide:
    """Return what a store of `values` to `array` has lost, 0 where that is no number."""
    with np.errstate(invalid="ignore"):
        rest: Wide = values - array.astype(np.float64)
        return np.where(np.isfinite(rest), rest, 0.0)


# ------------------------------------------------------------------ 16 bits


def bits_of(name: str, values: Array) -> npt.NDArray[np.uint16]:
    """Return the bits of float64 numbers in a format of 16 bits, rounded once to the nearest.

    >>> [hex(bits) for bits in bits_of("bfloat16", np.array([1.0, 1.00390625, np.inf]))]
    ['0x3f80', '0x3f80', '0x7f80']
    """
    with np.errstate(all="ignore"):
        if name == "float16":
            half: npt.NDArray[np.uint16] = values.astype(np.float16).view(np.uint16)
            return half
        bits = _to_odd(values).view(np.uint32)
        last = (bits >> np.uint32(16)) & np.uint32(1)
        rounded = (bits + np.uint32(0x7FFF) + last) >> np.uint32(16)
        quiet = (bits >> np.uint32(16)) | np.uint32(0x40)
        return np.where(np.isnan(values), quiet, rounded).astype(np.uint16)


def _to_odd(values: Array) -> npt.NDArray[np.float32]:
    """Return numbers in float32, with the last bit set where that is not exact.

    What is rounded a second time is then rounded as if it had been rounded once.
    """
    near = values.astype(np.float32)
    back = near.astype(np.float64)
    bits = near.view(np.uint32) - (np.abs(back) > np.abs(values)).astype(np.uint32)
    exact = (back == values) | np.isnan(values)
    odd: npt.NDArray[np.float32] = (
        np.where(exact, bits, bits | 1).astype(np.uint32).view(np.float32)
    )
    return odd


def dithered(storage: Storage, values: Array, words: Any) -> Wide:
    """Return float32 numbers moved by chance to one of the two next numbers of 16 bits.

    The chance of each is the nearer the more; so the mean is the number itself.
    """
    lost = np.uint32(16 if storage.format == "bfloat16" else 13)
    with np.errstate(all="ignore"):
        numbers = values.astype(np.float32)
        bits = numbers.view(np.uint32)
        noise = (words & np.uint64((1 << int(lost)) - 1)).astype(np.uint32)
        moved = ((bits + noise) >> lost << lost).view(np.float32)
        if storage.format == "float16":
            tiny = np.abs(numbers) < np.float32(2.0**-14)
            whole = _by_chance(np.abs(numbers).astype(np.float64) * 2.0**24, words)
            moved = np.where(tiny, np.copysign(whole * 2.0**-24, numbers), moved)
        return np.where(np.isfinite(numbers), moved, numbers).astype(np.float64)


def _by_chance(values: Wide, words: Any) -> Wide:
    """Return numbers that are not negative as whole ones, the next below or above."""
    below = np.floor(values)
    up: Wide = below + ((values - below) * 2.0**23 > (words >> np.uint64(9)).astype(np.float64))
    return up


# ------------------------------------------------------------------- blocks


def _split(array: Array) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Return the scales of records, one a row, and their codes."""
    scales = np.ascontiguousarray(array[:, :SCALE]).view(np.float32)
    return scales, array[:, SCALE:]


def _decoded(scales: Array, codes: Array) -> Wide:
    with np.errstate(all="ignore"):
        signed = ~np.signbit(scales)
        size = np.where(signed, codes & 0x7F, codes).astype(np.int64)
        exponent, mantissa = size >> 3, (size & 7).astype(np.float64)
        bias = np.where(signed, _BIAS[True], _BIAS[False])
        normal = np.ldexp(1 + mantissa / 8, exponent - bias)
        small = np.ldexp(mantissa / 8, 1 - bias)
        numbers = np.where(exponent > 0, normal, small) * np.abs(scales.astype(np.float64))
        decoded: Wide = np.where(signed & (codes >= _SIGN), -numbers, numbers)
        return decoded


def _store_blocks(block: int, array: Array, values: Wide, words: Any) -> None:
    rows = array.shape[0]
    padded = np.zeros(rows * block)
    size = math.prod(values.shape) if values.shape else rows * block
    padded[:size] = values.reshape(-1) if values.shape else values
    numbers = padded.reshape(rows, block)
    noise = None
    if words is not None:
        noise = np.zeros(rows * block, np.uint64)
        noise[:size] = words.reshape(-1)
        noise = noise.reshape(rows, block)
    scales, codes = _encoded(numbers, noise)
    array[:, :SCALE] = scales.view(np.uint8).reshape(rows, SCALE)
    array[:, SCALE:] = codes


def _encoded(numbers: Wide, words: Any) -> tuple[Array, Array]:
    with np.errstate(all="ignore"):
        narrow = numbers.astype(np.float32).astype(np.float64)
        largest = np.abs(narrow).max(axis=1, keepdims=True)
        lost = ~np.isfinite(largest)
        nothing = largest < 2.0**-126
        mantissa, power = np.frexp(np.where(lost | nothing, 1.0, largest))
        scale = np.ldexp(1.0, np.where((mantissa > 15 / 16) & (power < 128), power, power - 1))
        signed = np.signbit(narrow).any(axis=1, keepdims=True)
        codes = _codes(np.abs(narrow) / scale, np.where(signed, 15, 31), words)
        codes = np.minimum(codes, np.where(signed, 0x7F, 0xFF))
        codes = np.where(~signed & (narrow > 0), np.maximum(codes, 1), codes)
        codes = np.where(lost | nothing, 0, codes)
        codes = np.where((signed | nothing) & np.signbit(narrow), codes | _SIGN, codes)
        kept = np.where(lost, np.nan, np.where(nothing, 0.0, np.where(signed, scale, -scale)))
        return kept.astype(np.float32), codes.astype(np.uint8)


def _codes(sizes: Wide, bias: Any, words: Any) -> npt.NDArray[np.int64]:
    """Return the codes of numbers from 0 to 2: eighths of their power of two."""
    _, power = np.frexp(sizes)
    exponent = np.where(sizes > 0, np.maximum(power - 1 + bias, 1), 1)
    eighths = np.ldexp(sizes, 3 - (exponent - bias))
    if words is None:
        whole = np.rint(eighths)
    else:
        noise = (words & np.uint64(0xFFFFF)).astype(np.float64)
        small = sizes < np.ldexp(1.0, 1 - np.asarray(bias))
        whole = np.where(small, _by_chance(eighths, words), np.floor(eighths + noise * 2.0**-20))
    codes: npt.NDArray[np.int64] = (whole + 8 * (exponent - 1)).astype(np.int64)
    return codes
