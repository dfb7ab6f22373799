"""How long it takes from nothing to the first step, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from benchmarks.cases import OURS, Row, _row
from benchmarks.race import Times

_FIRST_STEP = """
import numpy as np, optdsl
w = np.ones(3, np.float32)
optdsl.load("Adam")([w]).step([w.copy()])
"""


def starts(rounds: int) -> Iterator[Row]:
    """Compiling from nothing, and a first step with a warm cache, beside the time they may take."""
    with tempfile.TemporaryDirectory() as folder:
        cold = [_seconds([*_OPTDSL, "compile", "Adam", "-o", f"{folder}/out{i}"], f"{folder}/{i}")
                for i in range(3)]  # fmt: skip
        code = [sys.executable, "-c", _FIRST_STEP]
        _seconds(code, f"{folder}/warm")
        warm = [_seconds(code, f"{folder}/warm") for _ in range(max(3, rounds // 2))]
    for what, found, limit in (
        ("`optdsl compile Adam`, nothing cached", cold, 1.5),
        ("process start to first step, cached", warm, 0.7),
    ):
        times = {OURS: Times(tuple(found)), "limit": Times((limit,))}
        yield _row("start", what, "limit", times, 1)


_OPTDSL = (sys.executable, "-m", "optdsl")


def _seconds(command: list[str], cache: str) -> float:
    environment = {**os.environ, "OPTDSL_CACHE_DIR": cache}
    begin = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin
