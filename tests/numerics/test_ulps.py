"""Every step of 200 is as exact as its arithmetic permits, for every rule, tensor and state."""

import numpy as np
import pytest

import optdsl
from optdsl.codegen.support.chunks import CHUNK
from optdsl.library import load_system
from tests.numerics.judge import BAR, judge_double, judge_single, ulps
from tests.numerics.subjects import FEW, FEWER, MANY, QUICK, Subject, rules, subject

pytestmark = pytest.mark.usefixtures("one_thread")


def test_what_is_quick_is_shipped():
    assert set(QUICK) <= set(rules())


def measured(rule):
    chosen = subject(rule)
    if chosen.draws:
        pytest.skip("the oracle draws no numbers")
    return chosen


def worst(readings):
    return max(readings, key=lambda reading: reading.ulps)


def test_a_float32_step_is_that_of_the_float64_reference(rule):
    chosen = measured(rule)
    for mode in chosen.modes:
        found = worst(judge_single(chosen, mode, FEW))
        assert found.ulps <= BAR, found


def test_a_float64_step_is_that_of_fifty_digits(rule):
    chosen = measured(rule)
    for mode in chosen.modes:
        found = worst(reading for _, reading in judge_double(chosen, mode, FEWER))
        assert found.ulps <= BAR, found


def test_a_float64_norm_of_a_whole_chunk():
    chosen = subject("ClipByGlobalNorm | Adam")
    seen = [
        reading
        for seed in range(12)
        for _, reading in judge_double(chosen, "ready", ((CHUNK,),), 20, (1,), seed)
    ]
    assert worst(seen).ulps <= BAR, worst(seen)


@pytest.mark.slow
@pytest.mark.parametrize("large", QUICK)
def test_with_a_million_entries(large):
    chosen = measured(large)
    for mode in chosen.modes:
        found = worst(judge_single(chosen, mode, MANY))
        assert found.ulps <= BAR, found
        found = worst(reading for _, reading in judge_double(chosen, mode, MANY, 200, (200,)))
        assert found.ulps <= BAR, found


def test_errors_are_counted_in_units_of_the_last_place():
    for dtype in (np.float32, np.float64):
        exact = np.array([1.0, 3.0, 1000.0], dtype)
        off = exact + 9 * np.spacing(exact)
        assert ulps(off, exact, exact, dtype) == 9
        assert ulps(off, exact, 2 * exact, dtype) == 4.5
        assert ulps(exact, np.array([1.0, np.nan, 1000.0]), exact, dtype) == np.inf


RMSPROP = """
optimizer RMSprop
  hyper eta = 0.001 in [0, inf)
  hyper gamma = 0.9 in [0, 1)
  hyper epsilon = 1e-8 in [0, inf)
  v[0] = 0
  v[t] = gamma*v[t-1] + (1 - gamma)*g[t]^2{of_v}
  theta[t] = theta[t-1] - eta/{root}*g[t]{of_theta}
"""
SAME = {"root": "sqrt(v[t] + epsilon)", "of_v": "", "of_theta": ""}


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({}, False),
        ({"root": "(sqrt(v[t]) + epsilon)"}, True),
        ({"of_v": "*1.00001"}, True),
        ({"of_theta": "*1.00001"}, True),
    ],
)
def test_another_equation_is_seen(tmp_path, changes, seen):
    spec = tmp_path / "other.opt"
    spec.write_text(RMSPROP.format(**{**SAME, **changes}), encoding="utf-8")
    other, reference = load_system(str(spec)), optdsl.load(str(spec), "reference")
    mixed = Subject("RMSprop beside another", other, optdsl.load("RMSprop"), reference)
    single = worst(judge_single(mixed, "ready", ((7,),)))
    readings = list(judge_double(mixed, "ready", ((7,),)))
    compiled, rewritten = (
        worst(reading for who, reading in readings if who == target)
        for target in ("numba-cpu", "reference")
    )
    assert (single.ulps > BAR, compiled.ulps > BAR, rewritten.ulps > BAR) == (seen, seen, False)
