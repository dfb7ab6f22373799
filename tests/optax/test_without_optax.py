"""The door without Optax: the error says what to install."""

import subprocess
import sys

import pytest


def run(script):
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


@pytest.mark.parametrize("missing", ["jax", "optax"])
def test_the_error_names_the_extra(missing):
    ran = run(f"import sys; sys.modules['{missing}'] = None; import optdsl.optax")
    assert ran.stderr.splitlines()[-1].startswith("ModuleNotFoundError: optdsl.optax needs Optax")
    assert "pip install 'optdsl[optax]'" in ran.stderr


def test_other_doors_import_no_optax():
    ran = run("import optdsl, optdsl.torch, optdsl.keras, sys; print('jax' in sys.modules)")
    assert ran.stdout.strip() == "False"
