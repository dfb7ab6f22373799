"""The page about PyTorch is read from top to bottom, as a user would."""

import re
from pathlib import Path

from optdsl.torch.moving import KIN

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "torch.md").read_text(encoding="utf-8")


def test_the_page_is_true():
    namespace = {}
    for block in re.findall(r"(?<!-->\n)```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "docs/torch.md", "exec"), namespace)
    assert namespace["loss"].item() > 0


def test_the_table_names_every_kin():
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)
    listed = {(name, rule) for theirs, ours in rows for name in theirs.split(", ")
              for rule in re.findall(r"`([^`]+)`", ours)}  # fmt: skip
    assert {(kin.theirs, kin.rule) for kin in KIN} <= listed
