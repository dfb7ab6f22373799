"""Which of several rules a tensor takes."""

from __future__ import annotations

from collections.abc import Sequence

from optdsl.runtime.facts import Facts
from optdsl.runtime.layout import CaseSlot, Layout, StateSlot

ONLY = (0,)


def accepted(layout: Layout, facts: Facts) -> tuple[int, ...]:
    """Return the cases that a tensor can be in; a rule that does not choose has one."""
    if not layout.cases:
        return ONLY
    return tuple(n for n, case in enumerate(layout.cases) if case.accepts(facts))


def due(
    layout: Layout, accepted: Sequence[int], case: int | None, clocks: Sequence[int]
) -> tuple[int, list[int]]:
    """Return the case of the step that follows those that `clocks` counts, and its clocks.

    `case` is the one before, or None where there was none.
    """
    if len(accepted) == 1:
        return accepted[0], list(clocks)
    if case is not None and _holds(layout.cases[case], clocks):
        return case, list(clocks)
    for number in accepted:
        slot = layout.cases[number]
        kept = range(len(clocks)) if case is None else slot.kept[case]
        begun = [clock if part in kept else 0 for part, clock in enumerate(clocks)]
        if _holds(slot, begun):
            return number, begun
    raise AssertionError(f"no case of {layout.name} takes step {clocks}")


def _holds(slot: CaseSlot, clocks: Sequence[int]) -> bool:
    return all(
        after <= clocks[part] and (until is None or clocks[part] < until)
        for part, after, until in slot.windows
    )


def belongs(slot: StateSlot, case: int) -> bool:
    """Is a state one of this case?"""
    return not slot.cases or case in slot.cases


def begins(slot: StateSlot, case: int, started: int) -> bool:
    """Does a state begin with this case, where `started` is one more than the case before?"""
    return belongs(slot, case) and (started == 0 or not belongs(slot, started - 1))
