"""Inputs: numbers that users hand in at some steps, and that keep their value between."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from optdsl.diagnostics import did_you_mean
from optdsl.runtime.errors import StepError
from optdsl.runtime.layout import InputSlot, Numbers


class Hearing(Protocol):
    """What inputs are handed to."""

    def give(self, inputs: Mapping[str, float]) -> None:
        """Take in what the next step is to see."""
        ...

    def take_back(self) -> None:
        """Forget what `give` took in last."""
        ...


@contextmanager
def handed_in(to: Hearing, inputs: Mapping[str, Any]) -> Iterator[None]:
    """Let inputs wait for the step that is taken within; forget them if it is not."""
    to.give(inputs)
    try:
        yield
    except BaseException:
        to.take_back()
        raise


@runtime_checkable
class Listening(Hearing, Protocol):
    """A walk along a schedule that has inputs."""

    def listen(self, on: bool) -> None:
        """Say whether the steps to come see what waits."""
        ...

    def commit(self, t: int) -> None:
        """Note that step `t` has been taken: what it saw has been seen."""
        ...


class Inbox:
    """The inputs of one rule, as one reader sees them.

    What is given waits for the reader's next step: a step that is not taken has seen nothing.
    """

    def __init__(self, owner: str, slots: tuple[InputSlot, ...], place: int) -> None:
        self.owner = owner
        self.slots = slots
        self.place = place  # where they begin in `hyper`
        self.last: dict[int, float] = {}
        self.waiting: dict[int, float] = {}
        self.deaf = False
        self.case = 0
        self._before: dict[int, float] = {}

    def give(self, inputs: Mapping[str, float]) -> None:
        """Let the inputs of these names wait for the next step."""
        self._before = dict(self.waiting)
        for index, slot in enumerate(self.slots):
            if slot.known_as in inputs:
                self.waiting[index] = inputs[slot.known_as]

    def take_back(self) -> None:
        """Forget what was given last."""
        self.waiting = dict(self._before)

    def fill(self, hyper: Numbers) -> None:
        """Write values and flags of the step to come.

        Raises:
            StepError: one has never come, and the rule reads it without asking.
        """
        waiting = {} if self.deaf else self.waiting
        for index, slot in enumerate(self.slots):
            if not self._is_read(slot):
                continue
            if slot.needed:
                self.require((slot.name,))
            value = waiting.get(index, self.last.get(index, math.nan))
            hyper[self.place + 2 * index] = value
            hyper[self.place + 2 * index + 1] = float(index in waiting)

    def require(self, names: Collection[str]) -> None:
        """Refuse a step that reads one of these inputs, if it has never come.

        Raises:
            StepError: it says which.
        """
        for index, slot in enumerate(self.slots):
            came = index in self.last or (index in self.waiting and not self.deaf)
            if slot.name in names and not came:
                raise StepError(
                    f"{self.owner} reads its input `{slot.known_as}`, which has not come yet: "
                    f"hand it in with this step, as in `{slot.known_as}=0.5`, "
                    f"or ask `given({slot.known_as})` in the spec first"
                )

    def commit(self, part: int) -> None:
        """Note that a step of `part` has seen what waited."""
        if self.deaf:
            return
        slots = self.slots
        seen = [i for i in self.waiting if slots[i].part == part and self._is_read(slots[i])]
        for index in seen:
            self.last[index] = self.waiting.pop(index)
        self._before = dict(self.waiting)

    def _is_read(self, slot: InputSlot) -> bool:
        return not slot.cases or self.case in slot.cases

    def copy(self) -> Inbox:
        """Return an inbox that holds the same."""
        new = Inbox(self.owner, self.slots, self.place)
        new.case = self.case
        new.last, new.waiting, new._before = dict(self.last), dict(self.waiting), self._before
        return new

    def state_dict(self) -> dict[str, Any]:
        """Return what came and what waits as plain data."""
        names = [slot.name for slot in self.slots]
        return {
            "last": {names[i]: value for i, value in self.last.items()},
            "waiting": {names[i]: value for i, value in self.waiting.items()},
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        index_of = {slot.name: i for i, slot in enumerate(self.slots)}
        self.last = {index_of[name]: float(value) for name, value in state["last"].items()}
        self.waiting = {index_of[name]: float(value) for name, value in state["waiting"].items()}


def inputs_of(source: object) -> tuple[str, ...]:
    """Return the names of what a schedule wants handed in; nothing else wants any."""
    found: tuple[str, ...] = getattr(source, "inputs", ())
    return found


def checked_inputs(owner: str, known: Iterable[str], inputs: Mapping[str, Any]) -> dict[str, float]:
    """Return the inputs that were given; None stands for one that did not come.

    Raises:
        StepError: nothing has an input of such a name, or it is not a number.
    """
    names = sorted(set(known))
    checked = {}
    for name, value in inputs.items():
        if name not in names:
            listed = ", ".join(f"`{each}`" for each in names)
            has = f"it has {listed}" if names else "neither it nor a schedule in it has inputs"
            hint = did_you_mean(name, names) or has
            raise StepError(f"{owner} has no input `{name}`: {hint}")
        if value is None:
            continue
        number = value[()] if getattr(value, "shape", None) == () else value
        if isinstance(number, bool) or not isinstance(number, numbers.Real):
            raise StepError(
                f"input `{name}` is {value!r}, of type {type(value).__name__}: give a number"
            )
        checked[name] = float(number)
    return checked
