"""How far steps are from what they should be, in units in the last place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.numerics.carried import Carried, Digits, Doubles
from tests.numerics.oracle import EVERYTHING, LOSS, Inputs, OneStep
from tests.numerics.subjects import (
    CHECKPOINTS,
    Subject,
    gradients,
    in_double,
    parameters,
    states_of,
)

Array = Any
Shapes = tuple[tuple[int, ...], ...]

_DIGITS = Digits()

#: A step may be off by this many units in the last place of the magnitude carried.
BAR = 8


@dataclass(frozen=True)
class Reading:
    """The largest error of one value in one step."""

    ulps: float
    value: str
    t: int
    tensor: int
    who: str

    def __str__(self) -> str:
        return f"{self.who}: {self.value} of tensor {self.tensor} at t = {self.t}: {self.ulps:.2f}"


def ulps(got: Array, expected: Array, magnitude: Array, dtype: Any) -> float:
    """Return the largest error; infinite where only one side is finite, or a NaN."""
    got = np.asarray(got).ravel()
    if not len(got):
        return 0.0
    expected, magnitude = np.broadcast_arrays(expected, magnitude)
    with np.errstate(all="ignore"):
        if expected.dtype == object:
            got = _DIGITS.lift(got)
        unit = np.spacing(magnitude.astype(dtype)).astype(np.float64)
        error = np.abs(got - expected).astype(np.float64) / unit
        undefined = (got != got) & (expected != expected)
    error = np.where(undefined.astype(bool), 0.0, error)
    worst = float(np.max(error))
    return worst if worst == worst else float("inf")


@dataclass(frozen=True)
class Moment:
    """A step that was taken: what it started from, and the optimizer after it."""

    t: int
    inputs: Inputs
    stored: dict[str, Any]
    points: dict[str, list[Array]]
    optimizer: Any


class Run:
    """An optimizer on its way; `steps` yields the steps to look at closely."""

    def __init__(
        self, subject: Subject, mode: str, shapes: Shapes, dtype: Any, seed: int = 0
    ) -> None:
        self.subject = subject
        self.mode = mode
        self.arrays = parameters(shapes, dtype, seed)
        self.optimizer = subject.compiled(self.arrays, **subject.settings())
        self.names = [gradient.name for gradient in subject.system.gradients]
        self.streams = [
            gradients(shapes, dtype, place) for place, _ in enumerate(self.names, seed + 1)
        ]

    def steps(self, checkpoints: tuple[int, ...] = CHECKPOINTS) -> Iterator[Moment]:
        for t in range(1, max(checkpoints) + 1):
            given = {
                name: next(stream) for name, stream in zip(self.names, self.streams, strict=True)
            }
            if t not in checkpoints:
                take(self.optimizer, given, self.mode)
                continue
            stored = self.optimizer.state_dict()
            inputs = self._inputs(stored, given)
            points = take(self.optimizer, given, self.mode)
            yield Moment(t, inputs, stored, points, self.optimizer)

    def _inputs(self, stored: dict[str, Any], given: dict[str, list[Array]]) -> Inputs:
        settings = self.subject.settings()
        (cohort,) = stored["cohorts"]
        clocks = [clock + 1 for clock in cohort["clocks"]]
        counted = {each.name: clocks[each.part] for each in self.subject.system.hyperparameters}
        return Inputs(
            clocks=clocks,
            arrays=[array.copy() for array in self.arrays],
            gradients=given,
            hyper={name: value(counted[name]) for name, value in settings.items()},
            states=states_of(self.optimizer),
            ahead={name: value(counted[name] + 1) for name, value in settings.items()},
        )


def take(optimizer: Any, given: dict[str, list[Array]], mode: str) -> dict[str, list[Array]]:
    """Take a step; return the points at which gradients were asked for."""
    if mode == "ready":
        (ready,) = given.values()
        optimizer.step(ready, loss=LOSS)
        return {}
    names = iter(given)
    points: dict[str, list[Array]] = {}

    def answer(point: list[Array]) -> tuple[float, list[Array]]:
        name = next(names)
        points[name] = [array.copy() for array in point]
        return LOSS, given[name]

    optimizer.step(answer)
    return points


def again(subject: Subject, moment: Moment, mode: str) -> Moment:
    """Take the same step on the reference target."""
    arrays = [array.astype(np.float64) for array in moment.inputs.arrays]
    optimizer = subject.reference(arrays, **subject.settings())
    if moment.t > 1:
        optimizer.load_state_dict(in_double(moment.stored))
    given = {
        name: [array.astype(np.float64) for array in each]
        for name, each in moment.inputs.gradients.items()
    }
    points = take(optimizer, given, mode)
    return Moment(moment.t, moment.inputs, moment.stored, points, optimizer)


def held(moment: Moment) -> dict[str, list[Array]]:
    """Return all that is compared after a step, by name: one array a tensor."""
    count = len(moment.inputs.arrays)
    found = {"array": moment.optimizer.groups[0]["params"], "theta": moment.optimizer.theta()}
    kinds = {slot.name: slot.kind for slot in type(moment.optimizer).layout.states}
    for name, value in (states_of(moment.optimizer) or {}).items():
        wide = kinds[name] in ("entry", "tensor")
        found[name] = list(value) if wide else [value] * count
    found |= {f"point of {name}": points for name, points in moment.points.items()}
    return found


def oracle_value(step: OneStep, name: str, tensor: int, entries: Any) -> Carried:
    """Return what the oracle says of one of `held`."""
    if name == "array":
        return step.array(tensor, entries)
    if name.startswith("point of "):
        return step.point(name.removeprefix("point of "), tensor, entries)
    if name != "theta":
        return step.state(name, tensor, entries)
    theta = step.theta(tensor, entries)
    if not step.stored:
        return theta
    # It is read back from the point that is stored, and has that one's rounding too.
    return Carried(theta.value, theta.magnitude + step.array(tensor, entries).magnitude)


def judge_single(subject: Subject, mode: str, shapes: Shapes) -> Iterator[Reading]:
    """Compare float32 steps of the compiled target with float64 ones of the reference target."""
    stored = mode == "ready" and subject.asks_elsewhere
    for moment in Run(subject, mode, shapes, np.float32).steps():
        expected = held(again(subject, moment, mode))
        step = OneStep(
            subject.system, moment.inputs, Doubles(), np.float32,
            stored=stored, host_is_exact=True,
        )  # fmt: skip
        for name, arrays in held(moment).items():
            for tensor, got in enumerate(arrays):
                value = np.asarray(expected[name][tensor], np.float64).ravel()
                magnitude = oracle_value(step, name, tensor, EVERYTHING).magnitude
                error = ulps(got, value, magnitude, np.float32)
                yield Reading(error, name, moment.t, tensor, f"{subject.rule}, {mode}")


def judge_double(
    subject: Subject,
    mode: str,
    shapes: Shapes,
    sample: int = 40,
    checkpoints: tuple[int, ...] = CHECKPOINTS,
    seed: int = 0,
) -> Iterator[tuple[str, Reading]]:
    """Compare float64 steps of both targets with 50 digits, at some entries of each tensor."""
    stored = mode == "ready" and subject.asks_elsewhere
    random = np.random.default_rng(2)
    run = Run(subject, mode, shapes, np.float64, seed)
    for moment in run.steps(checkpoints):
        step = OneStep(subject.system, moment.inputs, _DIGITS, np.float64, stored=stored)
        both = {"numba-cpu": held(moment), "reference": held(again(subject, moment, mode))}
        for tensor, array in enumerate(moment.inputs.arrays):
            entries = random.permutation(array.size)[:sample]
            for name in both["reference"]:
                value = oracle_value(step, name, tensor, entries)
                for target, found in both.items():
                    got = np.asarray(found[name][tensor]).ravel()
                    got = got[entries] if got.size == array.size else got
                    error = ulps(got, *value, np.float64)
                    who = f"{subject.rule}, {mode}, {target}"
                    yield target, Reading(error, name, moment.t, tensor, who)
