from pathlib import Path

import pytest


@pytest.fixture
def golden_folder():
    return Path(__file__).parents[1] / "golden"
