"""Gradient checking: derivatives written by hand against differences of the loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from optdsl.training.checking import real, whole, within
from optdsl.training.differences import STEP, Line
from optdsl.training.draws import permutation, seed_of
from optdsl.training.errors import TrainingError
from optdsl.training.parameters import Array, Parameters, mapped, named_arrays, paired

SAMPLING = 5


@dataclass(frozen=True)
class ParameterCheck:
    """How well the gradient of one parameter agrees, told by its worst entry.

    `entry` is the index of that entry, None where the parameter has none; `gradient` is what was
    given for it and `difference` what the loss says. Of `checked` entries, of `size` in all,
    `wrong` are beyond the tolerance; at `kinks` the loss has a kink and the gradient was held to
    the slopes on both sides; `faint` are so small beside the loss that its rounding hides their
    relative error, and were held to be small.
    """

    name: str
    size: int
    checked: int
    relative_error: float
    entry: tuple[int, ...] | None
    gradient: float
    difference: float
    wrong: int
    kinks: int
    faint: int

    def __str__(self) -> str:
        text = f"{self.name}: {self.wrong} of {self.checked} entries wrong"
        if self.checked < self.size:
            text += f" (of {self.size} in all)"
        text += "".join(
            f", {count} {what}"
            for count, what in ((self.faint, "faint"), (self.kinks, "at a kink"))
            if count
        )
        if self.entry is None:
            return text
        place = f"{self.name}[{', '.join(map(str, self.entry))}]" if self.entry else self.name
        text += f"; worst {place}, relative error {self.relative_error:.1e}"
        if not self.wrong:
            return text
        return f"{text}: gradient {self.gradient:.6g}, difference {self.difference:.6g}"


@dataclass(frozen=True)
class GradientCheck:
    """What a check found, parameter by parameter; `str` gives a readable table."""

    parameters: tuple[ParameterCheck, ...]
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether no entry is beyond the tolerance."""
        return not any(each.wrong for each in self.parameters)

    @property
    def worst(self) -> ParameterCheck:
        """The parameter with the largest relative error."""
        return max(self.parameters, key=lambda each: each.relative_error)

    def __str__(self) -> str:
        verdict = "agree" if self.passed else "do not agree"
        head = f"gradients {verdict} to a relative error of {self.tolerance:g}"
        lines = [head, *map(str, self.parameters)]
        if any(each.faint for each in self.parameters):
            lines.append("faint: so small that rounding of the loss hides the relative error")
        return "\n  ".join(lines)


def check_gradients(
    function: Callable[[Any], tuple[Any, Any]],
    parameters: Parameters,
    *,
    tolerance: float = 1e-5,
    step: float = STEP,
    entries: int | None = None,
    seed: int = 0,
) -> GradientCheck:
    """Compare the gradients of a function with central differences of its loss.

    For each entry, with the gradient a that was given,

        n = (f(x + h) - f(x - h)) / 2h,   error = |a - n| / max(|a|, |n|, r)

    where r is the size below which rounding of f alone would exceed the tolerance. An entry that
    disagrees is tried again with smaller steps; if the slopes never settle, the loss has a kink
    there, and the gradient must lie between the slopes on both sides. Everything is computed in
    float64, on copies: two losses an entry.

    Arguments:
        function: takes parameters in the structure given here, in float64; returns the loss and
            the gradients in the same structure. It must give the same loss whenever it is asked.
        parameters: an array, or lists and dicts of arrays; of any floating type.
        tolerance: the relative error up to which an entry agrees.
        step: h for entries up to 1; relative to larger ones.
        entries: check only so many of each parameter, drawn at random; else all.
        seed: fixes that draw.

    Raises:
        TrainingError: the function computes in float32, is random, changes its parameters, gives
            a loss that is no finite number, or gradients of other names or shapes.

    >>> import numpy as np
    >>> def loss_and_gradients(p):
    ...     loss = float((p["w"] ** 3).sum() + p["b"].sum())
    ...     return loss, {"w": 3 * p["w"] ** 2, "b": np.array([1.0, 1.1])}
    >>> check = check_gradients(loss_and_gradients, {"w": np.eye(2), "b": np.ones(2)})
    >>> check.passed, check.worst.name, check.worst.entry
    (False, 'b', (1,))
    >>> print(check.worst)
    b: 1 of 2 entries wrong; worst b[1], relative error 9.1e-02: gradient 1.1, difference 1

    Source: Ruder 2016, section 2.1, footnote 6; the relative error is that of the notes to
    Stanford's course CS231n, with r added.
    """
    limit = within(tolerance, "the tolerance", 0.0, 1.0)
    size = within(step, "the step", 0.0, 1.0)
    if not (limit and size):
        raise TrainingError("the tolerance and the step must be above 0")
    most = None if entries is None else whole(entries, "the number of entries", 1)
    seed = seed_of(seed)

    point = mapped(as_float64, parameters)
    at, pairs = gradients_at(function, point)
    judge = Judge(lambda: loss_of(function(point)), at, limit, size)
    checks = []
    for number, (name, array, gradient) in enumerate(pairs):
        rows = np.arange(array.size)
        if most is not None and most < array.size:
            rows = np.sort(permutation(seed, number, SAMPLING, array.size)[:most])
        checks.append(judge.parameter(name, array, gradient, rows))
    return GradientCheck(tuple(checks), limit)


@dataclass(frozen=True)
class Judge:
    """Judges gradients by the loss at the arrays that `loss` looks at; there it is `at`."""

    loss: Callable[[], float]
    at: float
    tolerance: float
    step: float

    def parameter(
        self, name: str, array: Array, gradient: Array, rows: npt.NDArray[np.int64]
    ) -> ParameterCheck:
        """Judge the entries `rows` of one parameter."""
        flat, given = array.reshape(-1), gradient.reshape(-1)
        judged = [self.entry(flat, int(row), float(given[row])) for row in rows]
        worst = max(range(len(judged)), key=lambda each: judged[each].error, default=None)
        place = None if worst is None else np.unravel_index(int(rows[worst]), array.shape)
        return ParameterCheck(
            name=name,
            size=array.size,
            checked=len(judged),
            relative_error=0.0 if worst is None else judged[worst].error,
            entry=None if place is None else tuple(map(int, place)),
            gradient=math.nan if worst is None else float(given[rows[worst]]),
            difference=math.nan if worst is None else judged[worst].slope,
            wrong=sum(each.error > self.tolerance for each in judged),
            kinks=sum(each.kink for each in judged),
            faint=sum(each.faint for each in judged),
        )

    def entry(self, flat: Array, row: int, given: float) -> Judgement:
        """Judge one entry; where it disagrees, by smaller steps."""
        line = Line(self.loss, self.at, flat, row)
        found, smooth = line.difference(self.step), True
        error = found.relative_error(given, self.tolerance)
        if error > self.tolerance and math.isfinite(given):
            found, smooth = line.settled(self.step, self.tolerance)
            # At a kink, the derivative may be anything between the slopes on both sides.
            slack = 0.0 if smooth else found.bend / 2
            error = found.relative_error(given, self.tolerance, slack)
        faint = found.is_faint(given, self.tolerance)
        return Judgement(error, found.slope, not smooth, faint)


class Judgement(NamedTuple):
    """What was found of one entry."""

    error: float
    slope: float
    kink: bool
    faint: bool


def as_float64(array: Array) -> Array:
    """Return a contiguous copy in float64.

    Raises:
        TrainingError: the array is not of a floating type.
    """
    if array.dtype.kind != "f":
        raise TrainingError(f"a parameter is of type {array.dtype}: give floating numbers")
    return np.array(array, dtype=np.float64, order="C")


def gradients_at(
    function: Callable[[Any], tuple[Any, Any]], point: Parameters
) -> tuple[float, list[tuple[str, Array, Array]]]:
    """Return the loss, and (name, entries, gradient) of each parameter.

    What could spoil the check is ruled out here.

    Raises:
        TrainingError: as `check_gradients`.
    """
    before = [array.copy() for _, array in named_arrays(point)]
    if not before:
        raise TrainingError("there are no parameters to check")
    answer = function(point)
    loss = loss_of(answer)
    if not math.isfinite(loss):
        raise TrainingError(f"the loss is {loss}: check at a point where it is finite")
    # Copies, for a gradient may be a view of what moves.
    gradients = mapped(np.copy, answer[1])
    pairs = paired(point, gradients, "the gradients")
    for name, _, gradient in pairs:
        if gradient.dtype != np.float64:
            raise TrainingError(
                f"the gradient of `{name}` is {gradient.dtype}: compute in float64 throughout"
            )
    again = loss_of(function(point))
    if again != loss:
        raise TrainingError(
            f"the loss is {loss!r}, and {again!r} at the same point: fix what is random"
        )
    for (name, array, _), was in zip(pairs, before, strict=True):
        if not np.array_equal(array, was, equal_nan=True):
            raise TrainingError(f"the function changed `{name}`: it must leave parameters alone")
    return loss, pairs


def loss_of(answer: Any) -> float:
    """Return the loss of what the function gave.

    Raises:
        TrainingError: it gave no pair, or the loss is no number in float64.
    """
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise TrainingError(
            f"the function gave {type(answer).__name__}: return the loss and the gradients"
        )
    if isinstance(answer[0], np.ndarray | np.generic) and answer[0].dtype != np.float64:
        raise TrainingError(f"the loss is {answer[0].dtype}: compute in float64 throughout")
    return real(answer[0], "the loss")
