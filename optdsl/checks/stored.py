"""Runs of the reference target in which all that is stored is rounded to a format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optdsl.checks.formats import Format
from optdsl.model.expressions import Number
from optdsl.model.storing import without_storage
from optdsl.model.system import System

#: How many entries the one tensor has.
WIDTH = 3


@dataclass(frozen=True)
class Moment:
    """theta and the states of entries after a step, each as an array."""

    theta: Any
    states: Mapping[str, Any]

    @property
    def finite(self) -> bool:
        """Are all of them numbers?"""
        import numpy as np

        return bool(all(np.isfinite(each).all() for each in (self.theta, *self.states.values())))


def _gradients(points: Sequence[Any], gradient: float) -> list[Any]:
    """Return the gradients at some points: no number where the point is none."""
    import numpy as np

    return [np.where(np.isfinite(point), gradient, np.nan) for point in points]


class Bench:
    """A system on the reference target, ready to be run on inputs of all kinds."""

    def __init__(self, system: System) -> None:
        from optdsl.codegen import compile_system
        from optdsl.runtime import from_layout

        self.system = system
        self._class: Any = from_layout(compile_system(without_storage(system), "reference"))
        self._needed = {
            hyper.name: self._simple(hyper.name)
            for hyper in system.hyperparameters
            if hyper.default is None
        }

    def _simple(self, name: str) -> float:
        from optdsl.checks.equivalence.question import Question
        from optdsl.checks.equivalence.trials import choices_for

        choices = choices_for(Question(self.system, self.system), name)
        return float(choices[min(1, len(choices) - 1)])

    def default(self, name: str) -> float | None:
        """Return the default of a hyperparameter where it is a number."""
        value = self.system.hyperparameter(name).default
        return float(value.value) if isinstance(value, Number) else None

    def run(
        self,
        gradients: Sequence[float],
        format_: Format | None,
        hypers: Mapping[str, float] | None = None,
        *,
        theta: float = 1.0,
        round_theta: bool = True,
    ) -> list[Moment]:
        """Return what there is after each step, where the gradient is one number a step.

        A gradient that is asked at a point which is undefined is so, too.

        Args:
            gradients: the number that every entry of the gradient is, one a step.
            format_: what theta and the states are rounded to between steps; None for float64.
            hypers: hyperparameters that are not at their defaults.
            theta: where every entry starts.
            round_theta: leave theta in float64 otherwise.
        """
        import numpy as np

        array = np.full(WIDTH, theta)
        optimizer = self._class([array], **{**self._needed, **(hypers or {})})
        moments: list[Moment] = []
        with np.errstate(all="ignore"):
            for gradient in gradients:
                optimizer.step(lambda points, each=gradient: (1.0, _gradients(points, each)))
                if format_ is not None:
                    self._round(optimizer, array, format_, round_theta)
                moments.append(Moment(array.copy(), self._states(optimizer)))
                if not moments[-1].finite:
                    break
        return moments

    def _round(self, optimizer: Any, array: Any, format_: Format, round_theta: bool) -> None:
        if round_theta:
            array[...] = format_.rounded(array)
        stored = optimizer.state_dict()
        if not stored["entries"]:
            return
        entries = {
            name: {key: format_.rounded(each) for key, each in arrays.items()}
            for name, arrays in stored["entries"].items()
        }
        optimizer.load_state_dict({**stored, "entries": entries})

    def _states(self, optimizer: Any) -> dict[str, Any]:
        return {name: arrays["0"] for name, arrays in optimizer.state_dict()["entries"].items()}
