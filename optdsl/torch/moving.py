"""Checkpoints that move between torch.optim and compiled rules: what is what, and its names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from optdsl.runtime import CheckpointError
from optdsl.runtime.layout import Layout
from optdsl.torch.groups import BESIDE, plain


@dataclass(frozen=True)
class Kin:
    """An optimizer of torch.optim and the rule that takes the same steps.

    `states` says what their states are called, by our names; `times` are hyperparameters that ours
    are theirs multiplied by, so that both go on alike while these are constant. `where` are
    settings without which they differ. `counted` says whether their states count steps: a rule that
    reads no t does not need to know. `settings` are states of ours that hold a setting of theirs,
    as read in the last step. `mode` is what our arrays hold where a rule looks ahead.
    """

    theirs: str
    rule: str
    states: Mapping[str, str]
    where: Mapping[str, Any] = field(default_factory=dict)
    times: Mapping[str, str] = field(default_factory=dict)
    counted: bool = True
    mode: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


_MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
_BUFFER = {"v": "momentum_buffer"}
_HEAVY = {"nesterov": False, "dampening": 0}
_AHEAD = {"nesterov": True, "dampening": 0}

KIN = (
    Kin("SGD", "SGD", {}, {"momentum": 0, **_HEAVY}, counted=False),
    Kin("SGD", "MomentumOutside", _BUFFER, _HEAVY, counted=False),
    Kin("SGD", "Momentum", _BUFFER, _HEAVY, {"v": "lr"}, counted=False),
    Kin("SGD", "Nesterov", _BUFFER, _AHEAD, {"v": "lr"}, counted=False, mode="ready"),
    Kin("Adam", "Adam", _MOMENTS, {"amsgrad": False}),
    Kin("AdamW", "AdamW", _MOMENTS, {"amsgrad": False, "decoupled_weight_decay": True}),
    Kin("Adam", "AMSGradMaxThenCorrect", {**_MOMENTS, "n": "max_exp_avg_sq"}, {"amsgrad": True}),
    Kin("NAdam", "NAdam", {**_MOMENTS, "M": "mu_product"}),
    Kin("RAdam", "RAdamTorch", _MOMENTS),
    Kin("Adamax", "AdaMaxEpsilon", {"m": "exp_avg", "u": "exp_inf"}),
    Kin("RMSprop", "RMSpropOutside", {"v": "square_avg"}, {"momentum": 0, "centered": False}),
    Kin(
        "RMSprop",
        "RMSpropMomentum",
        {"v": "square_avg", "b": "momentum_buffer"},
        {"centered": False},
    ),
    Kin("Adagrad", "AdagradOutside", {"G": "sum"}, {"lr_decay": 0}),
    Kin(
        "Adadelta",
        "Adadelta",
        {"E_g": "square_avg", "E_d": "acc_delta"},
        {"lr": 1},
        settings={"last_epsilon": "eps"},
    ),
    Kin("Rprop", "Rprop", {"q": "prev", "D": "step_size"}),
)

#: Settings of theirs that do not change a step while they have these values.
_INERT = {"weight_decay": 0, "decoupled_weight_decay": False}
#: Settings of theirs that never change a step, or speak of its start only.
_IDLE = {"foreach", "fused", "capturable", "differentiable", "initial_accumulator_value"}
#: Rules whose weight decay is what theirs means by it, where it is not decoupled.
_PENALTY = "WeightDecay"


def kin_of(layout: Layout) -> list[Kin]:
    """Return the optimizers of torch.optim whose states could be those of a rule.

    A rule may be a composition: what stands around it must have no states.
    """
    owners = {slot.owner for slot in layout.hyperparameters}
    names = {state.name for state in layout.states}
    return [k for k in KIN if k.rule in owners and {*k.states, *k.settings} == names]


def defaults_of(name: str) -> dict[str, Any]:
    """Return the settings that a group of an optimizer of torch.optim has.

    >>> defaults_of("SGD")["nesterov"]
    False
    """
    made = getattr(torch.optim, name)([torch.zeros(1, requires_grad=True)])
    found: dict[str, Any] = made.defaults
    return found


def _carried(layout: Layout, kin: Kin) -> dict[str, bool]:
    """Return the settings of theirs that we have too, each by whether it is a penalty of ours."""
    found = {}
    for slot in layout.hyperparameters:
        name = slot.alias or slot.local_name
        if slot.owner == kin.rule or (slot.owner == _PENALTY and name == "weight_decay"):
            found[name] = slot.owner == _PENALTY
    return {name: found[name] for name in found if name in defaults_of(kin.theirs)}


def _misfits(layout: Layout, kin: Kin, group: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of a group of theirs has no counterpart."""
    known = defaults_of(kin.theirs)
    carried = _carried(layout, kin)
    for name, value in group.items():
        if name not in known:
            if name not in BESIDE:
                yield f"torch.optim.{kin.theirs} has no `{name}`"
        elif name in kin.where:
            if value != kin.where[name]:
                yield f"`{name}` is {value} there, and {layout.name} is it with {kin.where[name]}"
        elif name not in carried and name not in _IDLE and name not in BESIDE:
            harmless = name in _INERT and (value == _INERT[name] or not group["weight_decay"])
            if not harmless:
                hint = ": use `WeightDecay | ...`" if name == "weight_decay" else ""
                yield f"`{name}` is {value} there, and {layout.name} has none{hint}"
    missing = [name for name in kin.where if name in known and name not in group]
    yield from (f"it has no `{name}`" for name in missing)
    if any(carried.values()) and group.get("decoupled_weight_decay"):
        yield "its weight decay is decoupled, and that of `WeightDecay` a penalty"


# --------------------------------------------------------------------- to ours


def from_torch(
    layout: Layout, state: Mapping[str, Any], groups: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return a state dict of torch.optim as one of ours; `groups` are ours as they stand.

    Raises:
        CheckpointError: it is none of an optimizer that takes the same steps.
    """
    kin = _recognized(layout, state["param_groups"])
    moved: list[dict[str, Any]] = []
    at: dict[Any, Mapping[str, Any]] = {}
    for theirs, now in zip(state["param_groups"], groups, strict=False):
        taken = {*_carried(layout, kin), *BESIDE}
        moved.append({**now, **{n: _number(v) for n, v in theirs.items() if n in taken}})
        at |= dict.fromkeys(theirs["params"], theirs)
    moved += [dict(group) for group in state["param_groups"][len(groups) :]]
    states = {
        index: _ours(layout, kin, told, at[index])
        for index, told in state["state"].items()
        if any(value is not None for value in told.values())
    }
    return {**state, "state": states, "param_groups": moved, "mode": kin.mode}


def _recognized(layout: Layout, groups: list[dict[str, Any]]) -> Kin:
    reasons = []
    for kin in kin_of(layout):
        misfits = [reason for group in groups for reason in _misfits(layout, kin, group)]
        if not misfits:
            return kin
        reasons.append(misfits[0])
    why = f": {reasons[0]}" if reasons else ""
    raise CheckpointError(
        f"the stored state is one of something else, but here it is {layout.name}{why}"
    )


def _number(value: Any) -> Any:
    return plain(value) if isinstance(value, tuple | list) else value


def _ours(
    layout: Layout, kin: Kin, told: Mapping[str, Any], group: Mapping[str, Any]
) -> dict[str, Any]:
    steps = int(told["step"]) if kin.counted else 1
    found: dict[str, Any] = {f"step.{part}": steps for part in range(layout.parts - 1)}
    found["step"] = steps
    found |= {ours: float(group[theirs]) for ours, theirs in kin.settings.items()}
    for ours, theirs in kin.states.items():
        if theirs not in told:
            raise CheckpointError(f"the stored state has no `{theirs}`")
        value = told[theirs]
        found[ours] = value * group[kin.times[ours]] if ours in kin.times else value
    return found


# ------------------------------------------------------------------- to theirs


def to_torch(layout: Layout, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state dict of ours as one of torch.optim, for the optimizer that it is.

    Raises:
        CheckpointError: torch.optim has none that takes the same steps.
    """
    for kin in kin_of(layout):
        if not kin.mode or all(
            g["optdsl"]["mode"] in ("", kin.mode) for g in state["param_groups"]
        ):
            break
    else:
        raise CheckpointError(f"torch.optim has no optimizer that takes the steps of {layout.name}")
    groups = [_their_group(layout, kin, group) for group in state["param_groups"]]
    at = {index: group for group in groups for index in group["params"]}
    states = {index: _theirs(kin, told, at[index]) for index, told in state["state"].items()}
    return {"state": states, "param_groups": groups}


def _their_group(layout: Layout, kin: Kin, group: Mapping[str, Any]) -> dict[str, Any]:
    known = defaults_of(kin.theirs)
    taken = [n for n in group if n in _carried(layout, kin) or n in BESIDE]
    for name in taken:
        if isinstance(group[name], Mapping) or group[name] is None:
            raise CheckpointError(f"`{name}` is a schedule or a function here: give it a number")
    unset = {name: value for name, value in _INERT.items() if name in known}
    return {**known, **unset, **kin.where, **{name: group[name] for name in taken}}


def _theirs(kin: Kin, told: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if kin.counted:
        found["step"] = torch.tensor(float(told["step"]))
    for ours, theirs in kin.states.items():
        value = torch.as_tensor(told[ours])
        found[theirs] = value / group[kin.times[ours]] if ours in kin.times else value.clone()
    return found
