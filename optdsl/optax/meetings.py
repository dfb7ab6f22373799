"""Work on all tensors in step: each goes on until it needs what all make together."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp

from optdsl.codegen.support.functions import NEUTRAL, Request, finished, reduced
from optdsl.optax.trees import Leaf
from optdsl.runtime.errors import StepError
from optdsl.runtime.functional import Case, Meeting

Gradients = Callable[[dict[int, Any]], dict[int, Any]]


@dataclass
class Task:
    """The work on one tensor in one case; it takes part where `active` is true.

    `values` is what it reads, `found` what it has given in the end.
    """

    leaf: Leaf
    number: int
    case: Case
    active: Any
    values: dict[str, Any]
    work: Any
    found: dict[str, Any] = field(default_factory=dict)
    request: Request | None = None
    met: int = 0

    def start(self) -> None:
        """Go to the first meeting."""
        if isinstance(self.work, Generator):
            self.send(None)
        else:
            self._finish(self.work)

    def send(self, answer: Any) -> None:
        """Take an answer and go on to the next meeting."""
        try:
            self.request = self.work.send(answer)
        except StopIteration as end:
            self.request = None
            self._finish(end.value)

    def _finish(self, returned: Any) -> None:
        assert self.case.update is not None
        self.found = self.case.update.named(returned)

    def waits_for(self) -> tuple[int, str] | None:
        """Return the meeting at which it stands."""
        return None if self.request is None else self._key(self.case.meetings[self.met])

    def comes_to(self, meeting: tuple[int, str]) -> bool:
        """Will it stand at this meeting, or does it?"""
        return any(self._key(each) == meeting for each in self.case.meetings[self.met :])

    def _key(self, meeting: Meeting) -> tuple[int, str]:
        return (-1 if meeting.shared else self.number, meeting.name)


def run_together(tasks: list[Task], gradients: Gradients) -> None:
    """Run all tasks to their ends, meeting by meeting.

    Raises:
        StepError: two cases wait for each other.
    """
    for task in tasks:
        task.start()
    while True:
        waiting = [task for task in tasks if task.request is not None]
        if not waiting:
            return
        wanted = dict.fromkeys(task.waits_for() for task in waiting)
        ready = (m for m in wanted if m and _all_there(m, waiting))
        meeting = next(ready, None)
        if meeting is None:
            raise StepError("two parts of the rule wait for each other: it cannot run in step")
        there = [task for task in waiting if task.waits_for() == meeting]
        answers = _answers(there, gradients)
        for task, answer in zip(there, answers, strict=True):
            task.met += 1
            task.send(answer)


def _all_there(meeting: tuple[int, str], waiting: list[Task]) -> bool:
    return all(task.waits_for() == meeting for task in waiting if task.comes_to(meeting))


def _answers(tasks: list[Task], gradients: Gradients) -> list[Any]:
    requests = [task.request for task in tasks if task.request is not None]
    if requests[0].operator == "gradient":
        return _gradients(tasks, requests, gradients)
    total = _combined(requests, [task.active for task in tasks])
    return [total] * len(tasks)


def _gradients(tasks: list[Task], requests: list[Request], gradients: Gradients) -> list[Any]:
    points: dict[int, Any] = {}
    for task, request in zip(tasks, requests, strict=True):
        before = points.get(task.leaf.number)
        points[task.leaf.number] = (
            request.value if before is None else jnp.where(task.active, request.value, before)
        )
    found = gradients(points)
    return [found[task.leaf.number] for task in tasks]


def _combined(requests: list[Request], active: list[Any]) -> Any:
    """Return one reduction over the entries of all tensors that take part."""
    operator = requests[0].operator
    neutral = NEUTRAL.get(operator, False if operator == "any" else 0.0)
    total, count = jnp.asarray(neutral), jnp.asarray(0.0)
    for request, taking_part in zip(requests, active, strict=True):
        value, other = jnp.asarray(request.value), request.other
        if other is not None:
            value, other = jnp.broadcast_arrays(value, other)
        part = jnp.where(taking_part, reduced(operator, value, None, other), neutral)
        count = count + jnp.where(taking_part, float(value.size), 0.0)
        if operator == "any":
            total = total | part
        elif operator in NEUTRAL:
            total = (jnp.minimum if operator == "min" else jnp.maximum)(total, part)
        else:
            total = total + part
    return finished(operator, total, count)
