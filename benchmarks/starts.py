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
from optdsl.codegen.library.objects import c_compiler

_BY_NAME = """
import numpy as np, optdsl
w = np.ones(3, np.float32)
optdsl.load("Adam")([w]).step([w.copy()])
"""
_OF_A_MODULE = """
import sys
sys.path.insert(0, {folder!r})
import numpy as np
from adam import Adam
w = np.ones(3, np.float32)
Adam([w]).step([w.copy()])
"""


def starts(rounds: int) -> Iterator[Row]:
    """Compiling from nothing, and a first step with a warm cache, beside the time they may take."""
    with tempfile.TemporaryDirectory() as folder:
        cold = [_seconds([*_OPTDSL, "compile", "Adam", "-o", f"{folder}/out{i}"], f"{folder}/{i}")
                for i in range(3)]  # fmt: skip
        count = max(3, rounds // 2)
        by_name = _after_one([sys.executable, "-c", _BY_NAME], f"{folder}/0", count)
        code = _OF_A_MODULE.format(folder=f"{folder}/out0")
        of_a_module = _after_one([sys.executable, "-c", code], f"{folder}/0", count)
        of_a_library = _of_a_library(folder, count)
    for what, found, limit in (
        ("`optdsl compile Adam`, nothing cached", cold, 1.5),
        ("first step of a compiled module", of_a_module, 0.7),
        ('first step of `optdsl.load("Adam")`', by_name, 0.7),
        ("first step of a library's module", of_a_library, 0.25),
    ):
        if not found:
            continue
        times = {OURS: Times(tuple(found)), "limit": Times((limit,))}
        yield _row("start", what, "limit", times, 1)


_OPTDSL = (sys.executable, "-m", "optdsl")


def _of_a_library(folder: str, count: int) -> list[float]:
    """Return the seconds to a first step of a library, none where nothing can link one."""
    if c_compiler() is None:
        return []
    _seconds([*_OPTDSL, "compile", "Adam", "-t", "library", "-o", f"{folder}/library"], folder)
    code = _OF_A_MODULE.format(folder=f"{folder}/library")
    return _after_one([sys.executable, "-c", code], folder, count)


def _after_one(command: list[str], cache: str, count: int) -> list[float]:
    """Return the seconds of some runs with everything in the cache."""
    _seconds(command, cache)
    return [_seconds(command, cache) for _ in range(count)]


def _seconds(command: list[str], cache: str) -> float:
    environment = {**os.environ, "OPTDSL_CACHE_DIR": cache}
    begin = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin
