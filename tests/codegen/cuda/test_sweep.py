"""Every rule over lengths 0 to 70 and 1,000,003 and every misalignment: CUDA beside the CPU.

The source that a card would run, run on the CPU: bit for bit the numbers of the CPU target where
nothing is contracted, and within what contraction may change where it is.
"""

import numpy as np
import pytest

from optdsl.codegen import compile_system
from optdsl.codegen.unit import prepare
from optdsl.diagnostics import DiagnosticError
from optdsl.library import load_rule, shipped
from optdsl.model.expressions import Kind, Value, apply, number
from optdsl.program.program import Assignment, Load, Pass, Store
from optdsl.runtime import layout as stages
from tests.codegen.cuda.auditing import Audit
from tests.codegen.cuda.carrying import Carrying
from tests.codegen.cuda.sweeping import (
    LONG,
    Following,
    Leading,
    Places,
    compiled_once,
    driver_of,
    streams_of,
)

RULES = [name for name, each in shipped().items() if each.family != "schedule"]
slow = pytest.mark.slow


@pytest.fixture
def cpu(monkeypatch, tmp_path):
    return compiled_once(monkeypatch, tmp_path)


def sweep(name, cpu, dtype="float32", long=LONG, count=3):
    """Take some steps here and there and hold them to each other; return what the last changes."""
    rule = load_rule(name)
    device = compile_system(rule, "numba-cuda")
    if any(isinstance(stage, stages.Matrices) for stage in device.function):
        pytest.skip("values a row and a column are swept in tests/cuda, by the runtime")
    mode = "function" if device.family == "optimizer" else "ready"
    places = Places(streams_of(device), dtype, long=long)
    here, there = driver_of(Leading, cpu(rule), places), driver_of(Following, device, places)
    there.leader = here
    for t in range(1, count + 1):
        if t == count:
            contracted = cpu(rule, contract=True)
            there.audit = Audit(prepare(rule), mode, device, contracted)
        here.take(mode, t)
        there.take(mode, t)
        for stream, pool in here.pools.items():
            assert np.array_equal(pool, there.pools[stream], equal_nan=True), (stream, t)
    return there.audit


def hold(audit):
    """Differences are within bounds, and next to none of them could not be told."""
    assert audit.used <= 1
    assert audit.doubted <= 1e-5 * LONG


@pytest.mark.slow
@pytest.mark.slow
def test_adamw_takes_the_steps_of_the_cpu_at_every_length_and_alignment(cpu):
    audit = sweep("AdamW", cpu)
    hold(audit)
    assert audit.changed > audit.beyond > 0


@pytest.mark.parametrize(("name", "dtype"), [
    ("AdamW", "float64"), ("SGLD", "float32"), pytest.param("SGLD", "float64", marks=slow),
])  # fmt: skip
def test_other_types_and_draws_are_those_of_the_cpu(name, dtype, cpu):
    hold(sweep(name, cpu, dtype, long=None, count=2))


@slow
@pytest.mark.parametrize("name", RULES)
def test_every_rule_takes_the_steps_of_the_cpu(name, cpu):
    try:
        hold(sweep(name, cpu))
    except DiagnosticError as error:
        if error.diagnostics[0].code != "not-on-cuda":
            raise
        pytest.skip(error.diagnostics[0].message)


def test_what_contraction_may_change_is_carried_on():
    a, b, c, x = (Value(name, Kind.ENTRY) for name in "abcx")
    equations = {
        "x": apply("sub", apply("mul", a, b), c),
        "y": apply("mul", x, c),
        "z": apply("select", apply("gt", x, number(0)), x, c),
    }
    plan = Pass(
        1, 0, tuple(Load(each.name, each) for each in (a, b, c)),
        tuple(Assignment(name, each) for name, each in equations.items()),
        tuple(Store(name, Value(name, Kind.ENTRY)) for name in "xyz"),
    )  # fmt: skip
    loaded = {"a": np.array([3.0, 3.0]), "b": np.ones(2), "c": np.array([2.5, 3.0])}
    stored = Carrying(np.float32, loaded, None, None).stored(plan)
    unit = 2.0**-22  # of 3, the largest term
    assert stored["x"].by.tolist() == [2 * unit, 2 * unit]
    assert stored["y"].by.tolist() == [5 * unit + 2.0**-23, 6 * unit + 2.0**-149]
    assert stored["z"].by.tolist() == [2 * unit, np.inf], "the second is in doubt"
