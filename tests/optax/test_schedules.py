"""Shipped schedules and transforms by themselves, as functions of Optax."""

import pytest

from optdsl.library import shipped
from tests.doors.optax_column import cell

OTHERS = {name: each.family for name, each in shipped().items() if each.family != "optimizer"}
QUICK = ("Cosine", "WarmRestarts")


#: They keep something between steps, or skip some, and so work only within a rule.
WITHIN = {
    "Accumulate", "Halving", "Plateau", "PlateauAbsolute", "PlateauOfScore",
    "PlateauOfScoreAbsolute", "SkipNonfinite", "Unscale", "WarmRestarts",
}  # fmt: skip


def check(name):
    text = cell(name, OTHERS[name])
    assert text.startswith("works")
    assert (text != "works") == (name in WITHIN)


@pytest.mark.parametrize("name", QUICK)
def test_it_gives_what_arrays_get(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in OTHERS if name not in QUICK])
def test_each_gives_what_arrays_get(name):
    check(name)
