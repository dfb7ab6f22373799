"""A step of a rule: numbers first, then all tensors in step, then what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import jax
import jax.numpy as jnp

from optdsl.optax.following import standing
from optdsl.optax.meetings import run_together
from optdsl.optax.numbers import Numbers
from optdsl.optax.results import Results
from optdsl.optax.sources import Source
from optdsl.optax.state import State
from optdsl.optax.trees import Tree
from optdsl.optax.work import Work
from optdsl.runtime.errors import ParameterError, StepError
from optdsl.runtime.functional import Functions

#: First theta, then the point of evaluation that is told from it.
LOOKS: tuple[Literal["iterate", "evaluation"], ...] = ("iterate", "evaluation")


@contextmanager
def sixty_four_bits() -> Iterator[None]:
    """Let numbers be float64, and products of matrices as exact as their type."""
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        yield


class Rule:
    """A rule with its hyperparameters; it keeps nothing from step to step."""

    def __init__(self, functions: Functions, sources: list[Source], seed: int) -> None:
        self.functions = functions
        self.sources = sources
        self.seed = seed
        self.timed = any(case.windows for case in functions.cases)
        self.parts = max(case.parts for case in functions.cases)

    # --------------------------------------------------------------------- init

    def init(self, params: Any) -> State:
        """Return the state before the first step."""
        outside = has_wide_numbers()
        with sixty_four_bits():
            tree = Tree(self.functions, params, outside)
            numbers = Numbers(self.functions, self.sources, tree, None, {}, outside)
            return State(
                steps=jnp.zeros((len(tree.cohorts), self.parts), jnp.int32),
                cases=standing(self.functions, tree.cohorts) if self.timed else None,
                numbers=numbers.first(),
                tensors=Work(numbers, self.seed).first(tree.flatten(params, "params")),
            )

    # ------------------------------------------------------------------- update

    def update(
        self,
        updates: Any,
        state: State,
        params: Any = None,
        *,
        value: Any = None,
        grad_fn: Callable[[Any], Any] | None = None,
        **inputs: Any,
    ) -> tuple[Any, State]:
        """Return what Optax is to add to the parameters, and the state after the step."""
        self._check(params, value, grad_fn, inputs)
        outside = has_wide_numbers()
        with sixty_four_bits():
            tree = Tree(self.functions, updates if params is None else params, outside)
            tree.check_state(state, self.parts)
            gradients = tree.flatten(updates, "gradients")
            arrays = gradients if params is None else tree.flatten(params, "params")
            numbers = Numbers(self.functions, self.sources, tree, state, inputs, outside)
            tasks = Work(numbers, self.seed).tasks(arrays, gradients, value)
            run_together(tasks, _asking(tree, arrays, grad_fn, outside))
            results = Results(numbers, tasks)
            return tree.unflatten(results.given()), results.state()

    def _check(self, params: Any, value: Any, grad_fn: Any, inputs: dict[str, Any]) -> None:
        name = self.functions.name
        updates = [case.update for case in self.functions.cases if case.update is not None]
        reads_theta = any("theta[t-1]" in update.reads for update in updates)
        if params is None and (reads_theta or self.functions.family == "optimizer"):
            raise ParameterError(
                f"{name} reads the parameters: call update(gradients, state, params)"
            )
        if self.functions.losses and value is None:
            raise StepError(
                f"{name} reads the loss: call update(gradients, state, params, value=loss)"
            )
        asks = any(m.kind == "gradient" for c in self.functions.cases for m in c.meetings)
        if asks and grad_fn is None:
            raise StepError(
                f"{name} asks for gradients at points of its own: call "
                "update(gradients, state, params, grad_fn=f), where f(params) returns gradients"
            )
        for slot in self.functions.inputs:
            if slot.needed and inputs.get(slot.known_as) is None:
                raise StepError(
                    f"{name} reads `{slot.known_as}` in every step: call "
                    f"update(gradients, state, params, {slot.known_as}=...)"
                )

    # --------------------------------------------------------------- evaluation

    def evaluation(self, state: State, params: Any) -> Any:
        """Return the point at which the model is to be evaluated."""
        outside = has_wide_numbers()
        with sixty_four_bits():
            tree = Tree(self.functions, params, outside)
            tree.check_state(state, self.parts)
            arrays = tree.flatten(params, "params")
            for field in LOOKS:
                numbers = Numbers(self.functions, self.sources, tree, state, {}, outside)
                arrays = Work(numbers, self.seed).looked_at(field, arrays)
            return tree.unflatten(arrays)


def has_wide_numbers() -> bool:
    """Does the program around have 64-bit numbers?"""
    return bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]


def _asking(
    tree: Tree, arrays: list[Any], function: Callable[[Any], Any] | None, outside: bool
) -> Callable[[dict[int, Any]], dict[int, Any]]:
    """Return what finds the gradients at points, one a tensor that asks."""

    def asked(points: dict[int, Any]) -> dict[int, Any]:
        assert function is not None
        whole = [
            tree.given_back(leaf, points[leaf.number]) if leaf.number in points else array
            for leaf, array in zip(tree.leaves, arrays, strict=True)
        ]
        with jax.enable_x64(outside):
            found = function(tree.unflatten(whole))
        gradients = tree.flatten(found, "what grad_fn returned")
        return {leaf.number: tree.seen(leaf, gradients[leaf.number]) for leaf in tree.leaves}

    return asked
