"""Schedules: a number for each step, used as a hyperparameter or by themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from copy import copy
from typing import Any, ClassVar

import numpy as np

from optdsl.diagnostics import did_you_mean
from optdsl.runtime.cursor import ScheduleCursor
from optdsl.runtime.errors import HyperparameterError, StepError
from optdsl.runtime.hyperparameters import Names, Settings
from optdsl.runtime.inputs import inputs_of
from optdsl.runtime.layout import Layout, Numbers


class Schedule:
    """A recipe for a number at each step; it never changes.

    >>> import optdsl
    >>> WarmRestarts = optdsl.load("WarmRestarts")
    >>> WarmRestarts(eta_max=1, T_0=2, T_mult=2).values(6).round(3)
    array([1.   , 0.5  , 1.   , 0.854, 0.5  , 0.146])

    Hyperparameters may be numbers, schedules or functions of the step, here too.
    With `per_epoch=k` it counts epochs of k steps: its t is 1 for the first k steps, and what
    is handed in meanwhile is seen when the next epoch begins.

    >>> WarmRestarts(eta_max=1, T_0=2, per_epoch=3).values(6)
    array([1. , 1. , 1. , 0.5, 0.5, 0.5])

    Subclasses are made by `from_layout`.

    Raises:
        HyperparameterError: a name or a value that this schedule does not take.
    """

    layout: ClassVar[Layout]
    names: ClassVar[Names]
    __signature__: ClassVar[inspect.Signature]

    def __init__(self, /, *unnamed: Any, **hyperparameters: Any) -> None:
        self.names.refuse_unnamed(unnamed)
        self.per_epoch = 1
        if "per_epoch" not in self.names.known():
            self.per_epoch = _whole_steps(hyperparameters.pop("per_epoch", 1))
        self._output: str | None = None
        self._settings = Settings.of(self.names, hyperparameters)

    def __getitem__(self, name: str) -> Any:
        """Return what was given for the hyperparameter called `name`."""
        return self._settings[name]

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what it gives, where that is more than one number."""
        return tuple(name for name, _ in self.layout.results)

    def output(self, name: str) -> Schedule:
        """Return the same schedule as one that gives its output called `name`.

        >>> import optdsl
        >>> growth = optdsl.load("BatchGrowth")(every=2, factor=2)
        >>> growth.values(4), growth.output("m").values(4)
        (array([128., 128., 256., 256.]), array([0.9 , 0.9 , 0.95, 0.95]))

        Raises:
            HyperparameterError: it gives nothing of that name.
        """
        if name not in self.outputs:
            listed = ", ".join(f"`{each}`" for each in self.outputs) or "one number, without a name"
            hint = did_you_mean(name, self.outputs) or f"it gives {listed}"
            raise HyperparameterError(f"{self.layout.name} has no output `{name}`: {hint}")
        new = copy(self)
        new._output = name
        return new

    @property
    def result(self) -> int:
        """The slot of what it gives."""
        slot = dict(self.layout.results).get(self._output or "", self.layout.result)
        assert slot is not None
        return slot

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what it wants handed in, with those of schedules within it."""
        own = [slot.known_as for slot in self.layout.inputs]
        inner = [name for s in self._settings.sources for name in inputs_of(s)]
        return tuple(dict.fromkeys((*own, *inner)))

    def start(self) -> ScheduleCursor:
        """Return a cursor that stands before the first step."""
        return ScheduleCursor(self)

    def __iter__(self) -> Iterator[float]:
        """Yield the value of each step, without end."""
        return self.start()

    def values(self, n: int, **inputs: Any) -> Numbers:
        """Return the values of the first `n` steps.

        A schedule with inputs needs each of them: one entry a step, None where it does not come.

        >>> import optdsl
        >>> plateau = optdsl.load("Plateau")(value=1, factor=0.5, patience=0)
        >>> plateau.values(4, metric=[3.0, None, 3.0, 2.0])
        array([1. , 1. , 0.5, 0.5])

        Raises:
            StepError: `n` is negative, an input is missing, unknown or of another length.
        """
        if n < 0:
            raise StepError(f"a schedule has no first {n} values: give a number from 0 on")
        missing = [name for name in self.inputs if name not in inputs]
        if missing:
            names = " and ".join(f"`{name}`" for name in missing)
            raise StepError(
                f"the values of {self.layout.name} depend on its input {names}: give one entry "
                f"a step, as in values({n}, {missing[0]}=[...]), None where it does not come"
            )
        for name, series in inputs.items():
            if len(series) != n:
                raise StepError(f"`{name}` has {len(series)} entries for {n} steps")
        cursor = self.start()
        rows = [{name: series[i] for name, series in inputs.items()} for i in range(n)]
        return np.array([cursor.next(**row) for row in rows], dtype=np.float64)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return type(self), tuple(self._settings.sources), self.per_epoch, self._output

    def __repr__(self) -> str:
        text = self._settings.text()
        if self.per_epoch != 1:
            text += f"{', ' if text else ''}per_epoch={self.per_epoch}"
        output = "" if self._output is None else f".output({self._output!r})"
        return f"{type(self).__name__}({text}){output}"

    @property
    def settings(self) -> Settings:
        """What stands in each slot."""
        return self._settings

    def attachment(self) -> dict[str, Any]:
        """Return how it is attached, as plain data: what differs from the plain way."""
        found: dict[str, Any] = {} if self.per_epoch == 1 else {"per_epoch": self.per_epoch}
        return found if self._output is None else {**found, "output": self._output}

    def with_sources(self, sources: list[Any]) -> Schedule:
        """Return the same schedule with other hyperparameters, one a slot."""
        new = copy(self)
        new._settings = Settings(self.names, sources)
        return new


def _whole_steps(value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise HyperparameterError(
            f"`per_epoch` is {value!r}: give the number of steps in an epoch, 1 or more"
        )
    return int(value)
