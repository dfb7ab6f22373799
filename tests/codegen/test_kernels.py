"""What the parallel kernels promise: the same bits on any number of threads, and full vectors."""

import re
from functools import cache

import numba
import numpy as np
import pytest

from optdsl.codegen import assembly, compile_system
from optdsl.codegen.inspection import is_vectorized, llvm_text, runs_on_vectors
from optdsl.language import parse
from optdsl.library import load_rule, load_system, lookup_in, shipped
from optdsl.model import build
from tests.codegen.driving import Driver
from tests.codegen.test_rules import wavy
from tests.program.systems import NAMES, system

OPTIMIZERS = [
    "SGD", "Momentum", "Nesterov", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW",
]  # fmt: skip


def after(name, threads, dtype, make):
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        driver = Driver(compile_system(system(name)), make())
        for _ in range(3):
            driver.step(wavy)
    finally:
        numba.set_num_threads(before)
    return [x.copy() for state in ("theta", *driver.streams) for x in driver.streams[state]]


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
@pytest.mark.parametrize(
    ("name", "dtype"), [("adam", np.float64), ("lamb", np.float32), ("clipped", np.float32)]
)
def test_one_thread_and_two_give_the_same_bits(name, dtype):
    def make():
        random = np.random.default_rng(3)
        sizes = [100_003, 5, 0, 4_096, 4_097, 40_000]
        return [random.normal(size=size).astype(dtype) for size in sizes]

    for one, two in zip(after(name, 1, dtype, make), after(name, 2, dtype, make), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_an_array_begins_does_not_matter(dtype):
    values = np.random.default_rng(4).normal(size=20_001).astype(dtype)

    def make(shift):
        room = np.zeros(values.size + 16, dtype)
        view = room[shift : shift + values.size]
        view[...] = values
        return [view]

    aligned = after("lamb", 1, dtype, lambda: make(0))
    for shift in (1, 3, 7):
        for a, b in zip(aligned, after("lamb", 1, dtype, lambda s=shift: make(s)), strict=True):
            np.testing.assert_array_equal(a, b)


@cache
def loops(name, dtype="float32"):
    of = system(name) if name in NAMES else load_rule(name)
    return llvm_text(compile_system(of), dtype)


#: With powers, random numbers and logarithms; choices; two passes.
TELLING = ["PowerSign", "MADGRAD", "SGLD", "Rprop", "ClipByGlobalNorm"]
OTHERS = [
    name for name, item in shipped().items()
    if item.family != "schedule" and name not in (*OPTIMIZERS, *TELLING)
]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [*OPTIMIZERS, *TELLING, "lamb", "clipped", "sgd_power"]
    + [pytest.param(name, marks=pytest.mark.slow) for name in OTHERS],
)
def test_loops_are_vectorized_and_call_nothing(name):
    assert all(runs_on_vectors(text) for text in loops(name))


@pytest.mark.parametrize("name", ["Adam", *TELLING])
def test_loops_are_vectorized_in_float64_too(name):
    assert all(runs_on_vectors(text) for text in loops(name, "float64"))


def test_a_loop_with_a_remainder_is_known_not_to_be_vectorized():
    file = parse("optimizer Rest\n  theta[t] = theta[t-1] - mod(g[t], 3)\n")
    rule = build(file.definitions[-1], lookup_in(file))
    assert not is_vectorized(compile_system(rule), "float32")


@pytest.mark.parametrize("name", [*OPTIMIZERS, "rprop"])
def test_float32_loops_never_compute_in_float64(name):
    for text in loops(name):
        arithmetic = re.findall(r"= f(?:add|sub|mul|div|neg|cmp)\b[^\n]*", text)
        assert arithmetic
        assert not [line for line in arithmetic if "double" in line]
        assert "fpext" not in text


def test_assembly_is_shown():
    assert "sqrtps" in assembly(load_system("Adam"), "float32")
    assert "sqrtpd" in assembly(load_system("Adam"), "float64")


def test_other_dtypes_are_refused():
    driver = Driver(compile_system(system("sgd")), [np.zeros(3, np.int32)])
    with pytest.raises(TypeError, match="int32"):
        driver.step(lambda name, points: points)
