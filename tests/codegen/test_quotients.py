"""Quotients by a number that all entries share are those of a division."""

import numpy as np
import pytest

import optdsl

RULE = """\
optimizer Quotient
    hyper c = 1
    hyper k = 1
    d = c*k
    theta[t] = g[t]/d
"""


def divisors(dtype):
    info = np.finfo(dtype)
    some = [1.0, -3.0, 0.1, 0.999, 1 - 0.999**7, 1e-8, 7e5, np.pi, 1 - info.epsneg]
    edges = [info.tiny, info.max, info.max / 3, 0.0]
    return [dtype(each) for each in (*some, *edges)]


def dividends(dtype):
    info, random = np.finfo(dtype), np.random.default_rng(0)
    scales = 2.0 ** random.integers(info.minexp + 1, info.maxexp - 1, 4000)
    ordinary = random.uniform(-2, 2, 4000) * scales
    near = np.nextafter(dtype(1), dtype(2)) ** np.arange(200)
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, info.max, -info.max, info.tiny, 1.0]
    return np.concatenate([ordinary, near, edges]).astype(dtype)


def flushed(x):
    """Return numbers of which those below the least normal one count as zero."""
    return np.where(abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_they_are_rounded_to_nearest(dtype, tmp_path):
    path = tmp_path / "quotient.opt"
    path.write_text(RULE)
    quotient = optdsl.load(path)
    info, x = np.finfo(dtype), dividends(dtype)
    products = [*((float(c), 1.0) for c in divisors(dtype)), (1e300, 1e300), (-1e300, 1e300)]
    for c, k in products:
        optimizer = quotient([np.zeros_like(x)], c=c, k=k)
        optimizer.step([x])
        (got,) = optimizer.theta()
        with np.errstate(all="ignore"):
            want = flushed(flushed(x) / dtype(c * k))
            least = info.tiny * 2.0 ** (info.nmant + 3)
            sure = ~((abs(x) < least) | (abs(want) < least))
        same = got.view(f"i{got.itemsize}") == want.view(f"i{got.itemsize}")
        same |= np.isnan(got) & np.isnan(want)
        assert same[sure].all(), (c, x[sure & ~same], got[sure & ~same])
        other = ~sure & ~same
        close = abs(got[other] - want[other]) <= np.spacing(abs(want[other]))
        assert close.all(), c
