"""The table of doors lists what is shipped, and its cells are tried."""

import re
from pathlib import Path

import pytest

from optdsl.library import shipped
from tests.doors import cards_column, torch_column

PAGE = (Path(__file__).parents[2] / "docs" / "doors.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", re.MULTILINE)


def test_every_shipped_definition_has_a_row():
    rows = {name: family for name, family, _ in ROW.findall(PAGE)}
    assert rows == {name: each.family for name, each in shipped().items()}


@pytest.mark.parametrize("name", ["SGD", "SAM"])
def test_cells_of_cards_are_what_happens(name):
    cells = {name: cells for name, _, cells in ROW.findall(PAGE)}
    found = cards_column.cell(name, shipped()[name].family).replace(": ", ", ", 1)
    assert cells[name].split(" | ")[1] == found


@pytest.mark.parametrize("name", ["Adam", "SAM", "Polyak", "ClipByGlobalNorm", "Cosine"])
def test_cells_of_pytorch_are_what_happens(name):
    cells = {name: cells for name, _, cells in ROW.findall(PAGE)}
    found = torch_column.cell(name, shipped()[name].family).replace(": ", ", ", 1)
    assert cells[name].split(" | ")[0] == found
