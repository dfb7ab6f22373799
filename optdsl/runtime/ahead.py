"""Steps of several optimizers that are one step to whoever asked for it: all are taken, or none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from optdsl.runtime.errors import StepError
from optdsl.runtime.optimizer import Optimizer


def check_ahead(optimizer: Optimizer, present: Sequence[int], inputs: Mapping[str, Any]) -> None:
    """Raise what a step would raise of hyperparameters and inputs; change nothing.

    `present` are the places of the tensors that have a gradient.

    Raises:
        HyperparameterError: a value is outside its domain at this step.
        StepError: an input is read and has never come.
    """
    engine = optimizer._engine
    with optimizer._turns:
        try:
            engine.give(inputs)
            engine.prepare(engine.select(tuple(present)))
        finally:
            engine.take_back()


def inputs_for(
    optimizers: Collection[Optimizer], inputs: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return for each optimizer those of `inputs` that something in it has.

    Raises:
        StepError: nothing in any of them has an input of such a name.
    """
    known = [
        {n for c in each._engine.cohorts.items for n in c.reading.input_names()}
        for each in optimizers
    ]
    for name in inputs:
        if not any(name in names for names in known):
            raise StepError(f"nothing here has an input `{name}`")
    return [{n: value for n, value in inputs.items() if n in names} for names in known]
