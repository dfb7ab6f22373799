"""The optimizers of the runtime under one of PyTorch's: one for each memory."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

import torch

from optdsl.runtime import ParameterError, StepError, StepResult
from optdsl.runtime.inside import inputs_for, require_back
from optdsl.torch.memory import HOST, Memory
from optdsl.torch.places import Place
from optdsl.torch.portion import Portion, Share
from optdsl.torch.rules import Rules
from optdsl.torch.shards import WORDS

#: A memory and, where it matters there, a dtype.
Key: TypeAlias = tuple[Memory, torch.dtype | None]


class Running:
    """What steps the tensors in groups of PyTorch.

    There is a portion of them for each memory they lie in, and on cards for each dtype.
    """

    def __init__(
        self, rules: Rules, groups: Sequence[dict[str, Any]], options: Mapping[str, Any]
    ) -> None:
        self.rules = rules
        self.options = options
        self.result: StepResult | None = None
        self.has_begun = False  # are there states that no step has made?
        self.portions: dict[Key, Portion] = {}
        self._groups: list[tuple[dict[str, Any], list[Place]]] = []
        self._tensors: list[list[torch.Tensor]] = []
        for group in groups:
            self._groups.append((group, _places_of(group, len(self._groups))))
            self._tensors.append(list(group["params"]))
        keys = self._keys()
        self._check(keys)
        self.portions = {key: self._portion(key) for key in keys or [(HOST, None)]}

    def _keys(self) -> list[Key]:
        return list(dict.fromkeys(_key(p) for _, places in self._groups for p in places))

    def _portion(self, key: Key) -> Portion:
        shares = [_share(group, places, key) for group, places in self._groups]
        return Portion(self.rules, key[0], shares, self.options)

    def _check(self, keys: Sequence[Key]) -> None:
        """Refuse several memories where a rule needs to see all tensors at once.

        Raises:
            ParameterError: it says why.
        """
        needed = next((need for need in ("all", "draws") if need in self.rules.needs), None)
        reason = WORDS[needed] if needed else ""
        if self.rules.layout.ready is None:
            reason = "asks for several gradients in a step"
        if reason and len(keys) > 1:
            first, second = (_text(key) for key in keys[:2])
            raise ParameterError(
                f"some parameters are {first} and others {second}, and {self.rules.name} {reason}: "
                "use one optimizer for each"
            )

    def add(self, group: dict[str, Any]) -> None:
        """Take in one more group.

        Raises:
            ParameterError: it cannot be stepped with the others; nothing has changed then.
        """
        places = _places_of(group, len(self._groups))
        self._groups.append((group, places))
        try:
            keys = self._keys()
            self._check(keys)
            new = {key: self._portion(key) for key in keys if key not in self.portions}
            added = [portion.ahead(_share(group, places, key))
                     for key, portion in self.portions.items()]  # fmt: skip
        except BaseException:
            self._groups.pop()
            raise
        for portion, each in zip(self.portions.values(), added, strict=True):
            portion.add(each)
        self.portions |= new
        self._tensors.append(list(group["params"]))

    def is_of(self, groups: Sequence[dict[str, Any]]) -> bool:
        """Are these the groups and the tensors that are stepped, in the same order?"""
        return len(groups) == len(self._groups) and all(
            group is known
            and len(group["params"]) == len(tensors)
            and all(map(operator.is_, group["params"], tensors))
            for group, (known, _), tensors in zip(groups, self._groups, self._tensors, strict=True)
        )

    # ------------------------------------------------------------------- steps

    def begin(self) -> None:
        """Start the states of tensors that have a gradient, and take no step."""
        for portion in self.portions.values():
            portion.begin()
        self.has_begun = True

    @property
    def needs_points(self) -> bool:
        """Are gradients asked for elsewhere than at the parameters?"""
        layout = self.rules.layout
        return layout.ready is None or layout.iterate is not None

    def step(
        self, loss: Any, inputs: Mapping[str, Any], unscale: Callable[[], None] | None = None
    ) -> None:
        """Take one step with the gradients that the tensors hold.

        `unscale` makes of these what they are without a scale, once nothing keeps the step from
        being taken.

        Raises:
            GradientError: a gradient does not fit its parameter.
            HyperparameterError: one is outside its domain.
            StepError: the rule cannot take this step.
        """
        if self.rules.layout.ready is None:
            raise StepError(
                f"{self.rules.name} asks for several gradients in a step, "
                "at points of its own: give `step` a closure that zeroes gradients, "
                "computes the loss, calls `backward` and returns the loss"
            )
        portions = list(self.portions.values())
        for portion in portions:
            portion.prepare()
        given = [portion.found() for portion in portions]
        loss = self._signed(loss)
        told: Sequence[Mapping[str, Any]] = [inputs]
        if len(portions) > 1:
            told = inputs_for([portion.optimizer for portion in portions], inputs)
        if len(portions) > 1 or unscale is not None:
            for portion, each, own in zip(portions, given, told, strict=True):
                portion.check(each, loss, own)
        if unscale is not None:
            unscale()
            given = [portion.found() for portion in portions]
        results = [
            portion.step(each, loss, own)
            for portion, each, own in zip(portions, given, told, strict=True)
        ]
        self.result = results[0] if len(results) == 1 else _together(results, loss)
        for portion in portions:
            portion.places.give_back()

    def step_at_points(self, closure: Any, inputs: Mapping[str, Any]) -> Any:
        """Take one step with a closure, which finds the parameters where a gradient is asked for.

        Raises:
            As `step`, and whatever the closure raises.
        """
        if len(self.portions) > 1:
            first, second = (_text(key) for key in list(self.portions)[:2])
            raise StepError(
                f"some parameters are {first} and others {second}, and with a closure "
                f"{self.rules.name} takes its gradient elsewhere than at the parameters: call "
                "`step` without one, or use one optimizer for each"
            )
        (portion,) = self.portions.values()
        portion.prepare()
        losses: list[Any] = []

        def gradients(points: Any) -> Any:
            with portion.at(portion.flat(points)), torch.enable_grad():
                losses.append(closure())
            found = portion.arranged(portion.gradients())
            return found if losses[-1] is None else (self._signed(losses[-1]), found)

        told = portion.memory.enter(portion.optimizer)
        self.result = portion.optimizer.step(gradients, **told, **inputs)
        portion.places.give_back()
        return losses[0] if losses else None

    def _signed(self, loss: Any) -> Any:
        if loss is None or not self.rules.layout.losses:
            return loss
        uphill = {bool(group["maximize"]) for group, _ in self._groups}
        if len(uphill) > 1:
            raise StepError(
                f"{self.rules.name} reads the loss, and some groups are to maximize it, "
                "others not: give `maximize` to all or none"
            )
        return -loss if uphill == {True} else loss

    # ------------------------------------------------------------------ points

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Let the parameters hold the point of evaluation within a `with` block."""
        with ExitStack() as entered:
            for portion in self.portions.values():
                entered.enter_context(portion.evaluating())
            yield

    def require_back(self) -> None:
        """See that the parameters are not at the point of evaluation.

        Raises:
            StepError: they are.
        """
        for portion in self.portions.values():
            require_back(portion.optimizer)

    def theta(self) -> list[torch.Tensor]:
        """Return copies of the true iterate."""
        found = {
            id(place.tensor): theta
            for portion in self.portions.values()
            for place, theta in zip(portion.places.items, portion.theta(), strict=True)
        }
        return [found[id(place.tensor)] for _, places in self._groups for place in places]

    def attributes(self) -> dict[str, Any]:
        """Return what belongs to no parameter."""
        portions = list(self.portions.values())
        modes = [each.optimizer.state_dict(copy=False)["mode"] for each in portions]
        mode = next((mode for mode in modes if mode), "")
        return {
            "rule": self.rules.name,
            "fingerprint": self.rules.layout.fingerprint,
            "mode": mode,
            "seed": portions[0].optimizer.seed,
        }


def _places_of(group: Mapping[str, Any], number: int) -> list[Place]:
    names = group.get("param_names")
    labels = [
        f"number {index} of group {number}" if names is None else f"`{names[index]}`"
        for index in range(len(group["params"]))
    ]
    return [Place(p, label) for p, label in zip(group["params"], labels, strict=True)]


def _key(place: Place) -> Key:
    """Return what parameters that are stepped together have in common."""
    return place.memory, None if place.memory.mixes else place.memory.stepped(place.dtype)


def _text(key: Key) -> str:
    return f"on {key[0].name}" if key[1] is None else f"{key[1]} on {key[0].name}"


def _share(group: dict[str, Any], places: Sequence[Place], key: Key) -> Share:
    chosen = [index for index, place in enumerate(places) if _key(place) == key]
    names = group.get("param_names")
    named = None if names is None else tuple(names[index] for index in chosen)
    return Share(group, named, tuple(places[index] for index in chosen))


def _together(results: Sequence[StepResult], loss: Any) -> StepResult:
    taken = tuple(sum(counts) for counts in zip(*(each.taken for each in results), strict=True))
    skipped = any(each.skipped for each in results) and taken[-1] == 0
    return StepResult(skipped, taken, loss)
