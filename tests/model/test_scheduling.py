"""Schedules as values, and in place of hyperparameters."""

from __future__ import annotations

import numpy as np
import pytest

import optdsl
from optdsl.library import load_system
from optdsl.model.guards import unguarded_inputs
from tests.model.test_build import system

SLOW = "0.1*WarmRestarts(T_0=4)"


def walked(rule: str, **hyperparameters: object) -> list[float]:
    w = np.ones(3)
    optimizer = optdsl.load(rule, "reference")([w], **hyperparameters)
    for _ in range(9):
        optimizer.step([np.sin(w)])
    return w.tolist()


def test_a_schedule_in_place_of_a_hyperparameter() -> None:
    values = optdsl.load(SLOW)().values(20)
    assert walked(f"AdamW(eta={SLOW})") == walked("AdamW", lr=lambda t: values[t - 1])
    names = {h.local_name for h in load_system(f"AdamW(eta={SLOW})").hyperparameters}
    assert "eta" not in names
    assert {"T_0", "eta_max"} <= names


@pytest.mark.parametrize("text", ["Cosine(eta_max=1, T=10)", "WarmRestarts(eta_max=1, T_0=3)"])
@pytest.mark.parametrize("asked", [True, False])
def test_one_that_is_read_a_step_ahead(text: str, asked: bool) -> None:
    values = optdsl.load(f"0.9*{text}")().values(20)
    ends = []
    for rule, given in ((f"Nesterov(gamma=0.9*{text})", {}),
                        ("Nesterov", {"gamma": lambda t: values[t - 1]})):  # fmt: skip
        w = np.ones(3)
        optimizer = optdsl.load(rule, "reference")([w], **given)
        for _ in range(9):
            optimizer.step((lambda at: [np.sin(at[0])]) if asked else [np.sin(w)])
        ends.append(w.tolist())
    assert ends[0] == ends[1]


def test_a_start_reads_the_first_value() -> None:
    built = system("""
optimizer Begun
  hyper eta as lr = WarmRestarts(eta_max=0.5, T_0=4)
  D[0] = eta
  D[t] = 0.5*D[t-1]
  theta[t] = theta[t-1] - D[t]*g[t]
""")
    read = {h.local_name for h in built.hyperparameters}
    assert read == {"eta_max", "eta_min", "T_0", "T_mult"}
    assert built.state("D").start is not None


def test_a_default_may_be_a_schedule_after_another() -> None:
    built = system("""
optimizer Late extends SGD
  hyper eta as lr = Linear(T=3) for 3 then Halving
  theta[t] = theta[t-1] - eta*g[t]
""")
    assert {h.local_name for h in built.hyperparameters} >= {"T", "eta_0"}


def test_what_counts_as_guarded() -> None:
    built = system("""
schedule Guarded gives eta
  input a
  input b
  known = given(a) and a > 0
  twice = 2*a
  eta = twice if known else b if not given(a) or given(b) else 0
""")
    assert unguarded_inputs(built) == {"b"}
    assert unguarded_inputs(load_system("Plateau")) == set()
