"""Libraries whose states and parameters are kept in few bits."""

import subprocess

import ml_dtypes
import numpy as np
import pytest

from optdsl.codegen import compile_system
from optdsl.codegen.library.objects import c_compiler
from optdsl.language import parse
from optdsl.library import load_rule, lookup_in
from optdsl.model import build
from optdsl.model.storing import with_storage
from optdsl.runtime import ParameterTypeError, from_layout
from tests.codegen.calling import Built, Caller
from tests.sampling import sampled

pytestmark = pytest.mark.skipif(c_compiler() is None, reason="no C compiler")

BLOCKS, BFLOAT16 = "int8 blockwise(256)", ml_dtypes.bfloat16
SHAPES = ((3, 5), (), (0,), (9001,))
STORED = {
    "16 bits": {"m": "bfloat16", "v": "float16"},
    "blocks of two sizes": {"m": BLOCKS, "v": "int8 blockwise(64) stochastic"},
    "by chance": {"m": "float16 stochastic", "v": "bfloat16 stochastic"},
    "compensated": {"theta": "bfloat16 compensated", "v": "bfloat16"},
    "parameters by chance": {"theta": "bfloat16 stochastic", "v": "bfloat16"},
}


def start(dtype):
    random = np.random.default_rng(1)
    return [random.normal(size=shape).astype(dtype) for shape in SHAPES]


def gradients(thetas, dtype):
    """Return gradients of every size."""
    wide = [np.sin(3 * x.astype(float)) * np.exp2(-(np.arange(x.size) % 25)).reshape(x.shape)
            for x in thetas]  # fmt: skip
    return [each.astype(dtype) for each in wide]


def trained(cls, dtype):
    """Return parameters, and the states of the largest, after steps from Python."""
    thetas = start(dtype)
    opt = cls(thetas)
    for _ in range(4):
        opt.step(gradients(thetas, dtype))
    kept = opt.state_dict()["entries"]
    return [*thetas, kept["m"]["3"], kept["v"]["3"]]


def called(built, dtype):
    """Return the same from C."""
    thetas = start(dtype)
    caller = Caller(built, thetas, dtype)
    for _ in range(4):
        caller.step(gradients(thetas, dtype))
    return [*thetas, *(caller.arrays[3][name] for name in ("m", "v"))]


def same_bits(ours, theirs):
    for x, y in zip(ours, theirs, strict=True):
        assert x.dtype == y.dtype
        assert x.tobytes() == y.tobytes()


@pytest.mark.parametrize("name", sampled(STORED, {"16 bits", "compensated"}))
def test_bits_are_those_of_numba_cpu_from_python_and_from_c(name, tmp_path):
    storage = STORED[name]
    rule = with_storage(load_rule("Adam"), storage)
    built = Built(rule, tmp_path)
    if built.function("instructions")() == 0:
        pytest.skip("without fused products the baseline rounds otherwise")
    want = from_layout(compile_system(rule, "numba-cpu"))
    dtype = BFLOAT16 if "theta" in storage else np.float32
    kept = trained(want, dtype)
    same_bits(trained(built.module().Adam, dtype), kept)
    same_bits(called(built, dtype), kept)


def test_every_level_rounds_alike(tmp_path):
    file = parse(
        "optimizer Keep\n  state a : float16\n  state b : bfloat16\n  a[0] = 0\n  b[0] = 0\n"
        "  a[t] = g[t]\n  b[t] = g[t]\n  theta[t] = theta[t-1] - a[t-1] - b[t-1]\n"
    )
    built = Built(build(file.definitions[0], lookup_in(file)), tmp_path)
    numbers = np.concatenate([
        np.exp2(np.linspace(-30, 17, 3001)), -np.exp2(np.linspace(-24, 15, 500)), [0, -0.0, np.inf],
    ]).astype(np.float32)  # fmt: skip
    best = built.function("instructions")()
    for level in range(best + 1):
        assert built.function("use_instructions")(level) == 0
        caller = Caller(built, [np.zeros_like(numbers)], np.float32)
        caller.step([numbers])
        with np.errstate(over="ignore"):
            want = numbers.astype(np.float16)
        np.testing.assert_array_equal(caller.arrays[0]["a"], want)
        np.testing.assert_array_equal(caller.arrays[0]["b"], numbers.astype(BFLOAT16))


def test_a_library_for_float_refuses_bfloat16(tmp_path):
    module = Built("SGD", tmp_path).module()
    with pytest.raises(ParameterTypeError, match="compile it with --storage theta=bfloat16"):
        module.SGD([np.ones(3, BFLOAT16)])


def test_the_header_tells_types_and_sizes(tmp_path):
    rule = with_storage(load_rule("Adam"), {"theta": "bfloat16 compensated", "v": BLOCKS})
    header = Built(rule, tmp_path, "adam").library.header
    assert "uint8_t *v" in header
    assert "(size + 255)/256*260 bytes" in header
    assert "uint16_t *lost;" in header
    assert "adam_step_bf16(" in header
    assert "_f32" not in header
    options = ["-x", "c", "-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-"]
    subprocess.run([c_compiler(), *options], input=header, text=True, check=True)
