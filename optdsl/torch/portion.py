"""The parameters of an optimizer that one optimizer of the runtime steps: those of one memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from optdsl.runtime import GradientError, Optimizer, ParameterError, StepResult
from optdsl.runtime.inside import begin, check_ahead, check_group_ahead
from optdsl.runtime.rows import Rows
from optdsl.torch.gradients import copied
from optdsl.torch.groups import Link
from optdsl.torch.memory import HOST, Memory
from optdsl.torch.places import Place, Places
from optdsl.torch.rules import Rules
from optdsl.torch.shards import Shards, across, check_shards
from optdsl.torch.sparse import rows_of
from optdsl.torch.tensors import beside


@dataclass(frozen=True)
class Share:
    """What a portion has of a group of PyTorch: some of its parameters."""

    group: dict[str, Any]
    names: tuple[str, ...] | None
    places: tuple[Place, ...]

    def arranged(self, items: Sequence[Any]) -> Any:
        """Return what there is for each parameter in the structure that the runtime knows."""
        return list(items) if self.names is None else dict(zip(self.names, items, strict=True))


@dataclass(frozen=True)
class New:
    """One more group: the share of a portion, and what the runtime is given of it."""

    share: Share
    link: Link
    given: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """The gradients of a step, one or None a parameter; which rows those have that are sparse."""

    arrays: list[Any]
    rows: dict[int, Rows]


class Portion:
    """One optimizer of the runtime on the memory of tensors: arrays in, arrays out."""

    def __init__(
        self,
        rules: Rules,
        memory: Memory,
        shares: Sequence[Share],
        options: Mapping[str, Any],
    ) -> None:
        self.rules = rules
        self.memory = memory
        self.shares: list[Share] = []
        self.places = Places()
        self.links: list[Link] = []
        self._shards = Shards()
        if options.get("capturable") and memory is HOST:
            raise ParameterError(
                "`capturable` is for tensors on a card, and some parameters are on the CPU"
            )
        rule = rules.on(memory)
        new = [self._new(share) for share in shares]
        for each in new:
            self._keep(each)
        reduces = bool(rules.needs & {"tensor", "all"})
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        stepping = across(rule, self._shards) if reduces and together else rule
        self.optimizer: Optimizer = stepping([each.given for each in new], **options)

    def _new(self, share: Share) -> New:
        """Return what there is of one more group, which is not taken in yet.

        Raises:
            ParameterError: a tensor is held in parts, and the rule needs to see it whole.
        """
        for place in share.places:
            check_shards(self.rules.name, self.rules.needs, place)
        link = Link(share.group, self.rules.names)
        arrays = share.arranged([place.array for place in share.places])
        return New(share, link, {"params": arrays, **link.given()})

    def _keep(self, new: New) -> None:
        self.shares.append(new.share)
        self.places.add(new.share.places)
        self._shards.add([place.tensor for place in new.share.places])
        self.links.append(new.link)

    def ahead(self, share: Share) -> New:
        """Return what there is of one more group, after all that could keep it from being added.

        Raises:
            ParameterError: it cannot be stepped with the others.
        """
        new = self._new(share)
        check_group_ahead(self.optimizer, new.given)
        return new

    def add(self, new: New) -> None:
        """Take in what there is of one more group."""
        self.optimizer.add_group(new.given)
        self._keep(new)

    # ------------------------------------------------------------------- steps

    def prepare(self) -> None:
        """See that the runtime knows what stands in the groups and where the parameters are.

        Raises:
            HyperparameterError: a value is outside its domain.
            ParameterError: a parameter has another dtype or shape than before, or shares memory.
        """
        for link, group in zip(self.links, self.optimizer.groups, strict=True):
            link.carry(group)
        self.places.follow(self.optimizer)
        self.places.take()

    def found(self) -> Found:
        """Return the gradients that the tensors hold.

        Raises:
            GradientError: one does not fit its parameter.
        """
        rows: dict[int, Rows] = {}
        return Found(self.gradients(rows), rows)

    def gradients(self, rows: dict[int, Rows] | None = None) -> list[Any]:
        """Return the gradients that the tensors hold; note in `rows` which of them have some.

        Raises:
            GradientError: one does not fit its parameter.
        """
        found: list[Any] = []
        for share in self.shares:
            turned = bool(share.group["maximize"])
            for place in share.places:
                gradient = place.tensor.grad
                if gradient is None:
                    found.append(None)
                    continue
                gradient = beside(place.tensor, gradient)
                if gradient.layout is not torch.strided:
                    found.append(self._some_rows(len(found), -gradient if turned else gradient,
                                                 rows))  # fmt: skip
                    continue
                found.append(
                    place.gradients.of(place.gradients.turned(gradient) if turned else gradient)
                )
        return found

    def _some_rows(self, index: int, gradient: torch.Tensor, rows: dict[int, Rows] | None) -> Any:
        place, name = self.places.items[index], self.rules.name
        if rows is None:
            raise GradientError(
                f"the gradient of {place.label} is sparse, and {name} asks for it elsewhere than "
                "at the parameters: let it be dense, as with `sparse=False`"
            )
        self.rules.laziness.check(self.optimizer.groups, name, place.label)
        if self.memory is not HOST:  # rows of zeros are left as they are, so it comes to the same
            return copied(self.memory, gradient.to_dense())
        place.gradients.check(gradient)
        rows[index], values = rows_of(gradient, place.label)
        return copied(self.memory, values)

    def begin(self) -> None:
        """Start the states of tensors that have a gradient, and take no step."""
        self.memory.enter(self.optimizer)
        items = enumerate(self.places.items)
        begin(self.optimizer, [index for index, place in items if place.tensor.grad is not None])

    def check(self, found: Found, loss: Any, inputs: Mapping[str, Any]) -> None:
        """Raise what `step` would raise; change nothing."""
        self.memory.enter(self.optimizer)
        check_ahead(self.optimizer, found.arrays, found.rows, loss, inputs)

    def step(self, found: Found, loss: Any, inputs: Mapping[str, Any]) -> StepResult:
        """Take one step with gradients; see `Optimizer.step`."""
        told = self.memory.enter(self.optimizer)
        given = self.arranged(found.arrays)
        if found.rows:
            return self.optimizer.step_rows(given, found.rows, loss=loss, **inputs)
        return self.optimizer.step(given, loss=loss, **told, **inputs)

    def arranged(self, flat: Sequence[Any]) -> list[Any]:
        """Return what there is for each parameter in the structure that the runtime knows."""
        arranged: list[Any] = []
        start = 0
        for share in self.shares:
            end = start + len(share.places)
            arranged.append(share.arranged(flat[start:end]))
            start = end
        return arranged

    def flat(self, arranged: Sequence[Any]) -> list[Any]:
        """Return the opposite of `arranged`."""
        return [
            item
            for part in arranged
            for item in (part.values() if isinstance(part, dict) else part)
        ]

    # ------------------------------------------------------------------ points

    @contextmanager
    def at(self, points: Sequence[Any]) -> Iterator[None]:
        """Let the parameters hold `points` within a `with` block, and then what they held."""
        address = self.memory.address
        pairs = list(zip(self.places.items, points, strict=True))
        away = [(place, p) for place, p in pairs if address(place.array) != address(p)]
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
        self.prepare()
        self.memory.enter(self.optimizer)
        try:
            with self.optimizer.evaluating():
                self.places.give_back()
                try:
                    yield
                finally:
                    self.memory.enter(self.optimizer)
        finally:
            self.places.give_back()

    def theta(self) -> list[torch.Tensor]:
        """Return copies of the true iterate."""
        self.prepare()
        self.memory.enter(self.optimizer)
        found = zip(self.places.items, self.flat(self.optimizer.theta()), strict=True)
        return [self.memory.tensor(array).to(place.dtype) for place, array in found]
