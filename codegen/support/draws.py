"""Random numbers that are functions of a seed and a place, and of nothing else.

The generator is Philox4x32-10. Its key is the seed; its counter says for which number its
four words are, so that no state is kept and no order of computing matters:

    word 0   the entry within its tensor, lower 32 bits
    word 1   the step t of the part that draws, lower 32 bits
    word 2   the tensor: its place among all parameters
    word 3   the entry's next 16 bits, and above them 2*number for a normal draw,
             2*number + 1 for a uniform one, where `number` counts draws of its kind in a rule

A uniform number is `(k + 1/2)/2^23` with k the top 23 bits of word 0 for float32 parameters,
`(k + 1/2)/2^52` with k the top 52 bits of words 0 and 1 for float64: exact, within (0, 1).
A normal one is `sqrt(-2 log(u1))*cos(2 pi u2)` of two such numbers (Box and Muller 1958),
from words 0 and 1, or 0 to 3. Its size is at most 5.8 for float32 and 8.6 for float64.
The cosine is computed as `sin(2 pi (|u2 - 1/2| - 1/4))`, whose argument loses no digit.

What is stored in few bits may be rounded by chance. Noise for that is drawn for every entry and
state, and must cost little: it is Philox2x32-7. Its counter is the entry, and its key comes from
the generator above, for the entry 0 of the same step and tensor and a number that no draw has
(2^15 + n for the states 2n and 2n + 1 that round so, which take one of the two words each): word
0 is the key, and word 1 is mixed into the upper half of the counter.

Source: Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

#: Added to the number of states that round by chance; no draw has so high a one.
ROUNDING = 0x8000

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_FIRST, _SECOND = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_ONLY = np.uint64(0xD256D193)
_BUMP_FIRST, _BUMP_SECOND = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


def mixed(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Return the counter after one round with this key; every word a uint64 below 2^32."""
    first, second = _FIRST * c0, _SECOND * c2
    return (
        (second >> _HALF) ^ c1 ^ k0,
        second & _LOW,
        (first >> _HALF) ^ c3 ^ k1,
        first & _LOW,
    )


def bumped(k0: Any, k1: Any) -> Any:
    """Return the key of the next round."""
    return (k0 + _BUMP_FIRST) & _LOW, (k1 + _BUMP_SECOND) & _LOW


def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Return the four words of Philox4x32-10 for a counter and a key.

    >>> zero = np.uint64(0)
    >>> [hex(word) for word in philox(zero, zero, zero, zero, zero, zero)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    for _ in range(9):
        c0, c1, c2, c3 = mixed(c0, c1, c2, c3, k0, k1)
        k0, k1 = bumped(k0, k1)
    return mixed(c0, c1, c2, c3, k0, k1)


def words(
    count: int,
    begin: int,
    identity: int,
    step: float,
    code: int,
    seed_low: float,
    seed_high: float,
) -> tuple[Words, Words, Words, Words]:
    """Return the four words of each of `count` entries from `begin` on."""
    entries = np.arange(begin, begin + count, dtype=np.uint64)
    clock, tensor = (np.uint64(int(value) & 0xFFFFFFFF) for value in (step, identity))
    last = (entries >> _HALF) | np.uint64(code << 16)
    keys = np.uint64(int(seed_low)), np.uint64(int(seed_high))
    found: tuple[Words, Words, Words, Words] = philox(entries & _LOW, clock, tensor, last, *keys)
    return found


def stirred(c0: Any, c1: Any, key: Any) -> Any:
    """Return both words of Philox2x32-7 for a counter and a key; all are below 2^32."""
    for turn in range(7):
        product = _ONLY * c0
        c0 = (product >> _HALF) ^ c1 ^ ((key + np.uint64(turn) * _BUMP_FIRST) & _LOW)
        c1 = product & _LOW
    return c0, c1


def entry_words(
    like: Any, begin: int, identity: int, step: float, code: int, seed_low: float, seed_high: float
) -> Words:
    """Return a random word for every entry of `like`, to round by chance."""
    key, mixed_in, _, _ = words(1, 0, identity, step, ROUNDING + code // 2, seed_low, seed_high)
    entries = np.arange(begin, begin + like.size, dtype=np.uint64)
    both = stirred(entries & _LOW, (entries >> _HALF) ^ mixed_in, key)
    found: Words = both[code % 2].reshape(like.shape)
    return found


def standard_uniform(like: Any, *place: Any) -> Any:
    """Return numbers in (0, 1), one an entry of `like`, for parameters of its dtype.

    `place` is (begin, identity, step, number, seed_low, seed_high).
    """
    drawn = words(like.size, *_with_code(place, 1))
    return _fraction(like.dtype, *drawn[:2]).reshape(like.shape)


def standard_normal(like: Any, *place: Any) -> Any:
    """Return numbers of mean 0 and deviation 1, one an entry of `like`, for its dtype."""
    drawn = words(like.size, *_with_code(place, 0))
    if like.dtype != np.float64:
        first, second = (_fraction(like.dtype, word, word) for word in drawn[:2])
    else:
        first, second = _fraction(like.dtype, *drawn[:2]), _fraction(like.dtype, *drawn[2:])
    angle = 2.0 * np.pi * (abs(second - 0.5) - 0.25)
    return (np.sqrt(-2.0 * np.log(first)) * np.sin(angle)).reshape(like.shape)


def _with_code(place: tuple[Any, ...], kind: int) -> tuple[Any, ...]:
    begin, identity, step, number, seed_low, seed_high = place
    return begin, identity, step, 2 * number + kind, seed_low, seed_high


def _fraction(dtype: Any, high: Words, low: Words) -> npt.NDArray[np.float64]:
    if dtype != np.float64:
        return ((high >> np.uint64(9)).astype(np.float64) + 0.5) * 2.0**-23
    bits = (high << np.uint64(20)) | (low >> np.uint64(12))
    return (bits.astype(np.float64) + 0.5) * 2.0**-52
