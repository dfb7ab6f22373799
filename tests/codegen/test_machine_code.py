"""The machine code of kernels on disk: run without Numba, never stale, never damaged."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from llvmlite import binding

from optdsl.codegen import compile_system, emit
from optdsl.codegen.inspection import kernels
from optdsl.codegen.support import compiling, machine_code
from optdsl.codegen.support.compiling import compile_kernel
from optdsl.codegen.support.words import Word, kernel
from optdsl.language import parse
from optdsl.library import load_rule, lookup_in
from optdsl.model import build
from optdsl.runtime import from_layout
from tests.program.systems import system

ROOT = Path(__file__).parents[2]
USE = """
import sys
sys.path.insert(0, {folder!r})
import numpy as np
import mine
theta = np.ones(3, {dtype!r})
mine.{name}([theta]).step([np.full(3, 2.0, {dtype!r})])
print(theta[0], *sorted({{"numba", "scipy", "sympy", "lark", "mpmath"}} & set(sys.modules)))
"""


def stepped(folder, name="Momentum", dtype="float64"):
    """Take a step with the module of a folder, in this process."""
    spec = importlib.util.spec_from_file_location("mine", folder / "mine.py")
    mine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mine)
    theta = np.ones(3, dtype)
    getattr(mine, name)([theta]).step([np.full(3, 2.0, dtype)])
    return theta[0]


def used(folder, name="Momentum", dtype="float64"):
    """Take such a step in a process of its own; return its outcome and what was imported."""
    script = USE.format(folder=str(folder), name=name, dtype=dtype)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(emit(system("momentum")))
    return tmp_path


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    made = tmp_path_factory.mktemp("once")
    (made / "mine.py").write_text(emit(system("momentum")))
    assert stepped(made) == 0.98
    return made


@pytest.fixture
def used_folder(once, tmp_path):
    """A folder whose module has taken a step of float64 before."""
    return Path(shutil.copytree(once, tmp_path / "used"))


def kept(folder):
    return sorted((folder / "__pycache__").glob("*.machine"))


def test_a_second_process_needs_no_numba(used_folder):
    assert used(used_folder) == ["0.98"]


def test_each_set_of_formats_has_a_file(used_folder):
    stepped(used_folder, dtype="float32")
    assert len(kept(used_folder)) == 2
    assert used(used_folder, dtype="float32") == ["0.98"]


def test_another_text_is_compiled_anew(used_folder):
    folder = used_folder
    text = (folder / "mine.py").read_text()
    (folder / "mine.py").write_text(text.replace("theta_prev - v_t", "theta_prev - 2.0 * v_t"))
    found, *loaded = used(folder)
    assert (found, "numba" in loaded) == ("0.96", True)
    assert len(kept(folder)) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
        pytest.param(lambda data: data[:-1], marks=pytest.mark.slow),
        pytest.param(lambda data: b"", marks=pytest.mark.slow),
    ],
)
def test_a_damaged_file_is_written_anew(used_folder, damage):
    folder = used_folder
    (file,) = kept(folder)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert stepped(folder) == 0.98
    assert file.read_bytes()[:32] == whole[:32]
    assert used(folder) == ["0.98"]


def test_where_nothing_can_be_written_kernels_still_run(folder):
    (folder / "__pycache__").write_text("in the way")
    assert stepped(folder) == 0.98


def test_a_remainder_is_found_in_the_mathematical_library(tmp_path):
    text = "optimizer Rest\n  theta[t] = theta[t-1] - mod(g[t], 1.5)\n"
    file = parse(text)
    (tmp_path / "mine.py").write_text(emit(build(file.definitions[-1], lookup_in(file))))
    stepped(tmp_path, "Rest")
    assert used(tmp_path, "Rest") == ["0.5"]


@pytest.mark.parametrize("name", ["Adam", "SGLD", "MADGRAD", "ClipByGlobalNorm", "Adafactor"])
def test_kernels_call_nobody(name):
    layout = compile_system(load_rule(name))
    for stage, runner in kernels(layout):
        shaped = {each for each, _ in layout.shaped}
        formats = tuple(np.float64(0) if s in shaped else np.float32(0) for s in stage.streams)
        code = compile_kernel(runner.kernel, formats)
        assert machine_code.wanting(binding.parse_assembly(code.text)) == []


SHARING = """
optimizer One
  a = norm(g[t])
  theta[t] = theta[t-1] - 0.7319*g[t]/(a + 1)
optimizer Other
  hyper eta = 0.5 in [0, inf)
  size_of_it = norm(g[t])
  theta[t] = theta[t-1] - eta*g[t]*size_of_it
optimizer Third
  a = norm(g[t])
  theta[t] = theta[t-1] - 0.7318*g[t]/(a + 1)
"""


def test_a_kernel_that_another_rule_has_is_compiled_once(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path))
    made, compiled = [], compiling._made
    monkeypatch.setattr(compiling, "_made", lambda *given: made.append(given) or compiled(*given))
    file = parse(SHARING)
    counts, ends = [], []
    for definition in file.definitions:
        rule = from_layout(compile_system(build(definition, lookup_in(file))))
        theta = np.zeros(4)
        rule([theta]).step([np.full(4, 2.0)])
        counts.append(len(made))
        ends.append(theta[0])
    assert np.diff(counts).tolist() == [1, 1]  # the norm is known; the rest is another each time
    np.testing.assert_allclose(ends, [-0.7319 * 2 / 5, -0.5 * 2 * 4, -0.7318 * 2 / 5])


def test_code_that_calls_somebody_is_not_kept(tmp_path):
    path = tmp_path / "made.py"
    path.write_text("def kernel_1(take, formats, scalars):\n    print(scalars[0, 0])\n")
    names = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    made = kernel(names["kernel_1"])
    made.compiled((np.float32(0),))
    assert list(tmp_path.iterdir()) == [path]


def test_a_word_that_there_is_not():
    from optdsl.codegen.support import words

    assert isinstance(words.sqrt, Word)
    with pytest.raises(AttributeError, match="no word squareroot"):
        words.squareroot  # noqa: B018
