"""Passes that go by rows, and stages of matrices, at every shape."""

import numpy as np
import pytest

from optdsl.codegen import compile_system
from optdsl.language import parse
from optdsl.model import build
from optdsl.runtime import from_layout

SHAPES = [
    (5, 7),
    (300, 70),
    (3, 4, 5),
    (11,),
    (),
    (70, 300),
    (1, 9000),
    (130, 5000),
    (0, 3),
    (3, 0),
]
NUMPY = {
    "sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min,
    "norm": lambda x, axis: np.sqrt(np.sum(x * x, axis=axis)),
    "rms": lambda x, axis: np.sqrt(np.mean(x * x, axis=axis)),
}  # fmt: skip


def compiled(body, target, family="transform T gives u"):
    (definition,) = parse(f"{family}\n{body}", "<test>").definitions
    return from_layout(compile_system(build(definition, lambda name: None), target))


def as_matrix(array):
    return array.reshape(len(array), -1) if array.ndim > 1 else array.reshape(1, -1)


@pytest.mark.parametrize("target", ["reference", "numba-cpu"])
@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("scope", "axis"), [("row", 1), ("column", 0)])
def test_reductions_are_those_of_numpy(scope, axis, dtype, target):
    kept = [
        f"  {name}s[0] = 0\n  {name}s[t] = 0*{name}s[t-1] + 0*g[t] + {name}(g[t], per {scope})"
        for name in NUMPY
    ]
    all_kept = " - ".join(f"{name}s[t]" for name in NUMPY)
    body = "\n".join([*kept, f"  theta[t] = theta[t-1] - {all_kept}"])
    random = np.random.default_rng(5)
    given = [np.asarray(random.standard_normal(shape), dtype) for shape in SHAPES]
    rule = compiled(body, target, "optimizer Rule")(
        [np.zeros(array.shape, dtype) for array in given]
    )
    rule.step([array.copy() for array in given])
    entries = rule.state_dict()["entries"]
    tolerance = 1e-13 if dtype is np.float64 else 1e-6
    for name, reduced in NUMPY.items():
        for number, array in enumerate(given):
            if array.size:
                matrix = as_matrix(array.astype(np.float64))
                wanted = np.expand_dims(reduced(matrix, axis), axis)
                wanted = np.broadcast_to(wanted, matrix.shape).reshape(array.shape)
                mine = entries[f"{name}s"][str(number)]
                np.testing.assert_allclose(mine, wanted, rtol=tolerance, atol=tolerance)


BODY = """
  R[0] = C[0] = 0
  B[0] = 0
  xi ~ normal(0, 1)
  R[t] = 0.9*R[t-1] + mean(g[t]^2, per row)
  C[t] = 0.9*C[t-1] + mean(g[t]^2, per column)
  B[t] = 0.5*B[t-1] + (g[t] + xi) @ g[t].T @ g[t]
  theta[t] = theta[t-1] - 0.1*B[t]/sqrt(1 + R[t]*C[t]) - 0.1*xi*norm(g[t], all)
"""


def steps(target, threads, dtype=np.float64):
    import numba

    random = np.random.default_rng(6)
    shapes = [(40, 30), (7,), (3, 4, 5), (200, 300)]
    arrays = [random.standard_normal(shape).astype(dtype) for shape in shapes]
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        optimizer = compiled(BODY, target, "optimizer Rule")(arrays, seed=3)
        for _ in range(3):
            gradients = [0.1 * random.standard_normal(shape).astype(dtype) for shape in shapes]
            optimizer.step([each.astype(dtype) for each in gradients])
    finally:
        numba.set_num_threads(before)
    return arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_threads_give_the_bits_of_one(dtype):
    import numba

    one = steps("numba-cpu", 1, dtype)
    two = steps("numba-cpu", min(2, numba.config.NUMBA_NUM_THREADS), dtype)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_draws_before_a_product_are_those_of_the_reference():
    for mine, theirs in zip(steps("numba-cpu", 1), steps("reference", 1), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("target", ["reference", "numba-cpu"])
def test_a_run_goes_on_from_a_checkpoint_as_if_unbroken(target, tmp_path):
    kind = compiled(BODY, target, "optimizer Rule")
    random = np.random.default_rng(7)
    shapes = [(4, 3), (7,), (2, 3, 2)]
    gradients = [[random.standard_normal(shape) for shape in shapes] for _ in range(6)]
    whole = [np.ones(shape) for shape in shapes]
    unbroken = kind(whole, seed=3)
    for each in gradients:
        unbroken.step([g.copy() for g in each])
    halves = [np.ones(shape) for shape in shapes]
    first = kind(halves, seed=3)
    for each in gradients[:3]:
        first.step([g.copy() for g in each])
    first.save(tmp_path / "state")
    second = kind(halves, seed=4)
    second.load(tmp_path / "state")
    for each in gradients[3:]:
        second.step([g.copy() for g in each])
    assert all(np.array_equal(a, b) for a, b in zip(whole, halves, strict=True))
