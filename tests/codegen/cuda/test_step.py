"""Numbers of a step, computed by a kernel that counts steps itself."""

import numpy as np
import pytest

from optdsl.codegen import compile_system
from optdsl.library import load_rule
from optdsl.runtime import layout as stages
from tests.codegen.cuda.launching import run_of


@pytest.mark.parametrize(
    "name", ["RAdam", pytest.param("Nadam", marks=pytest.mark.slow),
             pytest.param("Lookahead", marks=pytest.mark.slow)],
)  # fmt: skip
@pytest.mark.parametrize("begun", [0, 99_999])
def test_a_device_counts_steps_and_computes_what_the_host_does(name, begun):
    layout = compile_system(load_rule(name), "numba-cuda")
    [stage] = [each for each in layout.ready or layout.function if isinstance(each, stages.Scalars)]
    random = np.random.default_rng(0)
    hyper = random.uniform(0.5, 0.99, size=len(layout.hyperparameters))
    clocks = np.array([begun] * layout.parts)
    kept = [state for state in layout.states if state.kind == "step"]
    states = random.uniform(0.1, 0.9, size=len(kept))
    there, rounded = states.copy(), np.zeros(layout.scalars, np.float32)
    exactly, wanted = np.zeros(layout.scalars), np.zeros(layout.scalars)
    for count in range(1, 4):
        given = (clocks, hyper, there, exactly, rounded, np.zeros(1))
        run_of(stage.function.kernel, ("float32",))(1, *(each.ctypes.data for each in given))
        stage.function(float(begun + count), hyper, states, wanted)
        np.testing.assert_allclose(exactly, wanted, rtol=1e-14)
        np.testing.assert_allclose(there, states, rtol=1e-14)
        np.testing.assert_array_equal(rounded, exactly.astype(np.float32))
    assert clocks[stage.part] == begun + 3
