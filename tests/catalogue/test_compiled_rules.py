"""The rules of the catalogue, compiled: on vectors, and along the same walks."""

from __future__ import annotations

import pytest

from optdsl.codegen import compile_system
from optdsl.codegen.inspection import llvm_text, runs_on_vectors
from optdsl.library import load_system, single_rules
from tests.catalogue.cases import all_cases
from tests.catalogue.compare import BOUNDS, check

pytestmark = pytest.mark.usefixtures("one_thread")

RULES = sorted({case.rule for case in all_cases()} & set(single_rules()))
QUICK = {"AggMo", "LARS", "NAdam", "Rprop", "SWATS"}


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_loops_run_on_vectors(name):
    texts = llvm_text(compile_system(load_system(name)), "float32")
    assert all(runs_on_vectors(text) for text in texts)


@pytest.mark.parametrize("case", [c for c in all_cases() if c.rule in QUICK], ids=str)
def test_walks_compiled(case):
    check(case, "float32", "numba-cpu")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", list(BOUNDS))
@pytest.mark.parametrize("case", [c for c in all_cases() if c.rule not in QUICK], ids=str)
def test_every_rule_walks_compiled(case, dtype):
    check(case, dtype, "numba-cpu")
