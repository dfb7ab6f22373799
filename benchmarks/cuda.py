"""Kernels on a card: are they right, and how fast are they? `python -m benchmarks.cuda`

In one run: every rule beside the NumPy reference; then bandwidth beside that of the card's own
copy, beside what the model of costs predicts, and beside PyTorch (fused and foreach) and Apex.
Where there is no card it says so, and that is no error.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

import optdsl
from benchmarks.cases import Row
from optdsl.diagnostics import DiagnosticError
from optdsl.library import load_system, shipped, single_rules
from optdsl.program import lower
from optdsl.program.timing import Machine, launches, predicted_seconds
from optdsl.runtime import RuntimeRefusal

LARGE = 100_000_000
#: Rules that PyTorch steps with a fused kernel; the others it steps tensor by tensor at once.
FUSED = ("Adam", "AdamW", "SGD", "Adagrad")
FOREACH = ("RMSprop", "NAdam", "Adadelta", "RAdam", "AdaMax", "Rprop")
#: Columns of what is stepped: some rules tell rows and columns apart.
WIDE = 10_000
#: Rules whose bandwidth is shown, with peers or without.
ALONE = ("Momentum", "Lion", "AdaBelief", "LAMB", "ClipByGlobalNorm | Adam", "Adafactor")
#: Bars: of the card's copy, of PyTorch fused, of PyTorch foreach.
COPY, BESIDE_FUSED, BESIDE_FOREACH = 0.9, 1.0, 5.0
_SIZES = ((), (1,), (70,), (33, 57), (100_003,))

Step = Callable[[], object]


def card(torch: Any = None) -> Any:
    """Return the module of PyTorch where it reaches a card, else None."""
    if torch is None:
        if find_spec("torch") is None:
            return None
        import torch
    return torch if torch.cuda.is_available() else None


def main() -> int:
    """Check and measure; return 1 where a rule differs from the reference."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cuda", description=__doc__)
    parser.add_argument("--size", type=int, default=LARGE, help="parameters (100 million)")
    arguments = parser.parse_args()
    torch = card()
    if torch is None:
        print("There is no CUDA card that PyTorch can reach on this machine: nothing is measured.")
        return 0
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
    wrong = [rule for rule in _rules() if not _shown(rule, torch)]
    for row in measured(torch, arguments.size):
        mark = {True: "met", False: "MISSED", None: ""}[row.met]
        bar = "" if row.bar is None else f"bar {row.bar:g}"
        print(f"{row.what:30} {row.milliseconds:8.3f} ms  {row.ratio:5.2f}x of {row.other:24} "
              f"{bar} {mark}  {row.note}")  # fmt: skip
    if wrong:
        print(f"differ from the reference: {', '.join(wrong)}")
    return 1 if wrong else 0


# ---------------------------------------------------------------------- are they right


def _rules() -> list[str]:
    return [name for name in single_rules() if shipped()[name].family == "optimizer"]


def _shown(rule: str, torch: Any) -> bool:
    """Print how far a rule on the card is from the reference; return whether that is near."""
    try:
        error = difference(rule, torch)
    except (DiagnosticError, RuntimeRefusal) as refused:
        print(f"{rule:30} not run: {str(refused).splitlines()[0]}")
        return True
    good = error < 1e-4
    print(f"{rule:30} {error:.1e} from the reference{'' if good else '  WRONG'}")
    return good


def difference(rule: str, torch: Any, steps: int = 3) -> float:
    """Return how far float32 steps on the card are from float64 steps of the reference.

    The greatest difference of displacements, relative to the greatest displacement; what rounding
    the parameters to float32 in each step may make of it is not counted.
    """
    random = np.random.default_rng(0)
    # Small beside the steps, so that rounding the parameters does not hide a wrong step.
    starts = [np.asarray(0.01 * random.standard_normal(shape)) for shape in _SIZES]
    hypers = {slot.name: 0.5 for slot in optdsl.load(rule).layout.hyperparameters
              if slot.default is None}  # fmt: skip
    # Random numbers of float32 are others than those of float64: they are held to the CPU target.
    draws = optdsl.load(rule).layout.seed is not None
    target, dtype = ("numba-cpu", np.float32) if draws else ("reference", np.float64)
    exact = [start.astype(np.float32).astype(dtype) for start in starts]
    held = [torch.tensor(start, dtype=torch.float32, device="cuda") for start in starts]
    reference = optdsl.load(rule, target)(exact, **hypers)
    ours = optdsl.load(rule, "cuda")(held, **hypers)
    for _ in range(steps):
        given = [np.asarray(random.standard_normal(s), np.float32) for s in _SIZES]
        if ours.layout.ready is None:
            reference.step(lambda points, given=given: _at(points, given, dtype))
            ours.step(lambda points, given=given: [
                torch.tensor(each, device="cuda")
                for each in _at([p.copy_to_host() for p in points], given, np.float32)
            ])  # fmt: skip
            continue
        reference.step([each.astype(dtype) for each in given], loss=1.0)
        ours.step([torch.tensor(each, device="cuda") for each in given], loss=1.0)
    pairs = [
        (np.abs(a.cpu().numpy() - b), np.abs(b - start.astype(np.float32)))
        for a, b, start in zip(held, exact, starts, strict=True)
    ]
    far, moved = (max(float(np.max(each)) for each in side) for side in zip(*pairs, strict=True))
    largest = max(float(np.max(np.abs(each))) for each in exact)
    rounding = steps * float(np.finfo(np.float32).eps) * largest
    return max(far - rounding, 0.0) / max(moved, 1e-30)


def _at(points: Any, noise: list[Any], dtype: Any) -> list[Any]:
    """Return gradients that depend on the point, for rules that ask for several."""
    pairs = zip(points, noise, strict=True)
    return [np.asarray(np.cos(3 * np.asarray(p, float)) + n, dtype) for p, n in pairs]


# --------------------------------------------------------------------- how fast are they


def measured(torch: Any, size: int) -> Iterator[Row]:
    """Yield rules beside the card's copy, the model of costs, and peers."""
    machine = _machine(torch, size)
    print(f"copying moves {machine.bandwidth / 1e9:.0f} GB/s; "
          f"a launch takes {machine.launch * 1e6:.1f} us")  # fmt: skip
    for rule in (*FUSED, *FOREACH, *ALONE):
        yield from _of_rule(rule, torch, size, machine)
        torch.cuda.empty_cache()


def _of_rule(rule: str, torch: Any, size: int, machine: Machine) -> Iterator[Row]:
    program = lower(load_system(rule), "ready")
    found = None if program is None else launches(program)
    assert found is not None
    own = seconds(torch, _ours(rule, torch, size))
    moved = sum(each.read + each.written for each in found) * size
    achieved = f"{moved / own / 1e9:.0f} GB/s"
    copied = moved / machine.bandwidth
    yield _row(rule, "copying as many bytes", own, copied, COPY, achieved)
    yield _row(rule, "what is predicted", own, predicted_seconds(found, size, machine), None)
    for other, step, bar in peers(rule, torch, size):
        yield _row(rule, other, own, seconds(torch, step), bar)


def _row(
    rule: str, other: str, own: float, theirs: float, bar: float | None, note: str = ""
) -> Row:
    ratio = theirs / own
    return Row("card", rule, other, own * 1e3, theirs * 1e3, ratio, ratio, bar, note)


def _machine(torch: Any, size: int) -> Machine:
    """Return what predictions for this card are made from, as measured."""
    source, target = (torch.ones(size, device="cuda") for _ in range(2))
    copying = 2 * source.nbytes / seconds(torch, lambda: target.copy_(source))
    small = torch.ones(1, device="cuda")
    return Machine("this card", copying, seconds(torch, lambda: small.add_(1)))


def _ours(rule: str, torch: Any, size: int) -> Step:
    shape = (size // WIDE, WIDE) if size % WIDE == 0 else (size,)
    array, gradient = (torch.full(shape, 0.1, device="cuda") for _ in range(2))
    optimizer = optdsl.load(rule, "cuda")([array])
    return lambda: optimizer.step([gradient])


def peers(rule: str, torch: Any, size: int) -> Iterator[tuple[str, Step, float]]:
    """Yield other optimizers of the same rule: their name, a step, and the bar."""
    if rule in FUSED or rule in FOREACH:
        ways: dict[str, Any] = {"PyTorch foreach": {"foreach": True}}
        if rule in FUSED:
            ways = {"PyTorch fused": {"fused": True}, **ways}
        for other, how in ways.items():
            bar = BESIDE_FUSED if "fused" in how else BESIDE_FOREACH
            if rule in FUSED and "fused" not in how:
                bar = BESIDE_FUSED
            kind = getattr(torch.optim, {"AdaMax": "Adamax"}.get(rule, rule))
            yield other, _of_library(kind, torch, size, lr=1e-3, **how), bar
    names = {"Adam": "FusedAdam", "LAMB": "FusedLAMB", "SGD": "FusedSGD"}
    if rule in names and find_spec("apex") is not None:
        from apex import optimizers  # type: ignore[import-not-found]

        step = _of_library(getattr(optimizers, names[rule]), torch, size, lr=1e-3)
        yield f"Apex {names[rule]}", step, BESIDE_FUSED


def _of_library(kind: Any, torch: Any, size: int, **settings: Any) -> Step:
    array = torch.full((size,), 0.1, device="cuda", requires_grad=True)
    array.grad = torch.full_like(array, 0.1)
    step: Step = kind([array], **settings).step
    return step


def seconds(torch: Any, run: Step, rounds: int = 20) -> float:
    """Return the median seconds of a call, as the card's own clock has them."""
    for _ in range(3):
        run()
    found: list[float] = []
    for _ in range(rounds):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        found.append(begin.elapsed_time(end) / 1e3)
    return statistics.median(found)


if __name__ == "__main__":
    sys.exit(main())
