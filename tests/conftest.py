import gc
import os
import shutil
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# What peers compute does not depend on how well it is compiled, which takes them long.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

# Trees and proofs are many small objects that live on: to look through them often frees little.
gc.set_threshold(50_000, 20, 50)

# How long an example takes says how busy the machine is.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the expected texts with what is said now",
    )


def pytest_configure(config):
    """Keep compiled code and verdicts in a folder of this run, which its processes share."""
    if "OPTDSL_CACHE_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="optdsl-tests-")
        os.environ["OPTDSL_CACHE_DIR"] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture
def golden(request):
    """Compare a text with the file that holds what is expected, or rewrite that file."""
    update = request.config.getoption("--update-golden")

    def compare(text, path):
        if update:
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path} is missing: run pytest --update-golden"
        assert text == path.read_text(encoding="utf-8")

    return compare
