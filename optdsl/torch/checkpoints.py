"""State dicts: what stands in them beside the states, and how they come back."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from optdsl.runtime import CheckpointError
from optdsl.runtime.checkpoint import tell_of_other_equations
from optdsl.runtime.layout import Layout
from optdsl.runtime.sources import noted, taken_up
from optdsl.torch.groups import BESIDE
from optdsl.torch.moving import from_torch

if TYPE_CHECKING:
    from optdsl.torch.compiled import CompiledOptimizer

#: The entry of a stored group that tells whose state this is.
ABOUT = "optdsl"


class Sealed:
    """The stored states of one parameter, closed so that PyTorch converts none of them."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.told = told


def opened(told: Mapping[str, Any] | Sealed) -> Mapping[str, Any]:
    """Return the states that were sealed, or were not."""
    return told.told if isinstance(told, Sealed) else told


def _compiled(optimizer: Any) -> CompiledOptimizer:
    """Say to type checkers what PyTorch's hooks are given here."""
    compiled: CompiledOptimizer = optimizer
    return compiled


def described(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """Say in each group of a state dict what it is of; note functions and schedules there."""
    state["state"] = {index: dict(told) for index, told in state["state"].items()}
    for group in state["param_groups"]:
        for name, value in group.items():
            group[name] = _noted(value)
        group[ABOUT] = _compiled(optimizer).running.attributes()
    return state


def _noted(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_noted(item) for item in value)
    return noted(value) if callable(value) or hasattr(value, "start") else value


def understood(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """Return a state dict with its functions and schedules in place, and its states sealed.

    Raises:
        CheckpointError: it is of another rule, or a function is noted where none stands now.
    """
    if not isinstance(state, Mapping) or not {"state", "param_groups"} <= set(state):
        raise CheckpointError("this is not a state of an optimizer: give what `state_dict` returns")
    compiled = _compiled(optimizer)
    layout, now = compiled.rules.layout, compiled.param_groups
    if not any(ABOUT in group for group in state["param_groups"]):
        about = compiled.running.attributes()
        if _looks_like_ours(state, now):
            _require_told(layout)
        else:
            state = from_torch(layout, state, now)
            about["mode"] = state.pop("mode")
        state = {**state, "param_groups": [{**g, ABOUT: about} for g in state["param_groups"]]}
    groups = []
    for number, group in enumerate(state["param_groups"]):
        rule = dict(group.get(ABOUT) or {}).get("rule")
        if rule != layout.name:
            raise CheckpointError(
                f"the stored state is one of {rule}, but here it is {layout.name}"
            )
        if number == 0:
            tell_of_other_equations(layout, group[ABOUT])
        here = now[number] if number < len(now) else {}
        groups.append(
            {name: _taken_up(name, value, here.get(name)) for name, value in group.items()}
        )
    groups = _by_name(groups, now)
    sealed = {key: Sealed(each) for key, each in state["state"].items() if each}
    return {**state, "state": sealed, "param_groups": groups}


def _looks_like_ours(state: Mapping[str, Any], now: list[dict[str, Any]]) -> bool:
    """Is it a state of ours whose groups have lost what they told of themselves?

    So they do where PyTorch flattens them (`flatten_optimizer_state_dict`).
    """
    told = {name for group in now for name in group}.union(BESIDE)
    return bool(state["state"]) and all(told.issuperset(g) for g in state["param_groups"])


def _require_told(layout: Layout) -> None:
    """Refuse a flattened state of a rule where that lacks something.

    Raises:
        CheckpointError: it says what.
    """
    lost = "where its gradients were taken" if layout.iterate is not None else ""
    lost = lost or ("the seed of its random numbers" if layout.seed is not None else "")
    if lost:
        raise CheckpointError(
            f"the stored state of {layout.name} has been flattened, and {lost} is lost: store it "
            "with `flatten_optimizer_state_dict=False`"
        )


def _by_name(stored: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return stored groups with the names of those here, and their parameters in this order.

    Parameters that are not called alike are told by their order alone, as PyTorch does it.
    """
    ids = [each for group in stored for each in group["params"]]
    names = [name for group in stored for name in group.get("param_names", ())]
    here = [name for group in now for name in group.get("param_names", ())]
    sizes = [[len(group["params"]) for group in groups] for groups in (stored, now)]
    if sizes[0] != sizes[1] or len(here) != len(ids):
        return stored  # PyTorch refuses it, or there are no names
    if sorted(here) == sorted(names) and len(set(here)) == len(here):
        by_name = dict(zip(names, ids, strict=True))
        ids = [by_name[name] for name in here]
    rest = iter(ids)
    return [
        {**group, "params": list(islice(rest, size)), "param_names": list(other["param_names"])}
        for group, other, size in zip(stored, now, sizes[0], strict=True)
    ]


def _taken_up(name: str, value: Any, now: Any) -> Any:
    if name == ABOUT:
        return value
    if isinstance(value, tuple | list) and isinstance(now, tuple) and len(value) == len(now):
        return tuple(_taken_up(name, v, n) for v, n in zip(value, now, strict=True))
    return taken_up(value, now, f"`{name}`") if isinstance(value, Mapping) else value


def taken_about(groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Take out of loaded groups what they say of themselves; return it."""
    found = [group.pop(ABOUT) for group in groups]
    if any(each != found[0] for each in found):
        raise CheckpointError("the stored state is damaged: its groups tell of several optimizers")
    return dict(found[0])


def empty(what: str, target: str, storage: dict[str, str]) -> CompiledOptimizer:
    """Return an optimizer that holds nothing yet, for unpickling."""
    from optdsl.torch import optimizer

    made = optimizer(what, target, storage=storage)
    return made.__new__(made)
