"""Steps that ask a function for gradients, at the points that the rule names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from optdsl.runtime.arrays import Array, read_only
from optdsl.runtime.engine import NOBODY, Engine, Selection
from optdsl.runtime.errors import GradientError
from optdsl.runtime.intake import Intake
from optdsl.runtime.layout import Ask
from optdsl.runtime.losses import read_loss
from optdsl.runtime.plan import Plan, point_of
from optdsl.runtime.snapshot import Snapshot
from optdsl.runtime.structure import Structure

GradientFunction = Callable[[Any], Any]


class _FewerTensors(Exception):
    """The function has no gradient for some tensors: the step begins again without them."""


class Asker:
    """Takes steps of one engine with a function of gradients."""

    def __init__(self, engine: Engine, plan: Plan) -> None:
        self.engine = engine
        self.plan = plan
        self.structure = Structure()
        self._kept_views: dict[str, tuple[list[Array | None], list[Array | None]]] = {}
        self._intakes = {
            name: self._new_intake(name, own=name in plan.kept) for name in plan.gradients
        }

    def _new_intake(self, name: str, own: bool) -> Intake:
        """Return what takes in one of the gradients; its values are copied where it is `own`."""
        return Intake(self.engine, name, own=own)

    def _new_snapshot(self) -> Snapshot:
        """Return what puts everything back as it is now."""
        return Snapshot(self.engine, self.plan)

    def _shown(self, array: Any) -> Any:
        """Return an array as the function sees it."""
        return read_only(array)

    def _extents(self, name: str) -> Any:
        """Return the stretches of memory that a point takes."""
        return self.engine.tensors.point_extents(name)

    def step(
        self, function: GradientFunction, structure: Structure
    ) -> tuple[list[Selection], Any, int]:
        """Take one step; return who took part, the loss if there was one, and how many
        tensors had a gradient.

        If anything goes wrong, in the function too, all is put back as it was.
        """
        self.structure = structure
        everyone = tuple(range(structure.count))
        snapshot = self._new_snapshot()
        questions = _Questions(self, function)
        try:
            try:
                taken = self._run(everyone, questions)
            except _FewerTensors:
                snapshot.restore()
                taken = self._run(questions.given, questions)
            self.engine.commit(taken)
            return taken, questions.loss, len(questions.given)
        except BaseException:
            snapshot.restore()
            raise
        finally:
            for intake in self._intakes.values():
                intake.release()

    def _run(self, identities: tuple[int, ...], questions: _Questions) -> list[Selection]:
        if not identities:
            return [NOBODY] * self.engine.layout.parts
        questions.asked = 0
        selection = self.engine.select(identities)
        self.engine.prepare(selection)
        return self.engine.run(self.plan, selection, questions.ask)

    def points(self, ask: Ask, live: Selection) -> Any:
        """Return the arrays where a gradient is asked for, in the structure of the parameters."""
        everyone = range(self.structure.count)
        views = list(self._views("theta", everyone))
        for case, members in enumerate(live.by_case):
            point = point_of(ask, case)
            if point not in (None, "theta"):
                at_point = self._views(point, members.identities)
                for index in members.identities:
                    views[index] = at_point[index]
        return self.structure.unflatten(views)

    def _views(self, name: str, indices: Iterable[int]) -> list[Array | None]:
        stream = self.engine.tensors.stream(name)
        kept, views = self._kept_views.get(name, (None, []))
        if kept is not stream or len(views) != len(stream):
            views = [None] * len(stream)
            self._kept_views[name] = (stream, views)
        for index in indices:
            if views[index] is None:
                views[index] = self._shown(stream[index])
        return views

    def take(self, ask: Ask, given: list[Any]) -> tuple[int, ...]:
        """Make `given` the gradients of this phase; return which tensors have one."""
        names = dict.fromkeys(ask.points or (ask.point,))
        points = [self._extents(name) for name in names if name is not None]
        return self._intakes[ask.gradient].take(given, points)


class _Questions:
    """What is known within one step."""

    def __init__(self, asker: Asker, function: GradientFunction) -> None:
        self.asker = asker
        self.function = function
        self.asked = 0
        self.first: list[Any] | None = None
        self.given: tuple[int, ...] = ()
        self.loss: Any = None

    def ask(self, ask: Ask, live: Selection) -> None:
        """Get the gradients of one phase."""
        self.asked += 1
        if self.asked > 1:
            self._ask_again(ask, live)
            return
        if self.first is not None:  # the step began again, with the gradients already given
            self._read(ask, self.loss)
            self.asker.take(ask, self.first)
            return
        self.loss, flat = self._call(ask, live)
        self._read(ask, self.loss)
        present = set(self.asker.take(ask, flat))
        self.first = flat
        self.given = tuple(index for index in live.identities if index in present)
        if self.given != live.identities:
            raise _FewerTensors

    def _ask_again(self, ask: Ask, live: Selection) -> None:
        loss, flat = self._call(ask, live)
        self._read(ask, loss)
        present = set(self.asker.take(ask, flat))
        for index in _asked(ask, live):
            if index not in present:
                label = self.asker.structure.labels[index]
                raise GradientError(
                    f"the function gave a gradient for {label} at the first point of this step "
                    "and None at a later one: give both or neither"
                )

    def _read(self, ask: Ask, loss: Any) -> None:
        how = "let the function return `(loss, gradients)`"
        read_loss(self.asker.engine, ask.gradient, loss, how)

    def _call(self, ask: Ask, live: Selection) -> tuple[Any, list[Any]]:
        loss, gradients = split_loss(self.function(self.asker.points(ask, live)))
        return loss, self.asker.structure.flatten(gradients)


def _asked(ask: Ask, live: Selection) -> list[int]:
    """Return the tensors of the cases that ask for this gradient."""
    return [
        index
        for case, members in enumerate(live.by_case)
        if point_of(ask, case) is not None
        for index in members.identities
    ]


def split_loss(result: Any) -> tuple[Any, Any]:
    """Return loss and gradients of what a function returned: gradients, or a pair of both."""
    if isinstance(result, tuple) and len(result) == 2:
        loss, gradients = result
        is_number = np.ndim(loss) == 0 and loss is not None and not isinstance(loss, Mapping)
        if is_number and isinstance(gradients, list | tuple | Mapping):
            return loss, gradients
    return None, result
