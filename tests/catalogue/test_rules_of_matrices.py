"""The rules that see a tensor as a matrix walk like implementations that none of us wrote."""

import pytest

from tests.catalogue.compare import check
from tests.catalogue.of_matrices import CASES


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_walks_like_the_other(case, dtype):
    check(case, dtype)
