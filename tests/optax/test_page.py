"""The page about Optax is read from top to bottom, as a user would."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "optax.md"


@pytest.mark.slow
def test_the_page_is_true():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 6
    namespace = {}
    for block in blocks:
        exec(compile(block, "docs/optax.md", "exec"), namespace)
