"""Parameters as a tree, and each tensor as a rule sees it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from optdsl.optax.state import ONCE, State
from optdsl.runtime.errors import (
    CheckpointError,
    GradientError,
    GradientTypeError,
    ParameterError,
    ParameterTypeError,
)
from optdsl.runtime.facts import Facts
from optdsl.runtime.functional import Fact, Functions, StateSlot
from optdsl.runtime.shapes import kept_shape, matrix_shape, seen_shape


@dataclass(frozen=True)
class Leaf:
    """One tensor: its place, shape, type and facts, and the cases that it can be in.

    `real` is the type in which its entries are computed: that of its own, and float32 where
    that has fewer bits. `cohort` counts the tensors that can be in the same cases.
    """

    number: int
    shape: tuple[int, ...]
    dtype: Any
    real: Any
    facts: Facts
    accepted: tuple[int, ...]
    cohort: int


class Tree:
    """The tensors of a tree, each seen as the rule wants it.

    `outside` says whether the program around has 64-bit numbers.
    """

    def __init__(self, functions: Functions, tree: Any, outside: bool) -> None:
        self.functions = functions
        self.outside = outside
        flat, structure = jax.tree_util.tree_flatten_with_path(tree)
        self.structure: Any = structure
        self.cohorts: list[tuple[int, ...]] = []
        self.leaves = [self._leaf(number, *pair) for number, pair in enumerate(flat)]
        self.cohorts = self.cohorts or [(0,)]

    def _leaf(self, number: int, path: Any, array: Any) -> Leaf:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        array = self._array(array)
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise ParameterTypeError(
                f"parameter `{name}` is of type {array.dtype}: rules move real numbers, so leave "
                "it out, with optax.masked for example"
            )
        facts = Facts(tuple(array.shape), name)
        cases = self.functions.cases
        accepted = tuple(
            i for i, case in enumerate(cases) if case.accepts is None or case.accepts(facts)
        )
        if accepted not in self.cohorts:
            self.cohorts.append(accepted)
        few = array.dtype.itemsize < 4
        return Leaf(
            number, tuple(array.shape), array.dtype, jnp.float32 if few else array.dtype, facts,
            accepted, self.cohorts.index(accepted),
        )  # fmt: skip

    def flatten(self, tree: Any, what: str) -> list[Any]:
        """Return the tensors of a tree like that of the parameters, in their order.

        Raises:
            ParameterError: it is another tree.
            GradientError: an array of it does not fit its parameter.
        """
        try:
            items = self.structure.flatten_up_to(tree)
        except ValueError as error:
            raise ParameterError(f"{what} are not a tree like the parameters: {error}") from None
        arrays = [self._fitting(leaf, item) for leaf, item in zip(self.leaves, items, strict=True)]
        return arrays

    def _array(self, value: Any) -> Any:
        """Return what JAX makes of a number of Python or an array of NumPy, or else the value."""
        if isinstance(value, jax.Array):
            return value
        with jax.enable_x64(self.outside):
            return jnp.asarray(value)

    def _fitting(self, leaf: Leaf, item: Any) -> Any:
        label = f"the gradient of `{leaf.facts.name}`"
        if item is None or isinstance(item, optax.MaskedNode):
            raise GradientError(
                f"{label} is {item}: hide the parameter from the rule too, as with optax.masked"
            )
        array = self._array(item)
        if array.shape != leaf.shape:
            raise GradientError(f"{label} has shape {array.shape}, but the parameter {leaf.shape}")
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise GradientTypeError(f"{label} is of type {array.dtype}: give real numbers")
        return array

    def check_state(self, state: Any, parts: int) -> None:
        """Refuse a state that is not one of this rule and of these tensors.

        Raises:
            CheckpointError: it says what differs.
        """
        why = self._misfit(state, parts)
        if why:
            raise CheckpointError(why)

    def _misfit(self, state: Any, parts: int) -> str:
        name = self.functions.name
        if not isinstance(state, State):
            return f"{type(state).__name__} is no state of {name}: give that of `init`"
        slots = [slot for case in self.functions.cases for slot in case.states]
        kept = {s.name for s in slots if s.kind not in ONCE and not isinstance(s.start, Fact)}
        if kept != set(state.tensors):
            has, keeps = (_listed(names) for names in (state.tensors, kept))
            return f"the state is one of another rule: it has {has}, and {name} keeps {keeps}"
        try:
            for column in state.tensors.values():
                self.structure.flatten_up_to(column)
        except ValueError as error:
            return f"the state is not one of parameters like these: {error}"
        if jnp.shape(state.steps) != (len(self.cohorts), parts):
            return f"the state is one of other choices of {name} for these parameters"
        return ""

    def unflatten(self, items: Sequence[Any]) -> Any:
        """Return a tree like that of the parameters."""
        return self.structure.unflatten(items)

    def seen(self, leaf: Leaf, array: Any) -> Any:
        """Return a tensor as the rule sees it: perhaps as a matrix, in the type it computes in."""
        entries = jnp.asarray(array).astype(leaf.real)
        return entries.reshape(self.shape(leaf))

    def shape(self, leaf: Leaf) -> tuple[int, ...]:
        """Return the shape in which the rule sees a tensor."""
        return matrix_shape(leaf.shape) if self.functions.matrices else leaf.shape

    def given_back(self, leaf: Leaf, entries: Any) -> Any:
        """Return what is seen so as an array like the parameter."""
        shaped = jnp.broadcast_to(entries, self.shape(leaf)).reshape(leaf.shape)
        return shaped.astype(leaf.dtype)

    def loaded(self, leaf: Leaf, slot: StateSlot, array: Any) -> Any:
        """Return a stored state as the rule sees it.

        Raises:
            CheckpointError: it is one of a tensor of another shape.
        """
        array = jnp.asarray(array)
        kept = () if slot.kind == "tensor" else kept_shape(slot.kind, leaf.shape)
        if array.shape != kept:
            raise CheckpointError(
                f"the state `{slot.name}` of `{leaf.facts.name}` has shape {array.shape}, and "
                f"here it is {kept}"
            )
        if slot.kind == "tensor":
            return array.astype(jnp.float64)
        if slot.kind in ("row", "column"):
            return array.astype(jnp.float64).reshape(seen_shape(slot.kind, leaf.shape))
        shape = self.shape(leaf) if slot.kind == "entry" else seen_shape(slot.kind, leaf.shape)
        return array.astype(leaf.real).reshape(shape)

    def stored(self, leaf: Leaf, slot: StateSlot, value: Any, number_type: Any) -> Any:
        """Return a state as it is stored."""
        if slot.kind == "tensor":
            return jnp.asarray(value).astype(number_type)
        dtype = jnp.dtype(slot.storage) if slot.storage else leaf.real
        if dtype == jnp.float64 and number_type != jnp.float64:
            dtype = jnp.dtype(jnp.float32)
        entry = slot.kind == "entry"
        seen = self.shape(leaf) if entry else seen_shape(slot.kind, leaf.shape)
        kept = kept_shape(slot.kind, leaf.shape)
        return jnp.broadcast_to(jnp.asarray(value), seen).astype(dtype).reshape(kept)

    def column(self, values: dict[int, Any]) -> Any:
        """Return a tree of what some tensors have, and nothing for the others."""
        return self.unflatten([values.get(leaf.number, optax.MaskedNode()) for leaf in self.leaves])


def _listed(names: Collection[str]) -> str:
    """Return names as text."""
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"
