"""The states of the runtime, told parameter by parameter as PyTorch's optimizers tell theirs.

A parameter's `step` is how many steps it has taken; in a composition that skips steps, the other
parts count theirs under `step.0`, `step.1`. States of the spec stand by their names. Numbers that
many parameters share are told for each.
"""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from optdsl.runtime import CheckpointError
from optdsl.runtime.inside import storage_of
from optdsl.runtime.layout import Layout
from optdsl.torch.memory import Memory
from optdsl.torch.tensors import like, local

if TYPE_CHECKING:
    from optdsl.torch.portion import Portion
    from optdsl.torch.running import Running

_CASE, _BEGUN, _PLACES = "case", "begun", "places"


class States(MutableMapping[torch.Tensor, Mapping[str, Any]]):
    """The states of an optimizer by parameter, as PyTorch's tools read and write them.

    What is read is on the memory in use, and cannot be assigned to; a whole parameter can,
    and what is assigned is loaded before the next step.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def _all(self) -> dict[torch.Tensor, Any]:
        if self._owner.assigned is not None:
            return self._owner.assigned
        told = of_parameters(self._owner.running)
        return {tensor: MappingProxyType(each) for tensor, each in told.items()}

    def _to_change(self) -> dict[torch.Tensor, Any]:
        if self._owner.assigned is None:
            told = of_parameters(self._owner.running)
            self._owner.assigned = {tensor: dict(each) for tensor, each in told.items()}
        return self._owner.assigned

    def __getitem__(self, tensor: torch.Tensor) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._all().get(tensor, MappingProxyType({}))
        return found

    def __setitem__(self, tensor: torch.Tensor, told: Mapping[str, Any]) -> None:
        self._to_change()[tensor] = told

    def __delitem__(self, tensor: torch.Tensor) -> None:
        del self._to_change()[tensor]

    def __contains__(self, tensor: object) -> bool:
        return tensor in self._all()

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def items(self) -> ItemsView[torch.Tensor, Any]:
        """Return all parameters that have states, and these."""
        return self._all().items()

    def get(self, tensor: torch.Tensor, default: Any = None) -> Any:
        """Return the states of a parameter that has some, and else the default."""
        return self._all().get(tensor, default)

    def pop(self, tensor: torch.Tensor, *default: Any) -> Any:
        """Take out the states of a parameter, and return them.

        Raises:
            KeyError: it has none, and no default is given.
        """
        return self._to_change().pop(tensor, *default)

    def clear(self) -> None:
        """Begin anew."""
        self._owner.assigned = {}

    def __repr__(self) -> str:
        return repr(dict(self.items()))


class Owner(Protocol):
    """An optimizer whose states are told. `assigned` waits to be loaded, where it is not None."""

    assigned: dict[torch.Tensor, Any] | None

    @property
    def running(self) -> Running:
        """The optimizer of the runtime, with what was assigned."""
        ...


def of_parameters(running: Running) -> dict[torch.Tensor, dict[str, Any]]:
    """Return the states of each parameter that has taken a step; tensors are on their memory."""
    found = [_of_portion(portion) for portion in running.portions.values()]
    return {tensor: told for each in found for tensor, told in each.items()}


def _of_portion(portion: Portion) -> dict[torch.Tensor, dict[str, Any]]:
    portion.memory.enter(portion.optimizer)
    stored = portion.optimizer.state_dict(copy=False)
    layout = portion.optimizer.layout
    tensors = [place.tensor for place in portion.places.items]
    return {
        tensors[index]: _of_parameter(layout, portion.memory, stored, cohort, index, tensors[index])
        for cohort in stored["cohorts"]
        if cohort["started"]
        for index in map(int, cohort["members"])
    }


def _of_parameter(
    layout: Layout,
    memory: Memory,
    stored: dict[str, Any],
    cohort: dict[str, Any],
    index: int,
    tensor: torch.Tensor,
) -> dict[str, Any]:
    told: dict[str, Any] = dict(zip(_clock_names(layout), cohort["clocks"], strict=True))
    for name, arrays in stored["entries"].items():
        if str(index) in arrays:
            told[name] = like(tensor, memory.tensor(arrays[str(index)]))
    for kind, row in _rows(stored, cohort, index).items():
        told |= {name: float(x) for name, x in zip(_names(layout, kind), row, strict=True)}
    if layout.cases:
        told[_CASE] = cohort["started"] - 1
    if _names(layout, "all"):
        told[_BEGUN] = stored["all_started"]
    places = _plain(cohort["reading"])
    if any(places.values()):
        told[_PLACES] = places
    return told


def _rows(stored: dict[str, Any], cohort: dict[str, Any], index: int) -> dict[str, Any]:
    return {
        "tensor": stored["tensor"][index],
        "all": stored["everything"],
        "step": cohort["step_state"],
    }


def _names(layout: Layout, kind: str) -> list[str]:
    return [state.name for state in layout.states if state.kind == kind]


def _clock_names(layout: Layout) -> list[str]:
    return [f"step.{part}" for part in range(layout.parts - 1)] + ["step"]


def _plain(value: Any) -> Any:
    """Return nested data with lists for arrays."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


# ------------------------------------------------------------------------ back


def load(running: Running, told: Mapping[torch.Tensor, Mapping[str, Any]], mode: str) -> None:
    """Put the states of `told` into a fresh optimizer.

    Raises:
        CheckpointError: they are not those of this rule, or do not fit.
    """
    for portion in running.portions.values():
        _load(portion, told, mode)


def _load(portion: Portion, told: Mapping[torch.Tensor, Mapping[str, Any]], mode: str) -> None:
    optimizer = portion.optimizer
    layout = optimizer.layout
    portion.memory.enter(optimizer)
    stored = optimizer.state_dict(copy=False)
    stored["mode"] = mode
    for index, place in enumerate(portion.places.items):
        if place.tensor in told:
            _load_arrays(portion, stored, index, told[place.tensor])
    everything = next((_row(layout, "all", each) for each in told.values()), None)
    if everything is not None and _names(layout, "all"):
        stored["everything"] = np.array(everything)
        stored["all_started"] = int(next(iter(told.values()))[_BEGUN])
    stored["cohorts"] = [
        new for cohort in stored["cohorts"] for new in _cohorts(portion, cohort, told)
    ]
    optimizer.load_state_dict(stored)


def _load_arrays(
    portion: Portion, stored: dict[str, Any], index: int, told: Mapping[str, Any]
) -> None:
    layout, place = portion.optimizer.layout, portion.places.items[index]
    known = {state.name for state in layout.states} | {*_clock_names(layout)}
    for name in told:
        if name not in known and name not in (_CASE, _BEGUN, _PLACES):
            raise CheckpointError(
                f"the stored state has `{name}` for parameter {place.label}, "
                f"but {layout.name} has no such state"
            )
    for name, arrays in stored["entries"].items():
        if name in told:
            if not isinstance(told[name], torch.Tensor):
                raise CheckpointError(f"the stored state `{name}` of {place.label} is no tensor")
            dtype = storage_of(portion.optimizer, name, index)
            arrays[str(index)] = portion.memory.new_state(local(told[name]), dtype, place.array)
    stored["tensor"][index] = _row(layout, "tensor", told)


def _row(layout: Layout, kind: str, told: Mapping[str, Any]) -> list[float]:
    try:
        return [float(told[name]) for name in _names(layout, kind)]
    except KeyError as error:
        raise CheckpointError(f"the stored state has no `{error.args[0]}`") from None


def _cohorts(
    portion: Portion, fresh: dict[str, Any], told: Mapping[torch.Tensor, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return cohorts of the members of a fresh one that are at the same place."""
    layout = portion.optimizer.layout
    found: dict[str, dict[str, Any]] = {}
    for index in map(int, fresh["members"]):
        each = told.get(portion.places.items[index].tensor)
        new = dict(fresh)
        if each is not None:
            missing = next((name for name in _clock_names(layout) if name not in each), None)
            if missing is not None:
                raise CheckpointError(f"the stored state has no `{missing}`")
            new["clocks"] = [int(each[name]) for name in _clock_names(layout)]
            new["started"] = int(each.get(_CASE, 0)) + 1
            new["step_state"] = np.array(_row(layout, "step", each))
            new["reading"] = each.get(_PLACES, fresh["reading"])
        key = json.dumps([new["clocks"], new["started"], _plain(new["step_state"]),
                          _plain(new["reading"])])  # fmt: skip
        found.setdefault(key, {**new, "members": []})["members"].append(index)
    return list(found.values())
