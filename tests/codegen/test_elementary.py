"""Elementary functions in kernels: their errors, and what they make of special values."""

import itertools
from functools import cache

import mpmath
import numba
import numpy as np
import pytest

from optdsl.codegen.support import kernels

#: The largest error in units in the last place: of float32, of float64, as the docstring says.
BOUNDS = {
    "exp": (0.8, 0.6), "log": (0.9, 0.8), "cos": (0.51, 0.9), "sine": (1.9, 1.7),
    "power": (0.51, 0.7),
}  # fmt: skip
ONE_ARGUMENT = {"exp": np.exp, "log": np.log, "cos": np.cos, "sine": np.sin}
#: What a change of sign does.
PARITY = {"cos": 1, "sine": -1}
SPECIAL = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1 / 3, 1e16, 2.0**53 - 1, 1e308, -1e308,
    5e-324, -5e-324, 1e-40, 709.9, -745.2, 88.9, -104.1, np.inf, -np.inf, np.nan,
]  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@cache
def loop(name):
    function = getattr(kernels, name)
    compiled = numba.njit(error_model="numpy", fastmath={"contract"})

    if name == "power":

        @compiled
        def two(x, y, out):
            for i in range(x.size):
                out[i] = function(x[i], y[i])

        return two

    @compiled
    def one(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    return one


def computed(name, *arguments):
    out = np.empty_like(arguments[0])
    loop(name)(*arguments, out)
    return out


def largest_error(got, exact):
    """Return the largest distance from float64 values that count as exact, in float32 units."""
    expected = exact.astype(np.float32)
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    unit = np.spacing(np.abs(expected[~same])).astype(float)
    errors = np.abs(got[~same].astype(float) - exact[~same]) / unit
    return np.max(np.where(np.isnan(errors), np.inf, errors), initial=0.0)


def check_single(name, bits):
    x = bits.astype(np.uint32).view(np.float32)
    if name == "sine":
        x = x[np.abs(x) <= np.pi / 2]
    got = computed(name, x)
    assert largest_error(got, ONE_ARGUMENT[name](x.astype(float))) <= BOUNDS[name][0]
    if name in PARITY:
        assert np.array_equal(computed(name, -x), PARITY[name] * got, equal_nan=True)


@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_float32_numbers_from_everywhere(name):
    check_single(name, np.arange(0, 2**32, 2**12 + 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_one_float32_number_in_seven(name):
    """The bounds are those of every number, found by a step of one, which takes ten minutes."""
    for begin in range(0, 2**31 if name in PARITY else 2**32, 2**26):
        check_single(name, np.arange(begin, begin + 2**26, 7))


def test_float32_powers():
    random = np.random.default_rng(0)
    x = random.integers(0, 2**32, 10**6).astype(np.uint32).view(np.float32)
    y = (10 * random.normal(size=x.size)).astype(np.float32)
    y[::7], y[::11] = np.round(y[::7]), 1 / 3
    exact = x.astype(float) ** y.astype(float)
    assert largest_error(computed("power", x, y), exact) <= BOUNDS["power"][0]


def arguments(name, count=3000):
    random = np.random.default_rng(1)

    def between(low, high):
        return random.uniform(low, high, count)

    match name:
        case "exp":
            return [np.concatenate([between(-708, 709), between(-1, 1), 10 ** between(-20, 2)])]
        case "log":
            return [
                np.concatenate([10 ** between(-320, 308), between(0.5, 2), between(0.99, 1.01)])
            ]
        case "cos":
            near_zeros = (random.integers(0, 1000, count) + 0.5) * np.pi
            hardest = [6381956970095103 * 2.0**797]
            return [np.concatenate([10 ** between(-5, 308), between(-7, 7), near_zeros, hardest])]
        case "sine":
            return [between(-np.pi / 2, np.pi / 2)]
    x = np.concatenate([10 ** between(-300, 300), between(0.5, 2), between(0.99, 1.01)])
    y = np.concatenate([between(-1, 1), between(-900, 900), between(-6e4, 6e4)])
    return [x, y]


@pytest.mark.parametrize("name", BOUNDS)
def test_float64_numbers_beside_fifty_digits(name):
    exact = {"sine": mpmath.sin, "power": mpmath.power}.get(name) or getattr(mpmath, name)
    given = arguments(name)
    with mpmath.workdps(50):
        for got, *each in zip(computed(name, *given), *given, strict=True):
            expected = exact(*map(mpmath.mpf, each))
            if np.isfinite(got) and abs(expected) > np.finfo(float).tiny:
                unit = float(np.spacing(abs(float(expected))))
                assert abs(mpmath.mpf(float(got)) - expected) / unit <= BOUNDS[name][1], each
            else:
                np.testing.assert_allclose(got, float(expected), rtol=0, atol=5e-324)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["exp", "log", "cos", "power"])
def test_special_values(name, dtype):
    if name == "power":
        pairs = np.array(list(itertools.product(SPECIAL, SPECIAL)), dtype)
        x, y = (np.ascontiguousarray(column) for column in pairs.T)
        got, exact = computed(name, x, y), x.astype(float) ** y.astype(float)
    else:
        x = np.array(SPECIAL, dtype)
        got, exact = computed(name, x), ONE_ARGUMENT[name](x.astype(float))
    np.testing.assert_allclose(got, exact.astype(dtype), rtol=2 * np.finfo(dtype).eps, atol=0)
    defined = ~np.isnan(got)
    assert np.array_equal(np.signbit(got[defined]), np.signbit(exact[defined]))
