"""The generator of random numbers, and the kernels that draw from it."""

import numba
import numpy as np
import pytest

from optdsl.codegen import compile_system
from optdsl.codegen.support import chunks, draws
from optdsl.language import parse
from optdsl.library import lookup_in
from optdsl.model import build
from optdsl.runtime import from_layout

TARGETS = ("reference", "numba-cpu")
COUNT = 40_000  # several chunks, the last of them short

#: kat_vectors of Random123, the authors' library: counter, key, result.
PUBLISHED = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip

WALK = """
optimizer Walk
  x ~ {first}
  theta[t] = theta[t-1] + x + 0*g[t]
"""


def system_of(text):
    file = parse(text)
    return build(file.definitions[-1], lookup_in(file))


def rule(text, target):
    return from_layout(compile_system(system_of(text), target))


def drawn(distribution, target, *, dtype="f8", sizes=(COUNT,), seed=0, steps=1):
    """Return the numbers of the last of some steps, one array a tensor."""
    arrays = [np.zeros(size, dtype) for size in sizes]
    optimizer = rule(WALK.format(first=distribution), target)(arrays, seed=seed)
    for _ in range(steps):
        for array in arrays:
            array[...] = 0
        optimizer.step([np.zeros_like(array) for array in arrays])
    return arrays


def word_list(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "result"), PUBLISHED)
def test_the_generator_gives_the_published_words(counter, key, result):
    arguments = [np.uint64(word) for word in word_list(counter) + word_list(key)]
    assert [int(word) for word in draws.philox(*arguments)] == word_list(result)


@pytest.mark.parametrize(("counter", "key", "result"), PUBLISHED)
def test_the_words_of_an_entry_are_those_of_its_counter(counter, key, result):
    from optdsl.codegen.support import kernel_draws

    c = word_list(counter)
    entry, code = c[0] + ((c[3] & 0xFFFF) << 32), c[3] >> 16
    low, high = word_list(key)
    place = (entry, c[2], float(c[1]), code, float(low), float(high))
    in_numpy = draws.words(1, *place)
    compiled = numba.njit(lambda *arguments: kernel_draws.words(*arguments))(0, *place)
    assert [int(word[0]) for word in in_numpy] == word_list(result)
    assert [int(word) for word in compiled] == word_list(result)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_uniform_numbers_are_the_same_on_every_target(dtype):
    here, there = (drawn("uniform(0, 1)", target, dtype=dtype)[0] for target in TARGETS)
    assert np.array_equal(here, there)
    assert 0 < here.min() < 1e-3
    assert 1 - 1e-3 < here.max() < 1


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_normal_numbers_agree_to_a_few_units_in_the_last_place(dtype):
    here, there = (drawn("normal(0, 1)", target, dtype=dtype)[0] for target in TARGETS)
    assert np.max(np.abs(here - there) / np.spacing(np.abs(here))) <= 4


@pytest.mark.parametrize("distribution", ["normal(0, 1)", "uniform(0, 1)"])
def test_neither_threads_nor_chunks_change_a_number(distribution, monkeypatch):
    def bits():
        arrays = drawn(distribution, "numba-cpu", sizes=(COUNT, 5, 2 * COUNT))
        return [array.tobytes() for array in arrays]

    before = numba.get_num_threads()
    found = []
    for threads in {1, min(2, before)}:
        numba.set_num_threads(threads)
        try:
            found.append(bits())
        finally:
            numba.set_num_threads(before)
    monkeypatch.setattr(chunks, "CHUNK", 1000)
    found.append(bits())
    assert all(each == found[0] for each in found)


@pytest.mark.parametrize("target", TARGETS)
def test_mean_deviation_and_bounds_are_as_written(target):
    normal, uniform = drawn("normal(3, 2)", target)[0], drawn("uniform(-1, 3)", target)[0]
    assert abs(normal.mean() - 3) < 5 * 2 / np.sqrt(COUNT)
    assert abs(normal.std() / 2 - 1) < 5 / np.sqrt(2 * COUNT)
    assert abs(uniform.mean() - 1) < 5 * 4 / np.sqrt(12 * COUNT)
    assert uniform.min() > -1
    assert uniform.max() < 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_million_numbers_have_the_moments_and_tails_of_their_distribution(dtype):
    like = np.zeros(10**6, dtype)
    z = draws.standard_normal(like, 0, 0, 1.0, 0, 0.0, 0.0)
    assert abs(z.mean()) < 4e-3
    assert abs(z.var() - 1) < 6e-3
    assert abs((z**3).mean()) < 0.015
    assert abs((z**4).mean() - 3) < 0.05
    for bound, share in ((1, 0.317311), (2, 0.045500), (3, 0.0026998), (4, 6.334e-5)):
        expected = share * z.size
        assert abs(np.count_nonzero(abs(z) > bound) - expected) < 5 * np.sqrt(expected)
    u = draws.standard_uniform(like, 0, 0, 1.0, 0, 0.0, 0.0)
    counts = np.bincount((u * 1000).astype(int), minlength=1000)
    chi_squared = np.sum((counts - 1000) ** 2) / 1000
    assert abs(chi_squared - 999) < 5 * np.sqrt(2 * 999)


def test_tensors_steps_draws_seeds_and_neighbours_are_independent():
    like = np.zeros(10**6)

    def normal(identity=0, step=1.0, number=0, low=0.0, high=0.0, begin=0):
        return draws.standard_normal(like, begin, identity, step, number, low, high)

    first = normal()
    others = [
        normal(identity=1), normal(step=2.0), normal(number=1), normal(low=1.0),
        normal(high=1.0), normal(begin=1),
    ]  # fmt: skip
    for other in others:
        for a, b in ((first, other), (first**2, other**2), (first**2, other)):
            assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(like.size)


def test_draws_of_one_rule_differ_from_one_another():
    text = """
optimizer Walk
  x ~ normal(0, 1)
  y ~ normal(0, 1)
  v ~ uniform(0, 1)
  w ~ uniform(0, 1)
  theta[t] = x if mod(t, 4) == 1 else y if mod(t, 4) == 2 else v if mod(t, 4) == 3 else w + 0*g[t]
"""
    array = np.zeros(1000)
    optimizer = rule(text, "numba-cpu")([array])
    seen = []
    for _ in range(4):
        optimizer.step([np.zeros(1000)])
        seen.append(array.copy())
    correlations = np.corrcoef(seen) - np.eye(4)
    assert np.max(np.abs(correlations)) < 0.15


def test_what_two_passes_read_is_the_same_number():
    text = """
optimizer Twice
  x ~ normal(0, 1)
  n = norm(x)
  theta[t] = x/n + 0*g[t]
"""
    for target in TARGETS:
        array = np.zeros(COUNT)
        rule(text, target)([array]).step([np.zeros(COUNT)])
        assert abs(np.linalg.norm(array) - 1) < 1e-12


def test_a_deviation_that_turns_negative_mirrors_and_an_unknown_one_stays_unknown():
    text = """
optimizer Any
  hyper s = 1 in (-inf, inf)
  x ~ normal(0, DEVIATION)
  theta[t] = x + 0*g[t]
"""

    def stepped(target, deviation, s):
        array = np.zeros(9)
        rule(text.replace("DEVIATION", deviation), target)([array], s=s).step([np.zeros(9)])
        return array

    for target in TARGETS:
        assert np.array_equal(stepped(target, "s", 2), -stepped(target, "s", -2))
        assert np.isnan(stepped(target, "sqrt(s)", -1)).all()


def test_drawing_does_not_stop_a_kernel_from_compiling_for_inspection():
    from optdsl.codegen.inspection import llvm_text

    layout = compile_system(system_of(WALK.format(first="uniform(0, 1)")), "numba-cpu")
    assert all(text for text in llvm_text(layout, "float32"))


def test_a_rule_without_draws_takes_no_seed():
    plain = rule("optimizer Plain\n  theta[t] = theta[t-1] - g[t]\n", "reference")
    with pytest.raises(ValueError, match="seed"):
        plain([np.zeros(1)], seed=1)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "a", True])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(ValueError, match="seed"):
        drawn("normal(0, 1)", "reference", seed=seed, sizes=(1,))


def test_every_bit_of_the_seed_counts():
    seeds = [0, 1, 2**32, 2**53 + 1, 2**53, 2**64 - 1]
    streams = {drawn("uniform(0, 1)", "numba-cpu", seed=s, sizes=(4,))[0].tobytes() for s in seeds}
    assert len(streams) == len(seeds)
