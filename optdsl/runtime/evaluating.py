"""Where the model is evaluated, between two steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from optdsl.runtime.arrays import Array
from optdsl.runtime.engine import Engine
from optdsl.runtime.errors import StepError
from optdsl.runtime.layout import EVALUATED
from optdsl.runtime.plan import Plan


def evaluation_point(engine: Engine, plan: Plan, theta: Sequence[Array]) -> list[Array]:
    """Return the point at which the model is evaluated; theta for tensors that took no step.

    `theta` are the arrays of the true iterate, which the stored arrays need not hold.
    """
    stored = engine.tensors.stream("theta")
    engine.tensors.put("theta", theta)
    engine.forget_tables()
    try:
        found = engine.look(plan, EVALUATED, moved=True)
    finally:
        engine.tensors.put("theta", stored)
        engine.forget_tables()
    return [a if b is None else b for a, b in zip(theta, found, strict=True)]


class Aside:
    """Whether the parameters are aside, with the point of evaluation in their place."""

    def __init__(self) -> None:
        self._away = False

    def require_back(self) -> None:
        """See that the arrays hold the parameters.

        Raises:
            StepError: they hold the point of evaluation.
        """
        if self._away:
            raise StepError(
                "within `evaluating()` the arrays hold the point of evaluation: "
                "leave the `with` block first"
            )

    @contextmanager
    def put(self, arrays: Sequence[Array], point: Sequence[Array]) -> Iterator[None]:
        """Let `arrays` hold `point` within a `with` block, and then exactly what they held."""
        held = [array.copy() for array in arrays]
        self._away = True
        try:
            _fill(arrays, point)
            yield
        finally:
            _fill(arrays, held)
            self._away = False


def _fill(arrays: Sequence[Array], values: Sequence[Array]) -> None:
    for array, value in zip(arrays, values, strict=True):
        array[...] = value
