"""Generated modules on disk: found again, never stale, safe to share."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from optdsl import files
from optdsl.codegen import cache, compile_system, emit, shelf, versions
from optdsl.diagnostics import DiagnosticError
from optdsl.model.expressions import number
from optdsl.model.system import Hyperparameter
from tests.program.systems import system

USE = """
import sys
sys.path.insert(0, {root!r})
import numpy as np
from optdsl.codegen import compile_system
from tests.codegen.driving import Driver
from tests.program.systems import system
driver = Driver(compile_system(system("momentum")), [np.ones(70_000, np.float32)])
for _ in range(3):
    driver.step(lambda name, points: [np.cos(x) for x in points])
print(driver.thetas[0].sum().item().hex())
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path))
    return tmp_path


def modules(folder):
    return sorted(folder.rglob("*.py"))


def test_a_module_is_written_once(folder, monkeypatch):
    first = compile_system(system("sgd"), "reference")
    (path,) = modules(folder)
    assert path.read_text() == emit(system("sgd"), "reference")
    monkeypatch.setattr("optdsl.codegen.emit", lambda *_: pytest.fail("emitted again"))
    assert compile_system(system("sgd"), "reference") is first
    assert [each.suffix for each in path.parent.iterdir() if each.is_file()] == [".py"]


def test_it_lies_where_the_platform_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.delenv("OPTDSL_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files.cache_directory() == tmp_path / "optdsl"


def changed_equation(of):
    equations = [replace(each, value=number(0)) for each in of.equations]
    return replace(of, equations=tuple(equations))


def changed_start(of):
    return replace(of, states=tuple(replace(s, start=number(1)) for s in of.states))


def changed_default(of):
    hypers = [replace(each, default=number(1)) for each in of.hyperparameters]
    return replace(of, hyperparameters=tuple(hypers))


def another_hyperparameter(of):
    more = Hyperparameter("extra", of.name, "extra", default=number(1))
    return replace(of, hyperparameters=(*of.hyperparameters, more))


@pytest.mark.parametrize(
    "change",
    [
        changed_equation, changed_start, changed_default, another_hyperparameter,
        lambda of: replace(of, name="Other"),
        lambda of: replace(of, doc="Another word."),
        lambda of: replace(of, source=of.source + " # another comment"),
        lambda of: replace(of, gradients=()),
        lambda of: replace(of, outputs=("v",)),
    ],
)  # fmt: skip
def test_every_part_of_a_system_counts(change):
    of = system("momentum")
    assert cache.key(change(of), "reference") != cache.key(of, "reference")


def test_the_target_counts():
    of = system("momentum")
    assert cache.key(of, "reference") != cache.key(of, "numba-cpu")


def test_spans_and_the_place_of_a_file_do_not_count():
    from optdsl.language import parse
    from optdsl.model import build
    from tests.program.systems import TEXTS

    one, two = (build(parse(TEXTS["momentum"], name).definitions[0], {}.get) for name in ("a", "b"))
    assert cache.key(one, "reference") == cache.key(two, "reference")


@pytest.mark.parametrize("package", ["optdsl", "numpy", "numba", "llvmlite"])
def test_versions_count(package, monkeypatch):
    before = cache.key(system("momentum"), "numba-cpu")
    known = versions._version

    def newer(name):
        return "999" if name == package else known(name)

    monkeypatch.setattr(versions, "_version", newer)
    assert cache.key(system("momentum"), "numba-cpu") != before


@pytest.mark.parametrize("fact", ["compiler_fingerprint", "processor"])
def test_the_compilers_sources_and_the_processor_count(fact, monkeypatch):
    before = cache.key(system("momentum"), "numba-cpu")
    other = "other" if fact == "compiler_fingerprint" else ("other",)
    monkeypatch.setattr(versions, fact, lambda: other)
    assert cache.key(system("momentum"), "numba-cpu") != before


def test_the_reference_needs_nothing_of_the_processor():
    facts = versions.environment("reference")
    assert not set(versions.processor()) & set(facts)


def test_a_crash_leaves_nothing_behind(folder, monkeypatch):
    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(DiagnosticError, match="disk full"):
        compile_system(system("sgd"), "reference")
    assert not [path for path in folder.rglob("*") if path.is_file()]
    monkeypatch.undo()


def test_a_cache_that_cannot_be_written_is_a_diagnostic(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(DiagnosticError, match="set OPTDSL_CACHE_DIR"):
        compile_system(system("sgd"), "reference")


def test_a_module_cut_short_is_never_seen(folder):
    path = folder / "x" / "x.py"
    shelf.write(path, "one")
    shelf.write(path, "two")
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.slow
def test_two_processes_compile_the_same_rule_at_once(folder):
    command = [sys.executable, "-c", USE.format(root=str(ROOT))]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=120)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert printed[0] == printed[1] != ""
    assert len(modules(folder)) == 1
    assert not list(folder.rglob("*.part"))
    machine_code = list(folder.rglob("*.machine"))
    assert machine_code
    times = {path: path.stat().st_mtime_ns for path in machine_code}
    again = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert again.stdout.strip() == printed[0]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.machine")} == times
