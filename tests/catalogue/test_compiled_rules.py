"""The rules of the catalogue, compiled, along the same walks."""

from __future__ import annotations

import pytest

from tests.catalogue.cases import all_cases
from tests.catalogue.compare import check

pytestmark = pytest.mark.usefixtures("one_thread")

QUICK = {"AggMo", "LARS", "NAdam", "Rprop", "SWATS"}


@pytest.mark.parametrize("case", [c for c in all_cases() if c.rule in QUICK], ids=str)
def test_walks_compiled(case):
    check(case, "float32", "numba-cpu")


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in all_cases() if c.rule not in QUICK], ids=str)
def test_every_rule_walks_compiled(case):
    """In float64, which tells more; tests of numerics hold float32 to it step by step."""
    check(case, "float64", "numba-cpu")
