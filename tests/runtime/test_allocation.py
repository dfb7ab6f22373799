"""A step makes no arrays of the size of its parameters."""

import tracemalloc

import numpy as np
import pytest

import optdsl

MEBIBYTE = 2**20


@pytest.mark.parametrize("rule", ["Adam", "ClipByGlobalNorm(c=1) | Adam", "LAMB", "SGLD"])
@pytest.mark.parametrize("sizes", [[1_000_000], [1000] * 1000])
def test_a_step_allocates_less_than_a_mebibyte(rule, sizes):
    random = np.random.default_rng(0)
    parameters, first, other = (
        [random.standard_normal(size, np.float32) for size in sizes] for _ in range(3)
    )
    optimizer = optdsl.load(rule)(parameters)
    for gradients in (first, first, other):  # states, and tables of addresses, are made here
        optimizer.step(gradients)
    tracemalloc.start()
    try:
        for gradients in (other, first):  # the same addresses, then others
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            optimizer.step(gradients)
            assert tracemalloc.get_traced_memory()[1] - before < MEBIBYTE
    finally:
        tracemalloc.stop()
