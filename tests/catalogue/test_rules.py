"""Every rule of the catalogue walks like an implementation that none of us wrote.

The comparisons are in the files `of_*.py` beside this one; `compare.py` says how to write one.
"""

from __future__ import annotations

import pytest

from tests.catalogue.cases import all_cases
from tests.catalogue.compare import BOUNDS, check


@pytest.mark.parametrize("dtype", list(BOUNDS))
@pytest.mark.parametrize("case", all_cases(), ids=str)
def test_walks_like_the_other(case, dtype):
    check(case, dtype)
