"""Timing several things side by side, on a machine that does other work too."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Times:
    """The seconds of one call, round by round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median over all rounds."""
        return median(self.rounds)

    @property
    def least(self) -> float:
        """The fastest round."""
        return min(self.rounds)


def race(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int = 15,
    seconds: float = 0.02,
    settling: float = 0.005,
) -> dict[str, Times]:
    """Time each contender in every round, one behind the other, in turns of about `seconds`.

    Each turn begins with a call, and calls for `settling` seconds, that are not timed: nobody pays
    for what the one before left in the caches, or for its threads: those of PyTorch look out for
    more work for some milliseconds, and keep others from a processor. The order is reversed from
    round to round. There is no rest between turns: one of 30 ms made the plain kernel's threads
    fall asleep, and us look a fifth faster.
    """
    counts = {name: _count(run, seconds) for name, run in contenders.items()}
    found: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name in order:
                run, count = contenders[name], counts[name]
                begin = time.perf_counter()
                run()
                while time.perf_counter() < begin + settling:
                    run()
                begin = time.perf_counter()
                for _ in range(count):
                    run()
                found[name].append((time.perf_counter() - begin) / count)
            order.reverse()
    finally:
        if enabled:
            gc.enable()
    return {name: Times(tuple(each)) for name, each in found.items()}


def _count(run: Callable[[], object], seconds: float) -> int:
    run()
    begin = time.perf_counter()
    run()
    return max(1, round(seconds / max(time.perf_counter() - begin, 1e-9)))
