"""What a transformation keeps between steps."""

from __future__ import annotations

from typing import Any, NamedTuple

#: Kinds of states that are numbers for all tensors that share their clocks.
ONCE = ("step", "all")


class State(NamedTuple):
    """The state of a rule: arrays of JAX alone, so that it can be mapped, sharded and saved.

    Attributes:
        steps: int32, the steps taken: a row for the tensors that take the same rule, a column
            for each part of it.
        cases: int32, a row likewise: which of the rules `A for n then B` comes next, and which
            was before; None for a rule that does not change.
        numbers: states that are one number for all tensors, by name; one a row of `steps` where
            they are numbers of the step.
        tensors: states of each tensor, by name, each a tree like the parameters. Where a tensor
            has no such state stands `optax.MaskedNode()`.
    """

    steps: Any
    cases: Any
    numbers: dict[str, Any]
    tensors: dict[str, Any]
