"""The model of costs beside the clock: what it predicts on this machine, and what is measured.

The bandwidth is that of a plain loop over arrays of the same size, timed in turns with the rule;
the time of a launch is that of a step with nothing to do. No rule is fitted.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np

from benchmarks.cases import OURS, Row
from benchmarks.peers import Step, arrays, ours
from benchmarks.race import race
from benchmarks.roofline import move
from optdsl.library import load_system
from optdsl.program import lower
from optdsl.program.timing import Machine, launches, predicted_seconds

RULES = ("SGD", "Momentum", "Adam", "Adadelta", "LAMB", "ClipByGlobalNorm | Adam")
SIZES = (1_000_000, 16_000_000)
_PLAIN = "a plain loop"


def predictions(rounds: int) -> Iterator[Row]:
    """Rules beside what the model of costs predicts for them."""
    nothing, _ = ours("SGD", [1])
    launch = race({OURS: nothing}, rounds)[OURS].median
    for size in SIZES:
        for rule in RULES:
            yield _beside(rule, size, launch, rounds)
            gc.collect()


def _beside(rule: str, size: int, launch: float, rounds: int) -> Row:
    program = lower(load_system(rule), "ready")
    assert program is not None
    found = launches(program)
    assert found is not None
    step, _ = ours(rule, [size])
    plain, moved = _plain_loop(size)
    times = race({OURS: step, _PLAIN: plain}, max(5, rounds // 2))
    machine = Machine("this machine", moved / times[_PLAIN].median, launch)
    expected = predicted_seconds(found, size, machine)
    measured = times[OURS]
    note = f"{machine.bandwidth / 1e9:.1f} GB/s, {launch * 1e6:.0f} us a launch"
    return Row(
        "model of costs", f"{rule}, {size:,}", "what is predicted", 1e3 * measured.median,
        1e3 * expected, expected / measured.median, expected / measured.least, None, note,
    )  # fmt: skip


def _plain_loop(size: int) -> tuple[Step, int]:
    """Return what reads two arrays and writes one of them, and how many bytes that moves."""
    read, written = arrays([size, size], 0)
    totals, amount = np.zeros(-(-size // 4096)), np.float32(0)
    return lambda: move((written,), (read,), amount, totals), 3 * written.nbytes
