"""How long it takes from nothing to the first step, in processes of their own.

Python finds its own bytecode, as after an installation; what optdsl keeps is there or not, as each
row says. Lark does without interegular, which only the tests need: where that is installed, Lark
spends half a second on a check that they make.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.cases import OURS, Row, _row
from benchmarks.race import Times
from optdsl.codegen.library.objects import c_compiler

_ALONE = "import sys; sys.modules['interegular'] = None\n"
_COMPILE = _ALONE + "from optdsl.commands import main; main(['compile', 'Adam', '-o', {folder!r}])"
_BY_NAME = """
import numpy as np, optdsl
w = np.ones(3, np.float32)
optdsl.load("Adam")([w]).step([w.copy()])
"""
_OPTDSL = (sys.executable, "-m", "optdsl")
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
        count = max(3, rounds // 2)
        cold = [_seconds(_compile(f"{folder}/out{i}"), folder, f"cold{i}") for i in range(4)][1:]
        by_name = _after_one(_python(_BY_NAME), folder, count)
        code = _OF_A_MODULE.format(folder=f"{folder}/out0")
        of_a_module = _after_one(_python(code), folder, count)
        of_a_library = _of_a_library(folder, count)
        everything = _together([_part(0), _part(1)], folder, "everything")
    yield _timed("`optdsl compile Adam`, nothing cached", cold, 1.5)
    yield _timed("first step of a compiled module", of_a_module, 0.7)
    yield _timed('first step of `optdsl.load("Adam")`', by_name, 0.7)
    if of_a_library:
        yield _timed("first step of a library's module", of_a_library, 0.25)
    yield _timed("all shipped rules from nothing, in two processes", [everything], 90)


_Found = tuple[float, float]  # seconds, and of them processor time


def _timed(what: str, found: list[_Found], limit: float) -> Row:
    times = {OURS: Times(tuple(seconds for seconds, _ in found)), "limit": Times((limit,))}
    busy = 1e3 * sorted(each for _, each in found)[len(found) // 2]
    return replace(_row("start", what, "limit", times, 1), note=f"{busy:.0f} ms of processor time")


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def _compile(folder: str) -> list[str]:
    return _python(_COMPILE.format(folder=folder))


def _of_a_library(folder: str, count: int) -> list[_Found]:
    """Return the times to a first step of a library, none where nothing can link one."""
    if c_compiler() is None:
        return []
    made = f"{folder}/library"
    _seconds([*_OPTDSL, "compile", "Adam", "-t", "library", "-o", made], folder, "warm")
    return _after_one(_python(_OF_A_MODULE.format(folder=made)), folder, count)


def _part(part: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.everything", str(part), "2"]


def _after_one(command: list[str], folder: str, count: int) -> list[_Found]:
    """Return the times of some runs with everything in the cache."""
    _seconds(command, folder, "warm")
    return [_seconds(command, folder, "warm") for _ in range(count)]


def _seconds(command: list[str], folder: str, cache: str) -> _Found:
    return _together([command], folder, cache)


def _together(commands: list[list[str]], folder: str, cache: str) -> _Found:
    """Return how long it takes to run commands at once, and the processor time they take."""
    environment = {
        **os.environ,
        "OPTDSL_CACHE_DIR": f"{folder}/{cache}",
        "PYTHONPYCACHEPREFIX": f"{folder}/bytecode",
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begin, busy = time.perf_counter(), _processor_time()
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        for command in commands
    ]
    statuses = [each.wait() for each in running]
    if any(statuses):
        raise RuntimeError(f"{commands} failed")
    return time.perf_counter() - begin, _processor_time() - busy


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
