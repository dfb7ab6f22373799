"""The runtime's optimizer under one of PyTorch's: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from optdsl.runtime import GradientError, Optimizer, StepError, StepResult
from optdsl.runtime.arrays import Array
from optdsl.runtime.rows import Rows
from optdsl.torch.groups import Link
from optdsl.torch.memory import beside, stepped, tensor_of
from optdsl.torch.needs import Need
from optdsl.torch.places import Place, Places
from optdsl.torch.shards import Shards, across, check_shards
from optdsl.torch.sparse import Question, rows_of


class Running:
    """One optimizer of the runtime on the memory of the tensors in groups of PyTorch."""

    def __init__(
        self,
        rule: type[Optimizer],
        needs: frozenset[Need],
        laziness: Question,
        groups: list[dict[str, Any]],
        seed: Mapping[str, Any],
    ) -> None:
        self.rule = rule
        self.needs = needs
        self.laziness = laziness
        self.groups: list[dict[str, Any]] = []
        self.places = Places()
        self.links: list[Link] = []
        self.result: StepResult | None = None
        self._uphill: dict[int, Array] = {}
        self._shards = Shards()
        given = [self._taken(group) for group in groups]
        reduces = bool(needs & {"tensor", "all"})
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        stepping = across(rule, self._shards) if reduces and together else rule
        self.optimizer = stepping(given, **seed)

    def _taken(self, group: dict[str, Any]) -> dict[str, Any]:
        """Take in a group; return it as the runtime's."""
        number = len(self.groups)
        names = group.get("param_names")
        labels = [
            f"number {index} of group {number}" if names is None else f"`{names[index]}`"
            for index in range(len(group["params"]))
        ]
        places = [Place(p, label) for p, label in zip(group["params"], labels, strict=True)]
        for place in places:
            check_shards(self.rule.layout.name, self.needs, place.tensor, place.label)
        link = Link(group, self.rule.names)
        self.groups.append(group)
        self.places.add(places)
        self._shards.add(group["params"])
        self.links.append(link)
        arrays = [place.array for place in places]
        held = arrays if names is None else dict(zip(names, arrays, strict=True))
        return {"params": held, **link.given()}

    def add(self, group: dict[str, Any]) -> None:
        """Take in one more group."""
        kept = (list(self.groups), self.places, list(self.links))
        self.places = self.places.copy()
        try:
            self.optimizer.add_group(self._taken(group))
        except BaseException:
            self.groups, self.places, self.links = kept
            raise

    # ------------------------------------------------------------------- steps

    @property
    def needs_points(self) -> bool:
        """Are gradients asked for elsewhere than at the parameters?"""
        layout = self.rule.layout
        return layout.ready is None or layout.iterate is not None

    def step(self, loss: Any, inputs: Mapping[str, Any]) -> None:
        """Take one step with the gradients that the tensors hold.

        Raises:
            GradientError: a gradient does not fit its parameter.
            HyperparameterError: one is outside its domain.
            StepError: the rule cannot take this step.
        """
        if self.rule.layout.ready is None:
            raise StepError(
                f"{self.rule.layout.name} asks for several gradients in a step, "
                "at points of its own: give `step` a closure that zeroes gradients, "
                "computes the loss, calls `backward` and returns the loss"
            )
        self._prepare()
        rows: dict[int, Rows] = {}
        gradients = self._arranged(self._gradients(rows))
        loss = self._signed(loss)
        if rows:
            self.result = self.optimizer.step_rows(gradients, rows, loss=loss, **inputs)
        else:
            self.result = self.optimizer.step(gradients, loss=loss, **inputs)
        self.places.give_back()

    def step_at_points(self, closure: Any, inputs: Mapping[str, Any]) -> Any:
        """Take one step with a closure, which finds the parameters where a gradient is asked for.

        Raises:
            As `step`, and whatever the closure raises.
        """
        self._prepare()
        losses: list[Any] = []

        def gradients(points: Any) -> Any:
            with self._at(self._flat(points)), torch.enable_grad():
                losses.append(closure())
            found = self._arranged(self._gradients())
            return found if losses[-1] is None else (self._signed(losses[-1]), found)

        self.result = self.optimizer.step(gradients, **inputs)
        self.places.give_back()
        return losses[0] if losses else None

    def _prepare(self) -> None:
        for link, group in zip(self.links, self.optimizer.groups, strict=True):
            link.carry(group)
        if self.places.follow():
            self.optimizer.rebind([place.array for place in self.places.items])
        self.places.take()

    def _gradients(self, rows: dict[int, Rows] | None = None) -> list[Array | None]:
        """Return the gradients that the tensors hold; note in `rows` which of them have some."""
        found: list[Array | None] = []
        for index, place in enumerate(self.places.items):
            gradient = place.tensor.grad
            if gradient is None:
                found.append(None)
                continue
            gradient = beside(place.tensor, gradient)
            if gradient.layout is torch.strided:
                found.append(place.gradients.of(gradient))
            else:
                found.append(self._some_rows(index, gradient, rows))
        if any(group["maximize"] for group in self.groups):
            self._turn(found)
        return found

    def _some_rows(self, index: int, gradient: torch.Tensor, rows: dict[int, Rows] | None) -> Array:
        place, name = self.places.items[index], self.rule.layout.name
        if rows is None:
            raise GradientError(
                f"the gradient of {place.label} is sparse, and {name} asks for it elsewhere than "
                "at the parameters: let it be dense, as with `sparse=False`"
            )
        self.laziness.answer.check(self.optimizer.groups, name, place.label)
        rows[index], values = rows_of(gradient, place.label)
        return stepped(values, place.label)

    def _turn(self, gradients: list[Array | None]) -> None:
        """Let gradients of groups that step uphill point the other way."""
        index = 0
        for group in self.groups:
            for _ in group["params"]:
                array = gradients[index]
                if group["maximize"] and array is not None:
                    kept = self._uphill.get(index)
                    if kept is None or kept.shape != array.shape:
                        kept = self._uphill[index] = np.empty_like(array)
                    gradients[index] = np.negative(array, out=kept)
                index += 1

    def _signed(self, loss: Any) -> Any:
        if loss is None or not self.rule.layout.losses:
            return loss
        uphill = {bool(group["maximize"]) for group in self.groups}
        if len(uphill) > 1:
            raise StepError(
                f"{self.rule.layout.name} reads the loss, and some groups are to maximize it, "
                "others not: give `maximize` to all or none"
            )
        return -loss if uphill == {True} else loss

    def _arranged(self, flat: list[Any]) -> list[Any]:
        """Return what there is for each parameter in the structure that the runtime knows."""
        arranged: list[Any] = []
        start = 0
        for group in self.groups:
            names, count = group.get("param_names"), len(group["params"])
            part = flat[start : start + count]
            arranged.append(part if names is None else dict(zip(names, part, strict=True)))
            start += count
        return arranged

    def _flat(self, arranged: list[Any]) -> list[Any]:
        """Return the opposite of `_arranged`."""
        return [
            item
            for part in arranged
            for item in (part.values() if isinstance(part, dict) else part)
        ]

    # ------------------------------------------------------------------ points

    @contextmanager
    def _at(self, points: list[Array]) -> Iterator[None]:
        """Let the parameters hold `points` within a `with` block, and then what they held."""
        pairs = list(zip(self.places.items, points, strict=True))
        away = [(place, point) for place, point in pairs if not _same(place.array, point)]
        kept = [place.array.copy() for place, _ in away]
        for place, point in away:
            place.array[...] = point
        self.places.give_back()
        try:
            yield
        finally:
            for (place, _), array in zip(away, kept, strict=True):
                place.array[...] = array
            self.places.give_back()

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Let the parameters hold the point of evaluation within a `with` block."""
        self._prepare()
        try:
            with self.optimizer.evaluating():
                self.places.give_back()
                yield
        finally:
            self.places.give_back()

    def theta(self) -> list[torch.Tensor]:
        """Return copies of the true iterate."""
        self._prepare()
        found = zip(self.places.items, self._flat(self.optimizer.theta()), strict=True)
        return [tensor_of(array).to(place.dtype) for place, array in found]

    def attributes(self) -> dict[str, Any]:
        """Return what belongs to no parameter."""
        optimizer = self.optimizer
        mode = optimizer.state_dict(copy=False)["mode"]
        return {"rule": self.rule.layout.name, "mode": mode, "seed": optimizer.seed}


def _same(array: Array, point: Array) -> bool:
    """Is `point` a view of `array`, so that nothing needs to be copied?"""
    return array.ctypes.data == point.ctypes.data
