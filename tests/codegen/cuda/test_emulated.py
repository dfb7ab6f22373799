"""Kernels for CUDA, run on the CPU: whole rules against their equations, and against the CPU."""

import ml_dtypes
import numpy as np
import pytest

from optdsl.codegen import compile_system, emit
from optdsl.codegen.support import kernels
from optdsl.diagnostics import DiagnosticError
from optdsl.library import load_rule, load_system, shipped
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


def steps(name, dtype, lengths, shift, plain_cpu, count=3, mode="function"):
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
            driver.step(lambda name, points, made=gradients: made, mode)
        drivers.append(driver)
    return drivers


LENGTHS = [*range(71), 2_051]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("AdamW", "float32"), ("SGLD", "float32"), ("AdamW", "float64"),
     pytest.param("SGLD", "float64", marks=slow)],
)  # fmt: skip
def test_every_length_and_alignment_gives_the_numbers_of_the_cpu(name, dtype, plain_cpu):
    for shift in range(4):
        same(*steps(name, dtype, LENGTHS, shift, plain_cpu))


RULES = [name for name, each in shipped().items() if each.family != "schedule"]


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_every_rule_gives_the_numbers_of_the_cpu(name, plain_cpu):
    mode = "ready" if shipped()[name].family == "transform" else "function"
    try:
        same(*steps(name, "float32", LENGTHS, 1, plain_cpu, mode=mode))
    except DiagnosticError as error:
        if error.diagnostics[0].code != "not-on-cuda":
            raise
        pytest.skip(error.diagnostics[0].message)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["AdamW", "LAMB", "Prodigy", "SGLD"])
def test_long_tensors_give_the_numbers_of_the_cpu(name, plain_cpu):
    for shift in range(4):
        same(*steps(name, "float32", [1_000_003], shift, plain_cpu, 1))


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


def test_contraction_changes_two_units_in_the_last_place_at_most():
    """Units are those of the largest of what an equation adds up."""
    layout = compile_system(load_system("AdamW"), TARGET)
    plain, fused = (EmulatedDriver(layout, arrays(np.float32, LENGTHS, 0)) for _ in range(2))
    for t in range(2):
        for driver in (plain, fused):
            driver.step(lambda name, points, t=t: arrays(np.float32, LENGTHS, 0, 9 + t))
    before = {name: [x.copy() for x in plain.streams[name]] for name in ("theta", "m", "v")}
    fused.contract = True
    gradients = arrays(np.float32, LENGTHS, 0, 20)
    for driver in (plain, fused):
        driver.step(lambda name, points: gradients)
    changed = 0
    for name, olds in before.items():
        pairs = zip(plain.streams[name], fused.streams[name], olds, gradients, strict=True)
        for one, other, old, g in pairs:
            largest = np.maximum(np.maximum(abs(one), abs(old)), abs(g) if name == "m" else g * g)
            assert np.all(abs(one - other) <= 2 * np.spacing(largest))
            changed += np.count_nonzero(one != other)
    assert changed > 0


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
