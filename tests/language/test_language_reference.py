"""The language reference: every block of it reads and can be formatted."""

import re
from pathlib import Path

import pytest

from optdsl.language import format_file, parse

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "language.md"
BLOCKS = re.findall(r"^```opt\n(.*?)^```$", REFERENCE.read_text(encoding="utf-8"), re.M | re.S)


def test_the_reference_has_examples():
    assert len(BLOCKS) > 20


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: " ".join(block.split()[:3]))
def test_block_reads_and_formats(block):
    text = format_file(parse(block))
    assert format_file(parse(text)) == text
