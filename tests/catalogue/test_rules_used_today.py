"""The rules that people use today walk like implementations that none of us wrote."""

from __future__ import annotations

import numpy as np
import pytest

import optdsl
from tests.catalogue.compare import check
from tests.catalogue.of_used_today import CASES
from tests.numerics.walks import Landscape


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_walks_like_the_other(case, dtype):
    check(case, dtype)


@pytest.mark.parametrize("rule", ["ScheduleFreeSGD", "ScheduleFreeAdamW"])
def test_schedule_free_rules_take_ready_made_gradients(rule):
    """The arrays hold the point y then, and theta() gives the averages x."""
    land = Landscape(((7,), (5, 3)), np.float64)
    asked = [array.copy() for array in land.start]
    handed = [array.copy() for array in land.start]
    asking, taking = (optdsl.load(rule, "reference")(w, lr=0.1) for w in (asked, handed))
    for gradient in land.steps():
        asking.step(gradient)
        taking.step(gradient(handed))
        for x, y in zip(asking.theta(), taking.theta(), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-10)
    assert not np.array_equal(taking.theta()[0], handed[0])
