"""Cases of which the quick tests run a few, and the slow ones the rest."""

from collections.abc import Collection, Iterable

import pytest


def sampled(cases: Iterable[object], quick: Collection[str]) -> list[object]:
    """Return cases as parameters: those whose names are not in `quick` are slow.

    >>> [bool(case.marks) for case in sampled(["SGD", "Adam"], {"Adam"})]
    [True, False]
    """
    slow = pytest.mark.slow
    return [
        pytest.param(case, id=str(case), marks=[] if str(case) in quick else [slow])
        for case in cases
    ]
