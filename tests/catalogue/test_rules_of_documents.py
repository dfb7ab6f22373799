"""The rules of the source documents walk like implementations that none of us wrote."""

from __future__ import annotations

import pytest

from tests.catalogue.compare import check
from tests.catalogue.of_documents import CASES


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_walks_like_the_other(case, dtype):
    check(case, dtype)
