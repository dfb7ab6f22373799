"""One thread and two give the same bits: parameters, states and what is read back."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.numerics.judge import take
from tests.numerics.subjects import subject

#: Around the length of a chunk, and far from it.
SIZES = (0, 1, 3, 100, 4_095, 4_096, 4_097, 50_001)
UNUSUAL = (0.0, -0.0, 1e-40, -1e-30, 1e30, np.inf, -np.inf, np.nan)


@st.composite
def walks(draw):
    shapes = draw(st.lists(st.sampled_from(SIZES), min_size=1, max_size=6))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1e-20, 1e-3, 1.0, 1e4]))
    unusual = draw(st.lists(st.sampled_from(UNUSUAL), max_size=4))

    def tensors(size):
        arrays = [(size * random.normal(size=shape)).astype(dtype) for shape in shapes]
        for number in unusual:
            array = arrays[random.integers(len(arrays))]
            if array.size:
                array[random.integers(array.size)] = number
        return arrays

    gradients = [[tensors(scale), tensors(scale)] for _ in range(draw(st.integers(1, 3)))]
    return tensors(1.0), gradients


def walk(chosen, mode, start, gradients, threads):
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        arrays = [array.copy() for array in start]
        optimizer = chosen.compiled(arrays)
        names = [gradient.name for gradient in chosen.system.gradients]
        for each in gradients:
            take(optimizer, dict(zip(names, each, strict=False)), mode)
        stored = optimizer.state_dict()
        states = [a for entries in stored["entries"].values() for a in entries.values()]
        found = [*arrays, *optimizer.theta(), *states, stored["tensor"], stored["everything"]]
        return [array.tobytes() for array in found]
    finally:
        numba.set_num_threads(before)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
@settings(max_examples=3)
@given(case=walks())
def test_one_thread_and_two_give_the_same_bits(rule, case):
    chosen = subject(rule)
    for mode in chosen.modes:
        assert walk(chosen, mode, *case, 1) == walk(chosen, mode, *case, 2)
