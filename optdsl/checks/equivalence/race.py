"""Two systems run side by side on the same inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optdsl.checks.equivalence.question import HANDED_ON, Question
from optdsl.checks.equivalence.trials import Trial
from optdsl.model.arithmetic import UNDEFINED, Arithmetic, Real, Scalar, Undecided, real
from optdsl.model.evaluation import LOSS, Entries, Machine, Step
from optdsl.model.system import System


@dataclass(frozen=True)
class Difference:
    """Where two systems part: at step `t`, in `what`, with both values."""

    t: int
    what: str
    ours: Entries | None
    theirs: Entries | None


@dataclass(frozen=True)
class _Asked:
    """A point at which a gradient was asked for, None where it is handed in, and the answer."""

    point: tuple[Scalar, ...] | None
    gradient: tuple[Scalar, ...]
    loss: tuple[Scalar, ...]


class _Parted(Exception):
    def __init__(self, difference: Difference) -> None:
        super().__init__()
        self.difference = difference


@dataclass
class Race:
    """A run of both systems.

    After `run`, `difference` tells where they part, if they do; `ours` and
    `theirs` hold the steps that both took; `broken_hint` is the first place where a
    state or an auxiliary value of theirs is not what the mapping says; `ended` is the
    step at which rounding left a comparison open, if it did.
    """

    question: Question
    trial: Trial
    arithmetic: Arithmetic = field(default_factory=Arithmetic)
    ours: list[Step] = field(default_factory=list)
    theirs: list[Step] = field(default_factory=list)
    difference: Difference | None = None
    broken_hint: Difference | None = None
    ended: int | None = None

    def __post_init__(self) -> None:
        self._series: Mapping[str, tuple[Scalar, ...]] = {
            name: tuple(x if isinstance(x, bool) else real(x) for x in series)
            for name, series in self.trial.hypers
        }
        self._series = {**self._series, **_kept(self.question.ours, self._series)}
        ours, theirs = self.question.ours, self.question.theirs
        tensors = self.trial.shapes
        self._left = Machine(ours, self._our_hyper, self.arithmetic, tensors)
        self._right = Machine(theirs, self._their_hyper, self.arithmetic, tensors)

    def run(self) -> Race:
        """Run until the systems part or the trial ends."""
        theta = tuple(real(x) for x in self.trial.theta)
        try:
            self._left.start(theta)
            self._right.start(theta)
            for t in range(1, self.trial.steps + 1):
                self._step(t)
        except _Parted as parted:
            self.difference = parted.difference
        except Undecided:
            self.ended = len(self.theirs) + 1
        return self

    def turned(self, question: Question) -> Race:
        """Return the run of the question turned round: the same steps, if names are the same."""
        again = Race(question, self.trial, self.arithmetic)
        if _names(question.ours) != _names(self.question.theirs):
            return again.run()
        again.ours, again.theirs = self.theirs, self.ours
        return again

    # ------------------------------------------------------- hyperparameters

    def _our_hyper(self, name: str, t: int) -> Scalar:
        if name in self.question.fixed:
            return _scalar(self._left.read(self.question.fixed[name], self._left.steps - t))
        series = self._series[name]
        return series[min(max(t, 0), len(series) - 1)]

    def _their_hyper(self, name: str, t: int) -> Scalar:
        if name in self.question.mapping:
            ago = self._left.steps - t
            return _scalar(self._left.read(self.question.mapping[name], ago))
        return self._our_hyper(name, t)

    # ------------------------------------------------------------------ steps

    def _step(self, t: int) -> None:
        handed_in = self._answer(t, len(self.trial.gradients[t - 1]) - 1, None)
        asked: list[_Asked] = []

        def answer(step: int, name: str, point: tuple[Scalar, ...] | None) -> tuple[Scalar, ...]:
            again = handed_in if point is None else self._again(asked, point)
            if again is None:
                again = self._answer(t, len(asked), point)
                asked.append(again)
            return again.loss if name == LOSS else again.gradient

        self.ours.append(self._left.step(answer))
        served: list[_Asked] = []

        def repeat(step: int, name: str, point: tuple[Scalar, ...] | None) -> tuple[Scalar, ...]:
            again = handed_in if point is None else self._again(asked, point)
            if again is None:
                raise self._other_point(t, asked, served, point)
            served.append(again)
            return again.loss if name == LOSS else again.gradient

        self.theirs.append(self._right.step(repeat))
        left = _open(asked, served)
        if left:
            raise _Parted(Difference(t, "the number of gradients asked for", left[0].point, None))
        self._compare_outputs(t)
        if self.broken_hint is None:
            self._compare_hints(t)

    def _other_point(
        self,
        t: int,
        asked: list[_Asked],
        served: list[_Asked],
        point: tuple[Scalar, ...] | None,
    ) -> _Parted:
        """Return that a point is none of ours, beside the first of ours that is still open."""
        left = _open(asked, served)
        if not left:
            return _Parted(Difference(t, "the number of gradients asked for", None, point))
        number = asked.index(left[0]) + 1
        return _Parted(Difference(t, f"the point of gradient {number}", left[0].point, point))

    def _answer(self, t: int, number: int, point: tuple[Scalar, ...] | None) -> _Asked:
        """Return the gradient and the loss at the point that a step asks at as `number`-th.

        An entry whose point is undefined has no gradient, and such a point no loss.
        """
        gradient: tuple[Scalar, ...] = tuple(map(real, self.trial.gradients[t - 1][number]))
        loss: tuple[Scalar, ...] = tuple(map(real, self.trial.losses[t - 1][number : number + 1]))
        if point is not None and UNDEFINED in point:
            pairs = zip(gradient, point, strict=True)
            gradient = tuple(UNDEFINED if at is UNDEFINED else x for x, at in pairs)
            loss = (UNDEFINED,) * len(loss)
        return _Asked(point, gradient, loss)

    def _again(self, asked: list[_Asked], point: tuple[Scalar, ...]) -> _Asked | None:
        """Return the same request of this step: a gradient is a function of the point."""
        for other in asked:
            assert other.point is not None
            pairs = zip(point, other.point, strict=True)
            if all(self.arithmetic.same(x, y) for x, y in pairs):
                return other
        return None

    def _compare_outputs(self, t: int) -> None:
        question = self.question
        ours, theirs = _handed_on(self.ours[-1].outputs), _handed_on(self.theirs[-1].outputs)
        for mine, other in zip(question.ours.outputs, question.theirs.outputs, strict=True):
            value = ours[mine]
            if value is not None and other in question.mapping:
                value = self._left.read(question.mapping[other])
            self._same(t, f"{mine}[t]", value, theirs[other])
        if "evaluate" in ours or "evaluate" in theirs:
            mine_at = ours.get("evaluate", ours.get("theta"))
            self._same(t, "evaluate", mine_at, theirs.get("evaluate", theirs.get("theta")))

    def _compare_hints(self, t: int) -> None:
        for name, mapped in self.question.hints().items():
            if name not in self.question.theirs.outputs:
                known = self.theirs[-1].values.get(name, self.theirs[-1].states.get(name))
                claimed = self._left.read(mapped)
                if _is_undefined(claimed):  # a map may be so where no state is
                    continue
                try:
                    self._same(t, f"{name}[t]", claimed, known)
                except _Parted as parted:
                    self.broken_hint = parted.difference

    def _same(self, t: int, what: str, a: Entries | None, b: Entries | None) -> None:
        if a is None or b is None:
            if a is not b:
                raise _Parted(Difference(t, what, a, b))
            return
        width = max((len(x) for x in (a, b) if isinstance(x, tuple)), default=1)
        for index in range(width):
            x, y = _entry(a, index), _entry(b, index)
            if not self.arithmetic.same(x, y):
                raise _Parted(Difference(t, what, a, b))


def _open(asked: Sequence[_Asked], served: Sequence[_Asked]) -> list[_Asked]:
    """Return what one side asked and the other did not; in which order does not count."""
    return [each for each in asked if all(each is not other for other in served)]


def _kept(
    system: System, series: Mapping[str, tuple[Scalar, ...]]
) -> dict[str, tuple[Scalar, ...]]:
    """Return the inputs as a step reads them: the last that came, undefined before the first."""
    kept = {}
    for given in system.handed_in:
        values: list[Scalar] = [UNDEFINED]  # nothing comes before the first step
        for value, came in zip(series[given.name][1:], series[given.flag][1:], strict=True):
            values.append(value if came is True else values[-1])
        kept[given.name] = tuple(values)
    return kept


def _names(system: System) -> list[str]:
    return [state.name for state in system.states]


def _handed_on(outputs: Mapping[str, Entries | None]) -> Mapping[str, Entries | None]:
    """Return outputs, with nothing in place of those that are not handed on for any tensor."""
    told = outputs.get(HANDED_ON)
    flags = told if isinstance(told, tuple) else (told,)
    if any(not isinstance(flag, Real) or flag.value for flag in flags):
        return outputs
    return dict.fromkeys(outputs)


def _is_undefined(value: Entries) -> bool:
    return UNDEFINED in value if isinstance(value, tuple) else value is UNDEFINED


def _entry(value: Entries, index: int) -> Scalar:
    return value[index] if isinstance(value, tuple) else value


def _scalar(value: Entries) -> Scalar:
    return value  # type: ignore[return-value]
