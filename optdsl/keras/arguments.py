"""What is given to an optimizer of Keras: hyperparameters of the rule, and its base class's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from optdsl.runtime import HyperparameterError
from optdsl.runtime.hyperparameters import Names, Settings

#: What the base class of Keras takes besides `learning_rate`, and its defaults.
BASE: dict[str, Any] = {
    "weight_decay": None, "clipnorm": None, "clipvalue": None, "global_clipnorm": None,
    "use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None,
    "loss_scale_factor": None, "gradient_accumulation_steps": None, "name": None,
}  # fmt: skip


def of_the_base(names: Names) -> dict[str, Any]:
    """Return what the base class takes, but for what the rule has under the same name."""
    return {name: default for name, default in BASE.items() if name not in names.known()}


def rate_name(names: Names) -> str | None:
    """Return the name of the hyperparameter that Keras calls the learning rate, if there is one."""
    return "lr" if "lr" in names.known() else None


class Rate:
    """The learning rate of Keras, and the hyperparameters that follow it.

    Those that a user gave under another name stay as they are, and without a rate from the user
    so do all, until Keras changes its own.
    """

    def __init__(self, names: Names, given: Any, others: Mapping[str, Any]) -> None:
        name = rate_name(names)
        if given is not None and name is None:
            raise HyperparameterError(
                f"{names.owner} has no learning rate: leave `learning_rate` out"
            )
        if name is not None and name in others:
            raise HyperparameterError(f"give `{name}` of {names.owner} as `learning_rate`")
        slots = [] if name is None else [i for place in names.slots_of(name) for i in place]
        fixed = {i for other in others for place in names.slots_of(other) for i in place}
        self.slots = [index for index in slots if index not in fixed]
        self.given = given
        self.initial = self._initial(names, given)

    def _initial(self, names: Names, given: Any) -> Any:
        """Return what the base class is given: NaN where the rule's own formula gives the rate."""
        if callable(given):
            return given
        if given is not None:
            return float(given)
        defaults = {names.slots[index].default for index in self.slots}
        if len(defaults) != 1:
            return math.nan
        (default,) = defaults
        return float(default) if isinstance(default, int | float) else math.nan

    def value(self, current: float) -> float | None:
        """Return what the hyperparameters are to be, or None where they stay as they are.

        Keras keeps its rate in float32; one that nobody has changed counts as it was given.
        """
        same = not callable(self.initial) and np.float32(self.initial) == np.float32(current)
        if math.isnan(current) or (same and self.given is None):
            return None
        return float(self.initial) if same else current

    def carry(self, settings: Settings, current: float) -> None:
        """Let the hyperparameters be what Keras says its rate is now.

        Raises:
            HyperparameterError: it is outside their domain.
        """
        value = self.value(current)
        if value is None:
            return
        for index in self.slots:
            if settings.sources[index] != value:
                settings[settings.qualified(index)] = value


def shown(names: Names, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all hyperparameters as plain data, so that a file of Keras can hold them.

    Those that the spec's own formulas give are left out.

    Raises:
        HyperparameterError: one is a function or a schedule.
    """
    settings = Settings.of(names, given)
    plain: dict[str, Any] = {}
    for name in names.preferred():
        places = names.slots_of(name)
        sources = [settings.sources[index] for indices in places for index in indices]
        if None in sources:
            continue
        if any(callable(source) or not isinstance(source, float) for source in sources):
            raise HyperparameterError(
                f"`{name}` of {names.owner} is {settings[name]!r}, which a file of Keras cannot "
                "hold: give a number, or name the schedule in the rule"
            )
        plain[name] = settings[name]
    return plain
