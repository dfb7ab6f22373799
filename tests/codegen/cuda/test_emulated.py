"""Kernels for CUDA, run on the CPU: whole rules against their equations, and against the CPU."""

import ml_dtypes
import numpy as np
import pytest

from optdsl.codegen import compile_system, emit
from optdsl.codegen.support import kernels
from optdsl.library import load_rule, load_system
from optdsl.runtime import layout as stages
from tests.codegen.cuda.launching import EmulatedDriver
from tests.codegen.driving import Driver
from tests.codegen.interpreting import Interpreter
from tests.codegen.test_rules import compare, in_time, start, wavy
from tests.program.systems import system

TARGET = "numba-cuda"
slow = pytest.mark.slow


@pytest.mark.parametrize("name", ["adam", "nesterov", "lamb", "guarded", "cooling", "accumulate"])
def test_modules_read_well(name, golden, golden_folder, monkeypatch):
    monkeypatch.setattr("optdsl.codegen.versions.compiler_version", lambda: "VERSION")
    folder = golden_folder / TARGET
    folder.mkdir(exist_ok=True)
    golden(emit(system(name), TARGET), folder / f"{name}.py")


@pytest.mark.parametrize(
    "name", ["lamb", *(pytest.param(each, marks=slow) for each in ("nesterov", "clipped", "rprop"))]
)
def test_a_rule_does_what_its_equations_say(name):
    of = system(name)
    driver = EmulatedDriver(compile_system(of, TARGET), start(np.float32), in_time)
    oracle = Interpreter(of, start(np.float32), in_time)
    for _ in range(4):
        driver.step(wavy)
        oracle.step(wavy)
    compare(driver, oracle, np.float32)


@pytest.fixture
def plain_cpu(monkeypatch, tmp_path):
    """Compile for the CPU without contraction: every product is rounded."""
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path))
    monkeypatch.setitem(kernels.FLAGS, "fastmath", False)
    return lambda of: compile_system(of, "numba-cpu")


def arrays(dtype, lengths, shift, seed=3):
    """Return arrays of these lengths that begin `shift` entries behind a border of 16 bytes."""
    random = np.random.default_rng(seed)
    found = []
    for length in lengths:
        room = np.zeros(length + 16, dtype)
        skipped = -room.ctypes.data % 16 // room.itemsize + shift
        found.append(room[skipped : skipped + length])
        found[-1][:] = random.normal(size=length)
    return found


def steps(name, dtype, lengths, shift, plain_cpu, count=3):
    """Take some steps of a shipped rule on the CPU, and with kernels for CUDA; return both."""
    of = load_rule(name)
    device = compile_system(of, TARGET)
    drivers = []
    for kind, layout in ((Driver, plain_cpu(of)), (EmulatedDriver, device)):
        asked = [slot.local_name for slot in layout.hyperparameters if slot.default is None]
        given = dict.fromkeys(asked, 0.5)
        driver = kind(layout, arrays(dtype, lengths, shift), lambda t, given=given: given)
        for t in range(count):
            gradients = arrays(dtype, lengths, shift, 9 + t)
            driver.step(lambda name, points, made=gradients: made)
        drivers.append(driver)
    return drivers


LENGTHS = [*range(71), 2_051]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_parameters_of_16_bits_are_stepped_as_on_the_cpu(dtype, plain_cpu):
    same(*steps("AdamW", np.dtype(getattr(ml_dtypes, dtype, dtype)), LENGTHS, 3, plain_cpu))


NARROW = """
optimizer ByChance extends Adam
  state m : bfloat16 stochastic
  state v : float16

optimizer Compensated extends Adam
  state theta : bfloat16 compensated
"""


@pytest.mark.parametrize(("name", "dtype"), [("ByChance", "float32"), ("Compensated", "bfloat16")])
def test_states_of_16_bits_are_kept_as_on_the_cpu(name, dtype, plain_cpu, tmp_path):
    (tmp_path / "narrow.opt").write_text(NARROW, encoding="utf-8")
    path = f"{tmp_path / 'narrow.opt'}:{name}"
    same(*steps(path, np.dtype(getattr(ml_dtypes, dtype, dtype)), LENGTHS, 1, plain_cpu))


def same(host, device):
    """Compare everything, to the last bit where nothing was reduced: sums have their own order."""
    reduced = any(getattr(stage, "reductions", 0) for stage in host.layout.function)
    output = [host.layout.output] if host.layout.output else []
    for stream in ("theta", *output, *(state.name for state in host.of("entry"))):
        for one, other in zip(host.streams[stream], device.streams[stream], strict=True):
            if reduced:
                np.testing.assert_allclose(other, one, rtol=3e-7, atol=3e-7, err_msg=stream)
            else:
                np.testing.assert_array_equal(other, one, err_msg=stream)
    np.testing.assert_allclose(device.everything, host.everything, rtol=1e-6)


def test_what_runs_on_a_device_refuses_arrays_of_the_host():
    layout = compile_system(load_system("SGD"), TARGET)
    [run] = [stage for stage in layout.ready if isinstance(stage, stages.Pass)]
    with pytest.raises(RuntimeError, match="arrays of a CUDA device alone"):
        run.function(None)
