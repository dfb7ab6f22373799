import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import optdsl.training

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    f"optdsl.training.{found.name}" for found in pkgutil.iter_modules(optdsl.training.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", optdsl.training.__all__)
def test_what_is_offered_is_described(name):
    assert getattr(optdsl.training, name).__doc__


def test_nothing_but_numpy_is_loaded():
    code = "import sys, optdsl.training; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {name for name in ran.stdout.split() if name.startswith("optdsl")}
    assert ours == {"optdsl", "optdsl.diagnostics", "optdsl.training", *MODULES}
    assert not {"sympy", "lark", "numba", "torch"} & set(ran.stdout.split())


@pytest.mark.slow
def test_the_example_on_the_digits_runs(tmp_path):
    script = ROOT / "examples" / "around_training.py"
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    for part in (
        "Gradient check",
        "Shuffling",
        "Early stopping",
        "Snapshot ensemble",
        "Curriculum",
    ):
        assert part in ran.stdout
