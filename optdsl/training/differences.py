"""Central differences along one entry, and how far they can be trusted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

EPSILON = float(np.finfo(np.float64).eps)
STEP = EPSILON ** (1 / 3)  # balances rounding, eps |f|/h, and truncation, h^2 |f'''|/6
ROUNDINGS = 10  # units in the last place by which a loss may be off
SHRINK = 4
TRIES = 4


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference quotient of a loss, and its errors.

    `slope` is the central quotient; `bend` is by how much the quotients ahead and behind differ,
    and `noise` the size of what rounding of the loss leaves in each.
    """

    slope: float
    bend: float
    noise: float

    def is_faint(self, derivative: float, tolerance: float) -> bool:
        """Whether both are so small that rounding of the loss hides their relative error."""
        return max(abs(derivative), abs(self.slope)) < self.noise / tolerance

    def relative_error(self, derivative: float, tolerance: float, slack: float = 0.0) -> float:
        """Return how far off `derivative` is: |a - n| / max(|a|, |n|, noise/tolerance).

        The last term keeps rounding alone from exceeding the tolerance. `slack` is taken off the
        distance. What is not finite is infinitely far off.
        """
        if not (math.isfinite(derivative) and math.isfinite(self.slope)):
            return math.inf
        distance = max(abs(derivative - self.slope) - slack, 0.0)
        scale = max(abs(derivative), abs(self.slope), self.noise / tolerance)
        return distance / scale if distance else 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """The loss along one entry of the parameters.

    Arguments:
        loss: the loss at what `entries` holds.
        at: its value before anything moves.
        entries: all entries of a parameter, seen as one row.
        index: the entry that moves.
    """

    loss: Callable[[], float]
    at: float
    entries: npt.NDArray[np.float64]
    index: int

    def difference(self, step: float) -> Difference:
        """Move the entry to both sides, and put it back.

        n = (f(x + h) - f(x - h)) / 2h,  h = step max(1, |x|)
        """
        here = float(self.entries[self.index])
        width = step * max(1.0, abs(here))
        ahead, behind = here + width, here - width
        try:
            self.entries[self.index] = ahead
            above = self.loss()
            self.entries[self.index] = behind
            below = self.loss()
        finally:
            self.entries[self.index] = here
        # The differences of the entries as rounded, not the width that was meant.
        slope = (above - below) / (ahead - behind)
        bend = abs((above - self.at) / (ahead - here) - (self.at - below) / (here - behind))
        noise = ROUNDINGS * EPSILON * max(abs(above), abs(below)) / width
        return Difference(slope, bend, noise)

    def settled(self, step: float, tolerance: float) -> tuple[Difference, bool]:
        """Return a difference that a smaller step agrees with, and True; or the last, and False.

        A kink nearby (a ReLU that switches within the step) falsifies a difference. Two steps,
        one a quarter of the other, must give the same slope, and the bend must shrink with the
        step as that of a smooth loss does; else the step shrinks on. At a kink itself the
        bend stays.
        """
        wide = self.difference(step)
        for _ in range(TRIES):
            step /= SHRINK
            narrow = self.difference(step)
            same = narrow.relative_error(wide.slope, tolerance) <= tolerance
            if same and narrow.bend <= wide.bend / 2 + 2 * narrow.noise:
                return narrow, True
            wide = narrow
        return wide, False
