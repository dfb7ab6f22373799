"""What doors into frameworks need to know of an optimizer, and users do not."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from typing import Any

import numpy as np

from optdsl.runtime.errors import StepError
from optdsl.runtime.losses import check_ready_loss
from optdsl.runtime.optimizer import Optimizer


def check_ahead(
    optimizer: Optimizer,
    gradients: Sequence[Any],
    rows: Container[int],
    loss: Any,
    inputs: Mapping[str, Any],
) -> None:
    """Raise what a step would raise; change nothing.

    So that several optimizers that step as one all take a step, or none does. `gradients` has an
    array or None for each tensor; those of `rows` are of some rows, and not looked at.

    Raises:
        GradientError: one does not fit its parameter.
        HyperparameterError: a value is outside its domain at this step.
        StepError: the step cannot be taken now, or an input or a loss is read and has not come.
    """
    engine = optimizer._engine
    present = tuple(index for index, each in enumerate(gradients) if each is not None)
    with optimizer._lock:
        optimizer._require_ready()
        engine.give(inputs)
        try:
            optimizer._intake.check(
                [None if index in rows else each for index, each in enumerate(gradients)]
            )
            if present:
                check_ready_loss(optimizer.layout, loss)
            engine.read(engine.select(present))
        finally:
            engine.take_back()


def begin(optimizer: Optimizer, present: Sequence[int]) -> None:
    """Start the states of some tensors as for their first step, and take none.

    Raises:
        HyperparameterError: a value is outside its domain.
        StepError: an input is read and has never come.
    """
    engine = optimizer._engine
    with optimizer._lock:
        optimizer._aside.require_back()
        engine.prepare(engine.select(tuple(present)))


def require_back(optimizer: Optimizer) -> None:
    """See that the arrays hold the parameters, not the point of evaluation.

    Raises:
        StepError: they do not.
    """
    optimizer._aside.require_back()


def check_group_ahead(optimizer: Optimizer, group: Mapping[str, Any]) -> None:
    """Raise what `add_group` would raise; change nothing.

    Raises:
        ParameterError: as `add_group`.
        HyperparameterError: as `add_group`.
    """
    with optimizer._lock:
        optimizer._aside.require_back()
        optimizer._read_groups([optimizer._read_group(group)], nested=True)


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


def storage_of(optimizer: Optimizer, state: str, index: int) -> np.dtype[Any]:
    """Return the dtype in which a state that has arrays is kept, for one of the parameters.

    Raises:
        KeyError: the rule has no such state.
    """
    tensors = optimizer._engine.tensors
    slots = {slot.name: slot for slot in tensors.entry_states}
    return tensors.state_dtype(slots[state], tensors.dtypes[index])
