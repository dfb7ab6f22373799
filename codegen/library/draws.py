"""Random numbers in LLVM code, from the counters of `support/draws.py`: the same numbers."""

from __future__ import annotations

import math
from typing import Any

import llvmlite.ir as ir

from optdsl.codegen.support.arithmetic import intrinsic_call
from optdsl.codegen.support.elementary import log_of, sine_of
from optdsl.codegen.support.emitting import DOUBLE, FLOAT, WORD, word

_FIRST, _SECOND = 0xD2511F53, 0xCD9E8D57
_ONLY = 0xD256D193
_BUMPS = 0x9E3779B9, 0xBB67AE85
_LOW = 0xFFFFFFFF
_CONTRACT = ("contract",)


def philox(builder: Any, counter: list[Any], key: list[Any]) -> list[Any]:
    """Return the four words of Philox4x32-10 for a counter and a key, each below 2^32."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for turn in range(10):
        if turn:
            k0, k1 = (
                builder.and_(builder.add(k, word(bump)), word(_LOW))
                for k, bump in zip((k0, k1), _BUMPS, strict=True)
            )
        first, second = builder.mul(word(_FIRST), c0), builder.mul(word(_SECOND), c2)
        c0, c1, c2, c3 = (
            builder.xor(builder.xor(builder.lshr(second, word(32)), c1), k0),
            builder.and_(second, word(_LOW)),
            builder.xor(builder.xor(builder.lshr(first, word(32)), c3), k1),
            builder.and_(first, word(_LOW)),
        )
    return [c0, c1, c2, c3]


def rounding_word(builder: Any, key: list[Any], entry: Any, which: int) -> Any:
    """Return one of the two words of Philox2x32-7 of an entry: noise to round it by chance."""
    both = builder.and_(entry, word(_LOW)), builder.xor(builder.lshr(entry, word(32)), key[1])
    for turn in range(7):
        bumped = builder.add(key[0], word(turn * _BUMPS[0]))
        product = builder.mul(word(_ONLY), both[0])
        mixed = builder.xor(builder.lshr(product, word(32)), both[1])
        both = (
            builder.xor(mixed, builder.and_(bumped, word(_LOW))),
            builder.and_(product, word(_LOW)),
        )
    return both[which]


def standard(builder: Any, real: Any, kind: str, number: int, at: dict[str, Any]) -> Any:
    """Return a number of mean 0 and deviation 1 ("normal"), or in (0, 1) ("uniform").

    `at` says which: `entry`, `identity` and the seed's `low` and `high` are words, `step` too.
    """
    code = 2 * number + (kind == "uniform")
    last = builder.or_(builder.lshr(at["entry"], word(32)), word(code << 16))
    low = (builder.and_(at[name], word(_LOW)) for name in ("entry", "step", "identity"))
    words = philox(builder, [*low, last], [at["low"], at["high"]])
    if kind == "uniform":
        return _fraction(builder, real, words[:2])
    pairs = (words[:1], words[1:2]) if real == FLOAT else (words[:2], words[2:])
    first, second = (_fraction(builder, real, pair) for pair in pairs)
    off = builder.fsub(second, _number(real, 0.5), flags=_CONTRACT)
    turn = builder.fsub(intrinsic_call(builder, "fabs", off), _number(real, 0.25), flags=_CONTRACT)
    angle = builder.fmul(_number(real, 2.0 * math.pi), turn, flags=_CONTRACT)
    power = builder.fmul(_number(real, -2.0), log_of(builder, first), flags=_CONTRACT)
    size = intrinsic_call(builder, "sqrt", power)
    return builder.fmul(size, sine_of(builder, angle), flags=_CONTRACT)


def _fraction(builder: Any, real: Any, words: list[Any]) -> Any:
    """Return (k + 1/2)/2^n, where k is made of the top bits."""
    if real == FLOAT:
        whole, places = builder.lshr(words[0], word(9)), 23
    else:
        assert real == DOUBLE
        high = builder.shl(words[0], word(20))
        whole, places = builder.or_(high, builder.lshr(words[1], word(12))), 52
    assert whole.type == WORD
    shifted = builder.fadd(builder.sitofp(whole, real), _number(real, 0.5), flags=_CONTRACT)
    return builder.fmul(shifted, _number(real, 2.0**-places), flags=_CONTRACT)


def _number(real: Any, value: float) -> Any:
    return ir.Constant(real, value)
