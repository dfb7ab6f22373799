"""Several callers of one optimizer."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from optdsl.runtime import StepError, from_layout
from tests.runtime import layouts

Momentum = from_layout(layouts.momentum())


def test_threads_take_turns():
    w = np.zeros(3)
    opt = Momentum([w], lr=1.0, momentum=0.0)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: opt.step([np.ones(3)]), range(200)))
    np.testing.assert_array_equal(w, -200)
    assert opt.state_dict()["cohorts"][0]["clocks"] == [200]


def test_a_step_within_a_step_is_refused_and_the_next_goes_on():
    w = np.zeros(3)
    opt = Momentum([w], lr=1.0, momentum=0.0)

    def again(point):
        opt.step([np.ones(3)])

    with pytest.raises(StepError, match="from within its own step"):
        opt.step(again)
    opt.step([np.ones(3)])
    np.testing.assert_array_equal(w, -1)


def test_the_runtime_imports_no_compiler():
    heavy = ("sympy", "lark", "numba", "optdsl.model", "optdsl.language", "optdsl.codegen")
    code = f"import sys, optdsl.runtime; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
