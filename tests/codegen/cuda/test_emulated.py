"""Kernels for CUDA, run on the CPU: whole rules against their equations, and against the CPU."""

import numpy as np
import pytest

from optdsl.codegen import compile_system, emit
from optdsl.codegen.support import kernels
from optdsl.library import load_system
from optdsl.runtime import layout as stages
from tests.codegen.cuda.launching import EmulatedDriver
from tests.codegen.driving import Driver
from tests.codegen.interpreting import Interpreter
from tests.codegen.test_rules import compare, in_time, start, wavy
from tests.program.systems import system

TARGET = "numba-cuda"


@pytest.mark.parametrize("name", ["adam", "nesterov", "lamb", "guarded", "cooling", "accumulate"])
def test_modules_read_well(name, golden, golden_folder, monkeypatch):
    monkeypatch.setattr("optdsl.codegen.versions.compiler_version", lambda: "VERSION")
    folder = golden_folder / TARGET
    folder.mkdir(exist_ok=True)
    golden(emit(system(name), TARGET), folder / f"{name}.py")


@pytest.mark.parametrize("name", ["nesterov", "lamb", "clipped", "rprop"])
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


def arrays(dtype, lengths, shift):
    """Return arrays of these lengths that begin `shift` entries behind a border of 16 bytes."""
    random = np.random.default_rng(3)
    found = []
    for length in lengths:
        room = np.zeros(length + 8, dtype)
        skipped = -(room.ctypes.data // room.itemsize) % 4 + shift
        found.append(room[skipped : skipped + length])
        found[-1][:] = random.normal(size=length)
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["AdamW"])
def test_every_length_and_alignment_gives_the_numbers_of_the_cpu(name, dtype, plain_cpu):
    of = load_system(name)
    host, device = plain_cpu(of), compile_system(of, TARGET)
    for shift in range(4):
        drivers = [
            kind(layout, arrays(dtype, [*range(71), 2_051], shift))
            for kind, layout in ((Driver, host), (EmulatedDriver, device))
        ]
        for _ in range(3):
            for driver in drivers:
                driver.step(wavy)
        same(*drivers)


def same(host, device):
    for stream in ("theta", *(state.name for state in host.of("entry"))):
        for one, other in zip(host.streams[stream], device.streams[stream], strict=True):
            np.testing.assert_array_equal(one, other, err_msg=stream)


def test_what_runs_on_a_device_refuses_arrays_of_the_host():
    layout = compile_system(load_system("SGD"), TARGET)
    [run] = [stage for stage in layout.ready if isinstance(stage, stages.Pass)]
    with pytest.raises(RuntimeError, match="arrays of a CUDA device alone"):
        run.function(None)
