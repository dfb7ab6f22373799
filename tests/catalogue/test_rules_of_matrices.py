"""The rules that see a tensor as a matrix walk like implementations that none of us wrote."""

import pytest

from tests.catalogue.compare import BOUNDS, check
from tests.catalogue.of_matrices import CASES


@pytest.mark.parametrize("dtype", list(BOUNDS))
@pytest.mark.parametrize("case", CASES, ids=str)
def test_walks_like_the_other(case, dtype):
    check(case, dtype)
