"""The measurements measure: what they run, what they write; no times are asserted."""

import itertools
import json
import runpy
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import optdsl
from benchmarks import __main__, cases, cuda, roofline
from benchmarks.race import Times, race
from tests.sampling import sampled


def test_a_race_times_everybody_in_every_round():
    called = []
    contenders = {name: lambda n=name: called.append(n) for name in "ab"}
    times = race(contenders, rounds=3, seconds=0, settling=0)
    assert set(times) == {"a", "b"}
    assert all(len(each.rounds) == 3 for each in times.values())
    assert called.count("a") == called.count("b") > 3


def test_a_ratio_is_that_of_the_medians():
    times = {cases.OURS: Times((1.0, 2.0, 9.0)), "peer": Times((4.0, 3.0, 6.0))}
    row = cases._row("table", "what", "peer", times, bar=2)
    assert (row.ratio, row.least, row.met) == (2.0, 3.0, True)
    assert cases._row("table", "what", "peer", times, bar=2.1).met is False


@pytest.mark.parametrize("rule", sampled(["Adam", "LAMB", "SGD"], {"LAMB"}))
def test_the_plain_kernel_moves_the_arrays_and_leaves_them_as_they_are(rule):
    w, g = np.linspace(0, 1, 9000, dtype=np.float32), np.ones(9000, np.float32)
    optimizer = optdsl.load(rule)([w])
    optimizer.step([g])
    before = w.copy(), optimizer.state_dict()["entries"]
    roofline.mover(optimizer)()
    np.testing.assert_array_equal(w, before[0])
    after = optimizer.state_dict()["entries"]
    for name, arrays in before[1].items():
        np.testing.assert_array_equal(arrays["0"], after[name]["0"])


def test_what_was_found_is_written(tmp_path, monkeypatch, capsys):
    row = cases.Row("t", "Adam", "peer", 1.0, 2.0, 2.0, 2.0, 1.5)
    monkeypatch.setattr(__main__, "TABLES", {"adam": lambda rounds: iter([row])})
    monkeypatch.setattr(
        cases, "sweep", lambda rounds, chosen: [{"size": 10, "step": 2.0, "moved": 1.0}] * 2
    )
    monkeypatch.setattr(__main__, "missing", lambda: ["DeepSpeed"])
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--out", str(tmp_path / "found")])
    __main__.main()
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["missing"] == ["DeepSpeed"]
    assert found["rows"][0]["met"] is True
    assert {"date", "processor", "threads", "versions"} <= set(found["machine"])
    assert "| Adam | 1 | peer | 2 | 2.00 | 1.5 ✓ |" in (tmp_path / "found.md").read_text("utf-8")
    assert (tmp_path / "found.png").stat().st_size > 1000
    shown = capsys.readouterr().out
    assert "DeepSpeed" in shown
    assert "bar 1.5 met" in shown


def test_without_a_card_there_is_nothing_to_measure(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["benchmarks.cuda"])
    monkeypatch.delitem(sys.modules, "benchmarks.cuda")  # it is run as if from outside
    with pytest.raises(SystemExit) as leaving:
        runpy.run_module("benchmarks.cuda", run_name="__main__")
    assert leaving.value.code == 0
    assert "no CUDA card" in capsys.readouterr().out


def test_a_card_is_measured_beside_its_copy_and_its_peers(monkeypatch):
    """On a card that is the host, whose clock goes by a millisecond a call."""
    clock = itertools.count()
    event = SimpleNamespace(
        record=lambda: None, synchronize=lambda: next(clock), elapsed_time=lambda other: 1.0
    )
    fake = SimpleNamespace(
        cuda=SimpleNamespace(Event=lambda enable_timing: event, empty_cache=lambda: None),
        ones=lambda size, device: torch.ones(size),
        full=lambda shape, value, device, **how: torch.full(shape, value, **how),
        full_like=torch.full_like,
        optim=torch.optim,
    )
    monkeypatch.setattr(cuda, "_ours", lambda rule, torch, size: lambda: None)
    rows = list(cuda.measured(fake, 1000))
    by_other = {(row.what, row.other): row for row in rows}
    copied = by_other["Adam", "copying as many bytes"]
    assert copied.ratio == pytest.approx(28 / 8), "a copy moves 8 bytes in the same millisecond"
    assert copied.bar == 0.9
    assert by_other["Adam", "PyTorch fused"].met
    assert by_other["RMSprop", "PyTorch foreach"].met is False
    assert {row.what for row in rows} >= {*cuda.FUSED, *cuda.FOREACH, "LAMB"}
