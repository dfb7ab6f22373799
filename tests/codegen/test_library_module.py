"""The Python module of a library: the usual class, without any compiler in the process."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest

from optdsl.codegen import compile_system
from optdsl.codegen.library.objects import c_compiler
from optdsl.codegen.support import shared_library
from optdsl.codegen.support.shared_library import LEVELS, VARIABLE
from optdsl.runtime import from_layout
from tests.codegen.calling import Built, Caller

pytestmark = pytest.mark.skipif(c_compiler() is None, reason="no C compiler")

LAMB = "ClipByGlobalNorm(c=1) | LAMB"


@pytest.fixture(scope="module")
def adam(tmp_path_factory):
    return Built("Adam", tmp_path_factory.mktemp("adam"), "adam")


@pytest.fixture(scope="module")
def lamb(tmp_path_factory):
    return Built(LAMB, tmp_path_factory.mktemp("lamb"), "clipped_lamb")


def walk(rule, dtype, steps=7):
    random = np.random.default_rng(1)
    shapes = ((3, 5), (), (0,), (40_001,), (2, 3, 4))
    thetas = [random.normal(size=shape).astype(dtype) for shape in shapes]
    opt = rule(thetas, lr=0.01)
    for _ in range(steps):
        opt.step([np.cos(3 * x).astype(dtype) for x in thetas])
    return opt, thetas


def compiled(built):
    return from_layout(compile_system(built.rule, "numba-cpu"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_are_those_of_numba_cpu_bit_for_bit(adam, dtype):
    if adam.function("instructions")() == 0:
        pytest.skip("without fused products the baseline rounds otherwise")
    _, ours = walk(adam.module().Adam, dtype)
    _, theirs = walk(compiled(adam), dtype)
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_agree_but_for_their_order(lamb, dtype):
    _, ours = walk(lamb.module().ClipByGlobalNormLAMB, dtype)
    _, theirs = walk(compiled(lamb), dtype)
    near = 1e-6 if dtype is np.float32 else 1e-13
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x, y, rtol=near, atol=near)


@pytest.mark.slow  # C takes these steps in the quick tests
def test_values_a_row_and_a_column_agree(tmp_path):
    built = Built("Adafactor", tmp_path, "adafactor")
    _, ours = walk(built.module().Adafactor, np.float32)
    _, theirs = walk(compiled(built), np.float32)
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-6)


def test_the_number_of_threads_changes_nothing(lamb):
    before = numba.get_num_threads()
    found = []
    try:
        for threads in {1, numba.config.NUMBA_NUM_THREADS}:
            numba.set_num_threads(threads)
            found.append(walk(lamb.module().ClipByGlobalNormLAMB, np.float32)[1])
    finally:
        numba.set_num_threads(before)
    for other in found[1:]:
        for x, y in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_run_goes_on_from_one_target_to_the_other(adam, tmp_path):
    begun, thetas = walk(compiled(adam), np.float32)
    begun.save(tmp_path / "run.state")
    resumed = [x.copy() for x in thetas]
    opt = adam.module().Adam(resumed, lr=0.01)
    opt.load(tmp_path / "run.state")
    for some, arrays in ((begun, thetas), (opt, resumed)):
        some.step([np.sin(x).astype(np.float32) for x in arrays])
    for x, y in zip(thetas, resumed, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-7)


@pytest.mark.slow  # the quick tests compare draws with those of the reference
def test_draws_are_those_of_numba_cpu(tmp_path):
    built = Built("SGLD", tmp_path, "sgld")
    for dtype in (np.float32, np.float64):
        ours, theirs = (
            rule([np.zeros(5000, dtype), np.zeros(3, dtype)], epsilon=0.1, seed=2**40 + 3)
            for rule in (built.module().SGLD, compiled(built))
        )
        for opt in (ours, theirs):
            for _ in range(3):
                opt.step([np.ones(5000, dtype), np.ones(3, dtype)])
        for x, y in zip(ours.theta(), theirs.theta(), strict=True):
            near = 1e-6 if dtype is np.float32 else 1e-14
            np.testing.assert_allclose(x, y, rtol=near, atol=near)


def test_threads_of_a_caller_share_a_step_to_the_bit(lamb):
    ends = []
    for threads in (0, 1, 3):
        random = np.random.default_rng(0)
        shapes = ((0,), (300_001,), (7,), (0,), (5000,), (0,))
        thetas = [random.normal(size=shape).astype(np.float32) for shape in shapes]
        caller = Caller(lamb, thetas, np.float32)
        for _ in range(3):
            caller.step([np.cos(3 * x) for x in thetas], threads)
            assert threads == 0 or caller.used[-1] == 77.0, "it stays in its room"
        ends.append(thetas)
    for other in ends[1:]:
        for x, y in zip(ends[0], other, strict=True):
            np.testing.assert_array_equal(x, y)


def example(name, folder):
    """Compile an example beside the library that it is for."""
    path = Path(__file__).parents[2] / "examples" / f"{name}.c"
    options = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{folder}"]
    program = [c_compiler(), *options, str(path), "lamb.o", "-lm", "-lpthread", "-o", name]
    subprocess.run(program, cwd=folder, check=True)


def test_the_examples_in_c(tmp_path):
    built = Built("LAMB", tmp_path, "lamb")
    example("resume", tmp_path)
    told = subprocess.check_output(["./resume"], cwd=tmp_path, text=True)
    assert told.endswith("the run that went on is the same to the bit\n")
    example("threads", tmp_path)
    printed = {subprocess.check_output(["./threads", count], cwd=tmp_path) for count in "13"}
    assert len(printed) == 1
    w = [1 + np.arange(size) % 5 for size in (1_000_000, 3)]
    w = [each.astype(np.float32) for each in w]
    opt = built.module().LAMB(w, lr=0.05)
    for _ in range(20):
        opt.step([each.copy() for each in w])
    found = np.array(printed.pop().split(), float).reshape(3, 2).T
    np.testing.assert_allclose(found, [each[:3] for each in w], rtol=1e-4, atol=1e-5)


@pytest.mark.slow  # C takes the steps of each in the quick tests, and the module those of others
def test_choices_and_matrices_from_python(tmp_path):
    rule = "ClipByGlobalNorm(c=1) | (MuonWide if ndim == 2 else Momentum for 3 then SGD)"
    built = Built(rule, tmp_path)
    module = from_layout(built.module().LAYOUT)
    ends = []
    for made in (module, from_layout(compile_system(built.rule, "reference"))):
        random = np.random.default_rng(3)
        thetas = [random.normal(size=shape) for shape in ((6, 9), (9, 4), (5001,))]
        opt = made(thetas, lr=0.01)
        for _ in range(5):
            opt.step([np.cos(3 * x) for x in thetas])
        ends.append(thetas)
    for x, y in zip(*ends, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def test_runs_of_their_own_may_step_at_the_same_time(adam):
    def train(number):
        w = np.full(20_000, float(number), np.float32)
        caller = Caller(adam, [w], np.float32)
        for _ in range(40):
            caller.step([np.cos(w)])
        return w

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(train, range(4)))
    for number, found in enumerate(together):
        np.testing.assert_array_equal(found, train(number))


def test_the_example_of_the_page_is_c(adam):
    page = Path(__file__).parents[2] / "docs" / "library.md"
    example = re.search(r"```c\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[1]
    include, body = example.split("\n", 1)
    arrays = ", ".join(f"float *{name}" for name in re.findall(r"= ((?:\w+_)?[wb])\b", body))
    signature = f"void train(int64_t n, int64_t k, double rate_of_this_step, {arrays})"
    program = f"{include}\n{signature};\n{signature} {{\n{body}}}\n"
    command = [c_compiler(), "-I.", "-x", "c", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-"]
    subprocess.run(command, input=program, text=True, check=True, cwd=adam.folder)


# ------------------------------------------------------------- in a process

SCRIPT = """
import sys
import numpy as np
import adam
w = np.ones(3, np.float32)
adam.Adam([w], lr=0.5).step([w.copy()])
print(*w, adam.LIBRARY.instructions)
print(*{name.split(".")[0] for name in sys.modules})
"""


def ran(folder, **environment):
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_process_that_steps_imports_no_compiler(adam):
    done = ran(adam.folder)
    assert done.returncode == 0, done.stderr
    stepped, loaded = done.stdout.splitlines()
    assert [float(word) for word in stepped.split()[:3]] == pytest.approx([0.5] * 3, abs=1e-6)
    heavy = {"numba", "llvmlite", "sympy", "lark", "mpmath", "typer", "rich"}
    assert not heavy & set(loaded.split())


def test_the_instructions_can_be_forced_from_outside(adam):
    best = adam.function("instructions")()
    for number, name in enumerate(LEVELS):
        done = ran(adam.folder, **{VARIABLE: name})
        if number <= best:
            assert done.stdout.split()[3] == name
        else:
            assert f"{VARIABLE} is {name}, which this processor or library lacks" in done.stderr
    done = ran(adam.folder, **{VARIABLE: "sse9"})
    assert f"{VARIABLE} is 'sse9': set it to baseline, avx2, avx512" in done.stderr


def test_a_library_that_is_missing_or_of_another_is_told(adam, lamb, tmp_path):
    shutil.copy(adam.folder / "adam.py", tmp_path)
    done = ran(tmp_path)
    assert "libadam.so is missing" in done.stderr
    assert "run: cc -shared" in done.stderr
    shutil.copy(lamb.path, tmp_path / adam.library.shared_name)
    done = ran(tmp_path)
    assert "does not belong to" in done.stderr


def test_a_library_whose_helpers_are_of_another_version_is_told(adam, monkeypatch):
    monkeypatch.setattr(shared_library, "VERSION", 0)
    text = (adam.folder / "adam.py").read_text()
    fingerprint = re.search(r"'([0-9a-f]{16})'\)", text)[1]
    with pytest.raises(ImportError, match="or to this version of optdsl: compile both again"):
        shared_library.SharedLibrary(str(adam.folder / "adam.py"), "adam", fingerprint)
