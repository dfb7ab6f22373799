"""What a step tells of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optdsl.runtime.engine import Selection


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step did.

    `skipped` says that a rule such as `SkipNonfinite` kept every parameter that had a
    gradient from its step; it is None where only a card knows, and `taken` then counts those that
    took the step unless it was skipped. `taken` counts, for each part of a composition, the
    parameters that took a step in it. `loss` is what was handed in with
    gradients, or what a function of gradients gave at the first point, or None.
    """

    skipped: bool | None
    taken: tuple[int, ...]
    loss: Any = None


class Results:
    """Makes results; one that is equal to the last is the same object, which is quicker.

    It is not `decided` here whether a step was skipped where a card does so by itself.
    """

    def __init__(self, decided: bool = True) -> None:
        self._decided = decided
        self._last: StepResult | None = None

    def of(self, taken: Sequence[Selection], given: int, loss: Any = None) -> StepResult:
        """Return the result of a step for so many gradients; `taken` took it, part by part."""
        counts = tuple([len(selection.identities) for selection in taken])
        skipped = given > 0 and counts[-1] == 0 if self._decided else None
        last = self._last
        if loss is None and last is not None and (last.skipped, last.taken) == (skipped, counts):
            return last
        result = StepResult(skipped, counts, loss)
        self._last = result if loss is None else None
        return result
