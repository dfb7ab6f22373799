"""Rules of whole matrices as C steps them: products, powers, and what is reduced of them."""

import ctypes

import llvmlite.ir as ir
import numpy as np
import pytest
from llvmlite import binding

from optdsl.codegen import compile_system
from optdsl.codegen.library.dispatch import levels
from optdsl.codegen.library.matrices.eigen import eigen_function
from optdsl.codegen.library.objects import c_compiler, host_triple
from optdsl.codegen.support.registers import this_machine
from optdsl.language import parse
from optdsl.model import build
from optdsl.runtime import from_layout
from tests.codegen.calling import Built, Caller

pytestmark = pytest.mark.skipif(c_compiler() is None, reason="no C compiler")

#: Every operation on matrices, of values of every shape.
EVERYTHING = """optimizer Everything
  hyper eta = 0.1 in [0, inf)
  L[0] = 0.1*eye(rows)
  C[0] = eye(columns) + eta
  R[0] = B[0] = 0
  xi ~ normal(0, 1)
  L[t] = 0.5*L[t-1] + g[t] @ g[t].T
  C[t] = 0.5*C[t-1] + (g[t].T @ g[t] if t > 1 else 0*C[t-1])
  R[t] = 0.9*R[t-1] + rms(L[t] @ g[t], per row)
  K = max((g[t] @ C[t])^2 + eta, per column)
  B[t] = 0.5*B[t-1] + (g[t] + 0.1*xi).T.T @ (C[t]*(1 + t))
  P = matpow(L[t], -1/4) @ B[t] @ matpow(C[t] + eye(columns), -1/2)
  s = norm(P + 3*P) + dot(L[t] @ g[t], g[t]) + (1 if any(P > 0) else 0)
  theta[t] = theta[t-1] - eta*P/(1 + s)/(1 + sqrt(R[t]))/K - 0.01*(g[t].T @ L[t]).T/(1 + s)
"""
SHAPES = ((3, 5), (7,), (20, 2, 5), (1, 1), (0, 3), (100, 33), (5, 260))


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    (definition,) = parse(EVERYTHING, "<test>").definitions
    rule = build(definition, lambda name: None)
    return Built(rule, tmp_path_factory.mktemp("everything"), "everything")


@pytest.fixture(scope="module")
def reference(everything):
    return from_layout(compile_system(everything.rule, "reference"))


def beginning(dtype, shapes=SHAPES):
    random = np.random.default_rng(1)
    return [random.normal(size=shape).astype(dtype) for shape in shapes]


def stepped(built, dtype, threads, gradients=lambda thetas: [np.cos(3 * x) for x in thetas]):
    thetas = beginning(dtype)
    caller = Caller(built, thetas, dtype, seed=3)
    for _ in range(3):
        caller.step(gradients(thetas), threads)
        assert caller.used[-1] == 77.0, "it stays in its room"
    return thetas, caller


@pytest.mark.parametrize(("dtype", "near"), [(np.float64, 1e-9), (np.float32, 1e-4)])
def test_matrices_are_those_of_the_reference(everything, reference, dtype, near):
    ours, caller = stepped(everything, dtype, 0)
    theirs = beginning(dtype)
    opt = reference(theirs, seed=3)
    for _ in range(3):
        opt.step([np.cos(3 * x) for x in theirs])
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x, y, rtol=near, atol=near)
    for matrix in caller.stream("L"):
        square = matrix.reshape([int(np.sqrt(matrix.size))] * 2)
        np.testing.assert_array_equal(square, square.T, "the sums of a product have one order")


def test_threads_change_no_bit_of_a_matrix(everything):
    for x, y in zip(*(stepped(everything, np.float32, n)[0] for n in (0, 3)), strict=True):
        np.testing.assert_array_equal(x, y)


def test_levels_multiply_alike(everything):
    use, best = everything.function("use_instructions"), everything.function("instructions")()
    found = []
    try:
        for level in range(best + 1):
            assert use(level) == 0
            found.append(stepped(everything, np.float64, 0)[0])
    finally:
        use(best)
    for other in found[1:]:
        for x, y in zip(found[0], other, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


def test_what_is_not_finite_has_no_power(everything):
    thetas, _ = stepped(everything, np.float64, 0, lambda thetas: [np.inf * x for x in thetas])
    assert all(np.isnan(x).all() for x in thetas)


# --------------------------------------------------------------- eigenvalues


@pytest.fixture(scope="module")
def eigen():
    """Return what gives the eigenvalues and eigenvectors of a matrix, compiled for this machine."""
    module = ir.Module("eigen")
    module.triple = host_triple()
    made = eigen_function(module, levels(this_machine())[0])
    made.linkage = ""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(opt=1)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(str(module)), machine)
    engine.finalize_object()
    address = ctypes.c_void_p
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int64, *[address] * 5)
    function = kind(engine.get_function_address(made.name))

    def of(matrix):
        n = len(matrix)
        arrays = [matrix.copy(), np.zeros((n, n)), *(np.zeros(n) for _ in range(3))]
        assert function(n, *(each.ctypes.data for each in arrays)) == 0
        return arrays[2], arrays[1]

    yield of
    engine.close()


def matrices():
    """Yield symmetric matrices of every difficulty: graded, of low rank, diagonal, torn in two."""
    random = np.random.default_rng(0)
    yield from (np.zeros((4, 4)), np.eye(30) * 1e-4, np.diag([3.0, -1.0, 0.0, 1e-30]))
    for n in (1, 2, 3, 25, 60):
        vectors = np.linalg.qr(random.normal(size=(n, n)))[0]
        values = 10.0 ** random.uniform(-20, 3, size=n) * (random.random(n) < 0.7)
        for each in (values, np.sort(values), -values[::-1]):
            matrix = (vectors * each) @ vectors.T
            yield (matrix + matrix.T) / 2
    some = random.normal(size=(12, 60))
    yield 1e-4 * np.eye(60) + some.T @ some
    for weights in ((1.0, 1e-9), (1e-9, 1.0)):
        torn = np.zeros((60, 60))
        for number, weight in enumerate(weights):
            part = random.normal(size=(30, 10))
            at = slice(30 * number, 30 * number + 30)
            torn[at, at] = weight * (part @ part.T)
        yield torn


def test_eigenvalues_are_those_of_lapack(eigen):
    for matrix in matrices():
        values, vectors = eigen(matrix)
        size = max(np.abs(matrix).max(), 1e-300)
        np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(matrix), atol=1e-13 * size)
        np.testing.assert_allclose(vectors @ vectors.T, np.eye(len(matrix)), atol=1e-13)
        np.testing.assert_allclose((vectors.T * values) @ vectors, matrix, atol=1e-13 * size)


# -------------------------------------------------------------------- shipped


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Shampoo", "MuonWithAdamW"])
def test_c_steps_the_shipped_rules_of_matrices(name, tmp_path):
    built = Built(name, tmp_path)
    shapes = ((6, 9), (9, 4), (1, 7), (64, 30), (33, 120), (5,))
    which = [0, 1, 0, 1, 0, 2] if name == "MuonWithAdamW" else None
    module = from_layout(built.module().LAYOUT)  # it multiplies by NumPy, as numba-cpu does
    for dtype, near in ((np.float64, 1e-9), (np.float32, 2e-5)):
        ours, theirs = beginning(dtype, shapes), beginning(dtype, shapes)
        caller = Caller(built, ours, dtype, which=which)
        opt = module(theirs)
        for step in range(4):
            caller.step([np.cos(3 * x) for x in ours], threads=2 * (step % 2))
            opt.step([np.cos(3 * x) for x in theirs])
        for x, y in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(x, y, rtol=near, atol=near)
