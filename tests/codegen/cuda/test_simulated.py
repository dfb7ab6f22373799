"""Launch geometry, barriers and reductions in shared memory, in Numba's simulator of a device."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lamb", "clipped", "Adafactor"])
def test_a_simulated_device_takes_the_steps_of_the_equations(name):
    found = subprocess.run(
        [sys.executable, "-m", "tests.codegen.cuda.simulated", name],
        cwd=ROOT,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
