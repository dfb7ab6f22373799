"""What is measured, one function a table; each row is a ratio beside its bar."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numba
import numpy as np

import optdsl
from benchmarks.machine import available_memory
from benchmarks.peers import Step, deepspeed_step, missing, optax_step, ours, torch_step
from benchmarks.race import Times, race
from benchmarks.roofline import mover
from optdsl.library import shipped

LARGE = 16_000_000
#: Entries that one thread does alone and that stay in its caches, to see what arithmetic takes:
#: what the larger takes more, as a call takes its time for no entry at all.
CACHED = 8_192, 32_768
OURS, PLAIN, WIDE = "optdsl", "the same arrays merely moved", "states of float32"
DEEP = "DeepSpeed's CPU Adam"


@dataclass(frozen=True)
class Row:
    """A comparison: `ratio` is how many times as fast as the other we are, by medians.

    `least` is the same of the fastest rounds, which other work on the machine disturbs less.
    """

    table: str
    what: str
    other: str
    milliseconds: float
    other_milliseconds: float
    ratio: float
    least: float
    bar: float | None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Is the bar met? None where there is none."""
        return None if self.bar is None else self.ratio >= self.bar

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return {**asdict(self), "met": self.met}


def _row(
    table: str, what: str, other: str, times: dict[str, Times], bar: float | None, note: str = ""
) -> Row:
    mine, theirs = times[OURS], times[other]
    return Row(
        table, what, other, 1e3 * mine.median, 1e3 * theirs.median,
        theirs.median / mine.median, theirs.least / mine.least, bar, note,
    )  # fmt: skip


# ------------------------------------------------------------------------- Adam


def adam(rounds: int, size: int = LARGE) -> Iterator[Row]:
    """Adam beside a plain kernel and its peers: one large tensor, then a thousand small ones."""
    bars = {"PyTorch fused": 2.2, "PyTorch foreach": 2.2, "Optax under jit": 1.6, DEEP: 1.1}
    yield from _adam(f"one tensor of {size:,}", [size], {PLAIN: 0.92, **bars}, rounds)
    bars = {"PyTorch fused": 15, "PyTorch foreach": 15, "Optax under jit": 12, DEEP: 1.1}
    yield from _adam("1,000 tensors of 1,000", [1000] * 1000, bars, rounds)


def _adam(what: str, sizes: list[int], bars: dict[str, float], rounds: int) -> Iterator[Row]:
    step, optimizer = ours("Adam", sizes)
    contenders: dict[str, Step] = {OURS: step}
    if PLAIN in bars:
        contenders[PLAIN] = mover(optimizer)
    absent = missing()
    if "PyTorch" not in absent:
        contenders["PyTorch fused"] = torch_step("Adam", sizes, fused=True)
        contenders["PyTorch foreach"] = torch_step("Adam", sizes, foreach=True)
    if "Optax" not in absent:
        contenders["Optax under jit"] = optax_step("adam", sizes)
    if "DeepSpeed" not in absent:
        contenders[DEEP] = deepspeed_step(sizes)
    times = race(contenders, rounds)
    for other, bar in bars.items():
        if other in times:
            yield _row("Adam", what, other, times, bar)


def without_fused(rounds: int, size: int = LARGE) -> Iterator[Row]:
    """One-pass rules for which PyTorch has no fused kernel, beside the best that it has."""
    if "PyTorch" in missing():
        return
    for rule in ("RMSprop", "NAdam", "Rprop", "Adadelta", "RAdam", "Adamax"):
        if rule not in shipped():
            continue
        step, _ = ours(rule, [size])
        theirs = {
            f"PyTorch, foreach={each}": torch_step(rule, [size], foreach=each)
            for each in (True, False)
        }
        times = race({OURS: step, **theirs}, max(3, rounds // 3))
        best = min(theirs, key=lambda name: times[name].median)
        times["PyTorch's best"] = times[best]
        yield _row("without a fused PyTorch kernel", rule, "PyTorch's best", times, 5)
        del step, theirs
        gc.collect()


def narrow(rounds: int, size: int = LARGE) -> Iterator[Row]:
    """Adam with both states in fewer bits, beside Adam with states of float32."""
    wide, _ = ours("Adam", [size])
    for text in (
        "bfloat16", "float16", "int8 blockwise(256)", "bfloat16 stochastic",
        "int8 blockwise(256) stochastic",
    ):  # fmt: skip
        step, optimizer = ours("Adam", [size], storage=dict.fromkeys("mv", text))
        times = race({OURS: step, WIDE: wide}, rounds)
        kept = sum(
            array.nbytes for name in "mv" for array in optimizer._engine.tensors.stream(name)
        )
        bar = None if "stochastic" in text else 1.0
        aim = "" if bar is None else "aim 1.25; "
        note = f"{aim}states of {kept / size:.3g} bytes a parameter, not 8"
        yield _row("states in fewer bits", f"Adam, m and v {text}", WIDE, times, bar, note)
        del step, optimizer
        gc.collect()


# ------------------------------------------------------------------------ rules


def _rules(passes: int) -> list[str]:
    found = []
    for name, item in shipped().items():
        if item.family != "optimizer":
            continue
        stages = optdsl.load(name).layout.ready or ()
        kinds = [type(stage).__name__ for stage in stages]
        if kinds.count("Pass") == passes and not {"Matrices", "Together"} & set(kinds):
            found.append(name)
    return found


def one_pass(rounds: int, size: int = LARGE) -> Iterator[Row]:
    """Every shipped rule of one pass beside a plain kernel that moves its arrays."""
    for rule in _rules(1):
        yield from _beside_plain("one pass", rule, 0.92, rounds, size)


def two_passes(rounds: int, size: int = LARGE) -> Iterator[Row]:
    """Rules that need a norm first, beside a plain kernel that moves the arrays of both passes."""
    for rule in ("ClipByGlobalNorm | Adam", "ClipByGlobalNorm | SGD", "LARS", "LAMB"):
        yield from _beside_plain("two passes", rule, 0.85, rounds, size)


def _beside_plain(table: str, rule: str, bar: float, rounds: int, size: int) -> Iterator[Row]:
    try:
        step, optimizer = ours(rule, [size], **_needed(rule))
        times = race({OURS: step, PLAIN: mover(optimizer)}, rounds)
    except ValueError as error:  # it needs more than gradients and a loss
        nothing = float("nan")
        first = str(error).splitlines()[0]
        yield Row(table, rule, PLAIN, nothing, nothing, nothing, nothing, None, first)
        return
    row = _row(table, rule, PLAIN, times, bar)
    del step, optimizer
    gc.collect()
    if row.met:
        yield row
        return
    alone = _arithmetic(rule) * size
    note = (
        f"arithmetic alone takes {1e3 * alone:.1f} ms, {1e3 * alone / row.milliseconds:.0%} of it"
    )
    yield Row(**{**asdict(row), "note": note})


def _arithmetic(rule: str) -> float:
    """Return the seconds an entry that a rule takes where nothing comes from memory.

    One thread is timed on data in its own caches, and as many as there are share the work.
    """
    less, more = (
        race({OURS: ours(rule, [entries], **_needed(rule))[0]}, 25, 0.003)[OURS].least
        for entries in CACHED
    )
    return (more - less) / (CACHED[1] - CACHED[0]) / numba.get_num_threads()


def _needed(rule: str) -> dict[str, Any]:
    """Return a value for each hyperparameter that has no default."""
    slots = optdsl.load(rule).layout.hyperparameters
    return {s.alias if s.alias and s.alias_position is None else s.name: 0.5
            for s in slots if s.default is None}  # fmt: skip


# ------------------------------------------------------------------------ sizes


def mixed(rounds: int) -> Iterator[Row]:
    """Ten thousand tensors of one to four million entries beside one of the same total."""
    sizes = [4_000_000] * 4 + [1_000_000] * 8 + [65_536] * 60 + [1024] * 3000
    sizes += [128] * (10_000 - len(sizes) - 1000) + [1] * 1000
    random = np.random.default_rng(0)
    step, _ = ours("Adam", [int(size) for size in random.permutation(sizes)])
    flat, _ = ours("Adam", [sum(sizes)])
    times = race({OURS: step, "one flat tensor": flat}, rounds)
    yield _row("many sizes", f"Adam, 10,000 tensors, {sum(sizes):,}", "one flat tensor", times, 0.9)


def sweep(rounds: int, chosen: list[int] | None = None) -> Iterator[dict[str, float]]:
    """Give the seconds of Adam and of its plain kernel, from a thousand entries to what fits.

    They are those of the fastest turns: a loop of Numba's waits for its slowest thread, for as
    long as other work keeps that from running.
    """
    for size in chosen or sizes(16):
        step, optimizer = ours("Adam", [size])
        turns = 2 * rounds if size < 1e6 else rounds
        times = race({OURS: step, PLAIN: mover(optimizer)}, turns, 0.003)
        yield {"size": size, "step": times[OURS].least, "moved": times[PLAIN].least}
        del step, optimizer
        gc.collect()


def sizes(width: int) -> list[int]:
    """Return sizes from a thousand to a thousand million, as half of the free memory holds.

    Each entry takes so many bytes, four sizes in every power of ten.
    """
    free = available_memory()
    known = [round(10 ** (power / 4)) for power in range(12, 37)]
    return [size for size in known if free is None or size * width < free / 2]


def overhead(rounds: int) -> Iterator[Row]:
    """A call of `step` with next to nothing to do, beside the time it may take."""
    for sizes, limit in (([1], 15e-6), ([1] * 1000, 60e-6)):
        step, _ = ours("Adam", sizes)
        # In turns so short that other work seldom falls into one.
        times = race({OURS: step}, 20 * rounds, 0.001)
        times["limit"] = Times((limit,))
        what = f"Adam, {len(sizes):,} tensor{'s' * (len(sizes) > 1)} of one entry"
        yield _row("a call of step", what, "limit", times, 1)
