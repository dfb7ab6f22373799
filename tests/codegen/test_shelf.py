"""What a text became is remembered: found without reading it, and never for another text."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import optdsl
from optdsl.codegen import shelf, versions

ROOT = Path(__file__).parents[2]
HALVED = "optimizer Halved extends SGD\n  theta[t] = theta[t-1] - eta*g[t]/2\n"
HEAVY = (
    "sympy", "mpmath", "lark", "numba", "scipy", "optdsl.library", "optdsl.language",
    "optdsl.model", "optdsl.program", "optdsl.codegen.module",
)  # fmt: skip
USE = """
import sys
import numpy as np, optdsl
for what in {rules!r}:
    w = np.ones(3, np.float32)
    optdsl.load(what)([w], lr=0.5).step([w.copy()])
print(*sorted(set({heavy!r}) & set(sys.modules)))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def stepped(what, **settings):
    w = np.ones(1)
    optdsl.load(what, "reference", **settings)([w], lr=1.0).step([np.ones(1)])
    return w[0]


def test_a_warm_start_needs_neither_the_compiler_nor_numba(folder):
    (folder / "halved.opt").write_text(HALVED)
    rules = ["SGD", str(folder / "halved.opt"), "ClipByGlobalNorm(c=1) | SGD"]
    for what in rules:
        w = np.ones(3, np.float32)
        optdsl.load(what)([w], lr=0.5).step([w.copy()])
    assert set(sys.modules) >= {"lark", "numba"}
    command = [sys.executable, "-c", USE.format(rules=rules, heavy=HEAVY)]
    warm = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (warm.stdout.split(), warm.stderr) == ([], "")


def test_a_text_is_read_once(folder, monkeypatch):
    first = stepped("SGD")
    monkeypatch.setattr("optdsl.library.load_rule", lambda _: pytest.fail("read again"))
    assert stepped("SGD") == first


def test_another_text_at_the_same_place_is_read(folder):
    path = folder / "halved.opt"
    path.write_text(HALVED)
    assert stepped(path) == 0.5
    path.write_text(HALVED.replace("/2", "/4"))
    assert stepped(path) == 0.75
    path.write_text(HALVED)
    assert stepped(path) == 0.5


def test_storage_and_target_count(folder):
    storages = [{}, {"m": "bfloat16"}, {"v": "bfloat16"}]
    notes = {shelf.asked("Adam", target, storage) for target in ("reference", "numba-cpu")
             for storage in storages}  # fmt: skip
    assert len(notes) == 6


def test_a_change_of_a_shipped_spec_or_of_the_compiler_counts(folder, monkeypatch):
    before = shelf.asked("SGD", "reference", {})
    real = versions.files_of
    (folder / "more.opt").write_text("optimizer SGD\n  theta[t] = theta[t-1]\n")
    monkeypatch.setattr(shelf, "files_of", lambda *of: [*real(*of), folder / "more.opt"])
    more = shelf.asked("SGD", "reference", {})
    (folder / "more.opt").write_text("optimizer SGD\n  theta[t] = theta[t-1] \n")
    changed = shelf.asked("SGD", "reference", {})
    monkeypatch.setattr(versions, "compiler_fingerprint", lambda: "another")
    assert len({before, more, changed, shelf.asked("SGD", "reference", {})}) == 4


@pytest.mark.parametrize("text", ["", "gone_0123", "../elsewhere", "\x00"])
def test_a_note_that_leads_nowhere_is_written_anew(folder, text):
    expected = stepped("SGD")
    (note,) = (folder / "cache" / "asked").iterdir()
    right = note.read_text()
    note.write_text(text)
    assert stepped("SGD") == expected
    assert note.read_text() == right


def test_a_text_that_changes_while_it_is_read_is_not_remembered(folder, monkeypatch):
    from optdsl import library

    path = folder / "halved.opt"
    path.write_text(HALVED)
    real = library.load_rule

    def slow(what):
        path.write_text(HALVED.replace("/2", "/4"))
        return real(what)

    monkeypatch.setattr(library, "load_rule", slow)
    assert stepped(path) == 0.75
    monkeypatch.undo()
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(folder / "cache"))
    path.write_text(HALVED)
    assert stepped(path) == 0.5
