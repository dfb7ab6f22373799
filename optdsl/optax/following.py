"""Rules that follow each other: which one comes next, told by clocks that may be traced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from optdsl.runtime.functional import Case, Functions, StateSlot


def standing(functions: Functions, cohorts: Sequence[tuple[int, ...]]) -> Any:
    """Return for each cohort the case of the first step, and again as the one before."""
    rows = []
    for accepted in cohorts:
        first = next(
            number
            for number in accepted
            if all(after == 0 for _, after, _ in functions.cases[number].windows)
        )
        rows.append([first, first])
    return jnp.asarray(rows, jnp.int32)


def begun(
    functions: Functions, accepted: Sequence[int], number: int, slot: StateSlot, cases: Any
) -> Any:
    """Is this the step in which a cohort comes to a case, from one without this state?"""
    without = [
        other
        for other in accepted
        if other != number and slot.name not in (s.name for s in functions.cases[other].states)
    ]
    if not without:
        return False
    came = jnp.zeros((), bool)
    for other in without:
        came = came | (cases[1] == other)
    return came & (cases[0] == number)


def going_on(
    functions: Functions, accepted: Sequence[int], now: Any, clocks: list[Any]
) -> tuple[Any, list[Any]]:
    """Return the case of the step to come, and the clocks with which it begins.

    The rule stays while its windows hold; else the first one takes over whose windows do, with
    the clocks that it keeps.
    """
    after, moved = now, clocks
    for old in accepted:
        leaves = (now == old) & ~_holds(functions.cases[old], clocks)
        decided = jnp.zeros((), bool)
        for number in accepted:
            case = functions.cases[number]
            kept = case.kept[old] if case.kept else range(len(clocks))
            new = [clock if p in kept else jnp.zeros_like(clock) for p, clock in enumerate(clocks)]
            enters = leaves & ~decided & _holds(case, new)
            after = jnp.where(enters, number, after)
            moved = [jnp.where(enters, a, b) for a, b in zip(new, moved, strict=True)]
            decided = decided | enters
    return after, moved


def _holds(case: Case, clocks: Sequence[Any]) -> Any:
    held = jnp.ones((), bool)
    for part, after, until in case.windows:
        held = held & (clocks[part] >= after)
        if until is not None:
            held = held & (clocks[part] < until)
    return held
