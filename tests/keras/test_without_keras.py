"""The door without Keras: nothing of it is imported until it is used, and the error says what
to install."""

import subprocess
import sys


def run(script):
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


def test_importing_the_door_imports_no_keras():
    script = "import optdsl.keras, sys; print(*(n in sys.modules for n in ('keras', 'torch')))"
    assert run(script).stdout.split() == ["False", "False"]


def test_a_backend_that_is_not_installed_is_refused_too():
    """Keras runs on TensorFlow where nobody says otherwise."""
    script = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
sys.modules["tensorflow"] = None
import optdsl.keras
optdsl.keras.optimizer("SGD")
"""
    ran = run(script)
    assert "Keras is set to run on tensorflow here, which is not installed" in ran.stderr
    assert ran.stderr.splitlines()[-1].lstrip().startswith("help: set KERAS_BACKEND=torch")


def test_the_error_names_the_extra():
    ran = run(
        "import sys; sys.modules['keras'] = None; import optdsl.keras as k; k.optimizer('SGD')"
    )
    assert ran.stderr.splitlines()[-1].startswith("ModuleNotFoundError: optdsl.keras needs Keras")
    assert "pip install 'optdsl[keras]'" in ran.stderr
