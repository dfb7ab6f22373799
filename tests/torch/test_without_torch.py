"""The door without PyTorch: nothing of it is imported until it is used, and the error says what
to install."""

import subprocess
import sys


def run(script):
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


def test_importing_the_door_imports_no_torch():
    ran = run("import optdsl.torch, sys; print('torch' in sys.modules, 'sympy' in sys.modules)")
    assert ran.stdout.split() == ["False", "False"]


def test_the_error_names_the_extra():
    ran = run(
        "import sys; sys.modules['torch'] = None; import optdsl.torch as t; t.optimizer('SGD')"
    )
    assert ran.stderr.splitlines()[-1].startswith("ModuleNotFoundError: optdsl.torch needs PyTorch")
    assert "pip install 'optdsl[torch]'" in ran.stderr
