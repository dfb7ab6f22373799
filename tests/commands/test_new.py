import sys
from importlib import import_module

import numpy as np
import pytest

from optdsl.runtime import Optimizer, Schedule, Transform


@pytest.mark.parametrize("family", ["optimizer", "schedule", "transform"])
def test_a_skeleton_checks_formats_and_compiles(optdsl, family):
    assert optdsl("new", "MyRule", "--family", family).status == 0
    assert optdsl("fmt", "--check", "my_rule.opt").status == 0
    checked = optdsl("check", "my_rule.opt")
    assert checked.status == 0, checked.text
    assert optdsl("compile", "my_rule.opt", "-o", "build", "-t", "reference").status == 0


def test_nothing_is_overwritten(optdsl, tmp_path):
    (tmp_path / "mine.opt").write_text("precious")
    refused = optdsl("new", "Mine")
    assert (refused.status, "exists already" in refused.err) == (2, True)
    assert (tmp_path / "mine.opt").read_text() == "precious"


def test_the_name_of_a_shipped_rule_is_refused(optdsl, tmp_path):
    refused = optdsl("new", "SGD")
    assert refused.status == 2
    assert "`SGD` is a shipped rule" in refused.err
    assert not list(tmp_path.glob("*.opt"))


@pytest.mark.parametrize("name", ["", "1st", "a b", "../up", "Ä", "a-b", "-"])
def test_a_name_is_a_name(optdsl, tmp_path, name):
    assert optdsl("new", "--", name).status == 2
    assert not list(tmp_path.glob("*.opt"))


def imported(tmp_path, monkeypatch, module):
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "build_of_tests"]:
        monkeypatch.delitem(sys.modules, name)
    return import_module(f"build_of_tests.{module}")


@pytest.mark.parametrize("target", ["reference", "numba-cpu"])
def test_what_is_compiled_can_be_imported(optdsl, tmp_path, monkeypatch, target):
    optdsl("new", "Mine")
    done = optdsl("compile", "mine.opt", "-o", "build_of_tests", "--target", target)
    assert "from build_of_tests.mine import Mine" in done.out
    (tmp_path / "mine.opt").unlink()
    rule = imported(tmp_path, monkeypatch, "mine").Mine
    assert issubclass(rule, Optimizer)
    w = np.ones(3)
    rule([w], lr=0.5, beta=0.5).step([np.full(3, 2.0)])
    assert w.tolist() == [0.5, 0.5, 0.5]


def test_every_definition_of_a_file_is_a_module(optdsl, tmp_path, monkeypatch):
    (tmp_path / "two.opt").write_text(
        "schedule Half gives eta\n  eta = 1/2\n\n"
        "transform TwiceAsLong gives u\n  u = 2*g[t]\n"
    )  # fmt: skip
    done = optdsl("compile", "two.opt", "-o", "build_of_tests", "-t", "reference")
    assert done.status == 0, done.text
    assert issubclass(imported(tmp_path, monkeypatch, "half").Half, Schedule)
    assert issubclass(imported(tmp_path, monkeypatch, "twice_as_long").TwiceAsLong, Transform)


def test_one_of_several_can_be_chosen(optdsl, tmp_path):
    (tmp_path / "two.opt").write_text(
        "schedule Half gives eta\n  eta = 1/2\n\nschedule Third gives eta\n  eta = 1/3\n"
    )
    optdsl("compile", "two.opt:Half", "-o", "out", "-t", "reference")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["half.py"]


def test_modules_of_one_name_are_refused(optdsl, tmp_path):
    (tmp_path / "two.opt").write_text(
        "schedule Half gives eta\n  eta = 1/2\n\nschedule HALF gives eta\n  eta = 1/3\n"
    )
    refused = optdsl("compile", "two.opt", "-o", "out")
    assert refused.status == 2
    assert "half.py" in refused.err
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_where_an_error_is(optdsl, tmp_path):
    (tmp_path / "bad.opt").write_text("optimizer Bad\n  theta[t] = theta[t-1] - eta*g[t]\n")
    refused = optdsl("compile", "bad.opt", "-o", "out")
    assert refused.status == 1
    assert "bad.opt:2:27: error[" in refused.err
    assert not (tmp_path / "out").exists()


def test_an_unknown_target_is_misuse(optdsl):
    refused = optdsl("compile", "SGD", "-o", "out", "--target", "numba-cqu")
    assert refused.status == 2
    assert "did you mean `numba-cpu`?" in refused.err


def test_a_folder_that_is_a_file_is_misuse(optdsl, tmp_path):
    (tmp_path / "out").write_text("")
    refused = optdsl("compile", "SGD", "-o", "out", "-t", "reference")
    assert (refused.status, "out" in refused.err) == (2, True)
