"""Print the largest errors: `python -m tests.numerics.report`.

Units in the last place per rule, of float32 steps against the float64 reference and of float64
steps of both targets against 50 digits; then how far trajectories part from those of torch and
Optax. With `--all`, of every shipped rule; with `--million`, a large tensor is among them.
"""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.numerics.judge import judge_double, judge_single
from tests.numerics.subjects import CHECKPOINTS, FEW, MANY, QUICK, rules, subject
from tests.numerics.walks import CASES, differences


def _worst(readings: list[Any]) -> str:
    found = max(readings, key=lambda each: each.ulps)
    return f"{found.ulps:.2f} ({found.value}, t = {found.t})"


def _steps(chosen_rules: tuple[str, ...], shapes: Any, checkpoints: tuple[int, ...]) -> Table:
    table = Table(title="Largest error of a step, in units in the last place")
    for column in ("rule", "gradients", "float32", "float64 numba-cpu", "float64 reference"):
        table.add_column(column)
    for rule in chosen_rules:
        chosen = subject(rule)
        if chosen.draws:
            continue
        for mode in chosen.modes:
            single = list(judge_single(chosen, mode, shapes))
            double = list(judge_double(chosen, mode, shapes, checkpoints=checkpoints))
            both = [[r for who, r in double if who == t] for t in ("numba-cpu", "reference")]
            table.add_row(rule, mode, _worst(single), *map(_worst, both))
    return table


def _trajectories(shapes: Any) -> Table:
    table = Table(title="Largest difference between trajectories of 200 steps")
    for column in ("walk", "beside", "float64", "float32"):
        table.add_column(column)
    for case in CASES:
        double, single = (differences(case, shapes, dtype) for dtype in ("float64", "float32"))
        for peer in case.peers:
            table.add_row(str(case), peer, f"{double[peer]:.1e}", f"{single[peer]:.1e}")
    return table


def main() -> None:
    every, million = "--all" in sys.argv[1:], "--million" in sys.argv[1:]
    shapes, checkpoints = (MANY, (2, 200)) if million else (FEW, CHECKPOINTS)
    console = Console(width=110)
    console.print(_steps(rules() if every else QUICK, shapes, checkpoints))
    console.print(_trajectories(shapes))


if __name__ == "__main__":
    main()
