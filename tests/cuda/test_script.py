"""What the script for machines with a card says of a rule, here on a card that is simulated."""

from types import SimpleNamespace

import pytest

from benchmarks import cuda
from tests.cuda.fake_driver import CardArray


class Tensor(CardArray):
    def cpu(self):
        return self

    def numpy(self):
        return self.values


@pytest.fixture
def on_card(card):
    return SimpleNamespace(
        tensor=lambda values, dtype=None, device=None: Tensor(values), float32=None
    )


def test_a_right_kernel_is_near_the_reference(on_card):
    assert cuda.difference("Adam", on_card) < 1e-5


def test_a_wrong_kernel_is_found(on_card, monkeypatch, capsys):
    step = cuda.optdsl.load("Adam", "cuda").step
    monkeypatch.setattr(
        "optdsl.cuda.DeviceOptimizer.step",
        lambda self, given, **more: step(self, given[:-1] + [None]),
    )
    assert not cuda._shown("Adam", on_card)
    assert "WRONG" in capsys.readouterr().out


def test_what_the_target_refuses_is_named(on_card, capsys):
    assert cuda._shown("Shampoo", on_card)
    assert "not run" in capsys.readouterr().out
