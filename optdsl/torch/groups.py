"""Hyperparameters stand in the groups of PyTorch, where schedulers and users change them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch

from optdsl.diagnostics import did_you_mean
from optdsl.runtime import Group, HyperparameterError, HyperparameterTypeError
from optdsl.runtime.hyperparameters import Names, Settings

#: What PyTorch itself keeps in a group: no hyperparameter has such a name.
TAKEN = ("params", "param_names", "name", "maximize", "initial_lr")
#: What stands in a group beside hyperparameters: also the names of users' tools, where no
#: hyperparameter has them.
BESIDE = (
    *TAKEN, "max_lr", "min_lr", "swa_lr", "max_momentum", "base_momentum", "lr_scale",
)  # fmt: skip
#: What other optimizers of PyTorch are told of how they work.
_WORK = ("foreach", "fused", "differentiable")


def parted(names: Names, group: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the hyperparameters of a group that a user gave, and what stands beside them.

    Raises:
        HyperparameterError: a name is neither.
    """
    known = names.known()
    own = {name: value for name, value in group.items() if name in known and name not in TAKEN}
    rest = {name: value for name, value in group.items() if name not in own}
    for name in rest:
        if name not in BESIDE:
            near = did_you_mean(name, known)
            if name in _WORK:
                near = f"a step is one compiled pass without it: leave `{name}` out"
            listed = ", ".join(f"`{each}`" for each in names.preferred()) or "none"
            raise HyperparameterError(
                f"{names.owner} has no hyperparameter `{name}`: " + (near or f"it has {listed}")
            )
    return {name: value for name, value in own.items() if value is not None}, rest


def settings_of(names: Names, given: Mapping[str, Any], base: Settings | None = None) -> Settings:
    """Return what was given as settings, over `base` or else the defaults, which may be missing.

    Raises:
        HyperparameterError: an unknown or repeated name, or a value outside its domain; with
            `base`, one that must be given is missing.
    """
    values = {name: plain(value) for name, value in given.items()}
    return Settings.of(names, values, base, partial=base is None)


def spelled(settings: Settings, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a group: one name a hyperparameter, None for a spec's own formula.

    Where parts of a composition share a name, it is used if a user gave it: `lr` rather than
    `SGD.lr` and `AdamW.lr`. Where several parts are one rule and the spec tells them
    apart (`SGD(eta=0) if ... else SGD(eta=1)`), no name means one of them, and none stands here.
    """
    names = settings.names
    entries: dict[str, Any] = {}
    for name in names.preferred():
        bare = name.rpartition(".")[2]
        for spelling in (bare, name) if bare in given else (name,):
            with suppress(HyperparameterError):  # parts that share the name differ
                value = given.get(spelling)
                kept = isinstance(value, torch.Tensor)  # a scheduler fills it with new values
                entries[spelling] = value if kept else _shown(settings, spelling)
                break
    return entries


def _shown(settings: Settings, name: str) -> Any:
    value = settings[name]
    if all(settings.sources[i] is None for places in settings.names.slots_of(name) for i in places):
        return None
    return value


def plain(value: Any) -> Any:
    """Return a hyperparameter as the runtime takes it: numbers for tensors, tuples for lists.

    Raises:
        HyperparameterTypeError: a tensor holds several numbers.
    """
    if isinstance(value, torch.Tensor):
        if value.numel() != 1:
            raise HyperparameterTypeError(
                f"a hyperparameter is a tensor of {value.numel()} entries: give one number"
            )
        return value.item()
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return value


class Link:
    """Carries what has changed in a group of PyTorch over to the runtime's."""

    def __init__(self, group: dict[str, Any], names: Names) -> None:
        self.group = group
        self.names = names
        known = names.known()
        found = {n: plain(v) for n, v in group.items() if n in known and n not in TAKEN}
        self.seen = found
        self._size = len(group)

    def given(self) -> dict[str, Any]:
        """Return the hyperparameters that the runtime is to be built with."""
        return {name: value for name, value in self.seen.items() if value is not None}

    def carry(self, target: Group) -> None:
        """Let the runtime's group hold what this group holds now.

        Raises:
            HyperparameterError: a value is outside its domain.
        """
        group, seen = self.group, self.seen
        if len(group) != self._size:
            self._check_names()
        for name, last in seen.items():
            value = group[name]
            if value is last:
                continue
            value = plain(value)
            if value is last or value == last:
                continue
            if value is None:
                target.settings.reset(name)
            else:
                target[name] = value
            seen[name] = value

    def _check_names(self) -> None:
        """Refuse names of hyperparameters that have come to the group, or gone from it.

        Raises:
            HyperparameterError: it says which.
        """
        known = set(self.names.known()).difference(TAKEN)
        for name in self.seen:
            if name not in self.group:
                raise HyperparameterError(f"`{name}` is gone from a group: give it again")
        for name in self.group:
            if name in known and name not in self.seen:
                reached = {i for places in self.names.slots_of(name) for i in places}
                standing = [
                    f"`{each}`"
                    for each in self.seen
                    if reached & {i for places in self.names.slots_of(each) for i in places}
                ]
                raise HyperparameterError(
                    f"`{name}` has come to a group, and what it means stands there as "
                    f"{', '.join(standing)}: change that, or give `{name}` to the optimizer first"
                )
        self._size = len(self.group)
