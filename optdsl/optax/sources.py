"""What a hyperparameter may be given as, and the values of one step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from optdsl.runtime.errors import HyperparameterError, HyperparameterTypeError
from optdsl.runtime.feeds import idle
from optdsl.runtime.functional import Call, Functions
from optdsl.runtime.hyperparameters import Names
from optdsl.runtime.layout import Feed, HyperparameterSlot
from optdsl.runtime.values import Scheduled, shown_name


@dataclass(frozen=True)
class OfT:
    """A function of the rule's own clock, which is 1 in the first step."""

    function: Callable[[Any], Any]

    def __call__(self, t: Any) -> Any:
        """Return the value at step t."""
        return self.function(t)


@dataclass(frozen=True)
class OfCount:
    """A schedule of Optax: a function of the steps before, 0 in the first."""

    function: Callable[[Any], Any]

    def __call__(self, t: Any) -> Any:
        """Return the value at step t."""
        return self.function(t - 1)


@dataclass(frozen=True, eq=False)
class Given:
    """An array of JAX, perhaps traced: its domain cannot be checked."""

    value: Any

    def __call__(self, t: Any) -> Any:
        """Return the value, the same at every step."""
        return self.value


def of_t(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Say that a function is one of `t`, which counts from 1, as in specs.

    Any other function that is given as a hyperparameter is a schedule of Optax: a function of
    the count of the steps before, which is 0 in the first.

    >>> import optdsl.optax
    >>> optimizer = optdsl.optax.transformation("SGD", lr=optdsl.optax.of_t(lambda t: 1/t))
    """
    return OfT(function)


Source: TypeAlias = "float | Callable[[Any], Any] | None"


def chosen_sources(functions: Functions, given: Mapping[str, Any]) -> list[Source]:
    """Return what stands in each hyperparameter; None where the spec's own formula does.

    Raises:
        HyperparameterError: a name is unknown or given twice, a value is missing, outside its
            domain or of a kind that JAX cannot trace.
    """
    names = Names(functions.name, functions.hyperparameters, functions.inputs)
    chosen = names.chosen({name: _wrapped(names, name, each) for name, each in given.items()})
    sources: list[Source] = []
    missing: list[int] = []
    for index, slot in enumerate(functions.hyperparameters):
        if index in chosen:
            source: Any = chosen[index]
            sources.append(_traceable(slot, source))
        elif slot.default is None:
            missing.append(index)
            sources.append(float("nan"))
        else:
            formula = callable(slot.default) or isinstance(slot.default, Feed)
            sources.append(None if formula else float(slot.default))  # type: ignore[arg-type]
    unread = idle(names.slots, sources)
    needed = [shown_name(names.slots[index]) for index in missing if index not in unread]
    if needed:
        raise HyperparameterError(
            f"{functions.name} needs a value for {', '.join(needed)}: it has no default"
        )
    return sources


def _wrapped(names: Names, name: str, value: Any) -> Any:
    """Let arrays of JAX through where numbers are checked."""
    if names.is_tuple(name) and not isinstance(value, str | Mapping):
        try:
            return [_one(item) for item in value]
        except TypeError:
            return value
    return _one(value)


def _one(value: Any) -> Any:
    if not isinstance(value, jax.Array):
        return value
    if value.ndim:
        raise HyperparameterTypeError(
            f"a hyperparameter is an array of shape {value.shape}: give one number, "
            "and use jax.vmap for many"
        )
    return Given(value)


def _traceable(slot: HyperparameterSlot, source: Any) -> Source:
    if isinstance(source, float | OfT | OfCount | Given):
        return source
    shown = shown_name(slot)
    if isinstance(source, Scheduled):
        raise HyperparameterTypeError(
            f"hyperparameter {shown} is {source!r}, which runs on NumPy: name it in the rule, as "
            'in transformation("SGD(eta=Cosine(T=100))"), or give '
            'optdsl.optax.schedule("Cosine", T=100)'
        )
    if _reads_t(source):
        raise HyperparameterTypeError(
            f"hyperparameter {shown} is a function of `t`. Functions here are schedules of Optax, "
            "of the count of the steps before: 0 in the first. Write optdsl.optax.of_t(f) for a "
            "function of t, which is 1 in the first; else call its parameter `count`"
        )
    return OfCount(source)


def _reads_t(function: Any) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return False
    return parameters[:1] == ["t"]


class Known(dict[str, Any]):
    """The numbers of one step by key, in float64; hyperparameters are read when they are wanted.

    `clocks` has the t of each part in this step. What schedules of the spec keep is read from
    `states` and written to `moved`.
    """

    def __init__(
        self,
        functions: Functions,
        sources: Sequence[Source],
        clocks: Sequence[Any],
        states: Mapping[str, Any],
        outside: bool,
    ) -> None:
        super().__init__({f"{name}[t-1]": value for name, value in states.items()})
        self.moved: dict[str, Any] = {}
        self.clocks = clocks
        self._slots = {slot.name: i for i, slot in enumerate(functions.hyperparameters)}
        self._functions = functions
        self._sources = sources
        self._outside = outside
        for part, clock in enumerate(clocks):
            self["t" if part == 0 else f"t{part + 1}"] = wide(clock)

    def __missing__(self, key: str) -> Any:
        if key.startswith("exact "):
            return self[key.removeprefix("exact ")]
        name = key.removesuffix("[t+1]")
        if name not in self._slots:
            raise KeyError(key)
        self[key] = self._hyperparameter(name, int(key != name))
        return self[key]

    def _hyperparameter(self, name: str, ahead: int) -> Any:
        index = self._slots[name]
        slot, source = self._functions.hyperparameters[index], self._sources[index]
        if isinstance(source, float):
            return wide(source)
        clock = self.clocks[slot.part] + ahead
        if source is not None:
            with jax.enable_x64(self._outside):
                value = source(jnp.asarray(clock - slot.begins, jnp.int32))
            if value is None or jnp.shape(value) != ():
                given = None if value is None else f"an array of shape {jnp.shape(value)}"
                raise HyperparameterError(
                    f"the schedule of {shown_name(slot)} gives {given}: it must give one number"
                )
            return wide(value)
        return self._by_default(slot, clock, ahead)

    def _by_default(self, slot: HyperparameterSlot, clock: Any, ahead: int) -> Any:
        """Return what the formula or the schedule of the spec gives."""
        later = _Later(self) if ahead else self
        if isinstance(slot.default, Feed):
            call: Any = slot.default.function
            if ahead:
                self[slot.name]  # the states that it left are where the next step begins
            found = call(_At(later, wide(clock)))
            if not ahead:
                self.moved |= {name: found[name] for name in slot.default.states}
            return found[slot.name]
        assert isinstance(slot.default, Call)
        return slot.default(_At(later, wide(clock - slot.begins)))[slot.name]


class _Later(dict[str, Any]):
    """The numbers one step on, as far as they are known."""

    def __init__(self, known: Known) -> None:
        super().__init__()
        self.known = known

    def __missing__(self, key: str) -> Any:
        if key.endswith("[t-1]"):
            name = key.removesuffix("[t-1]")
            return self.known.moved.get(name, self.known.get(key))
        return self.known[f"{key}[t+1]"] if key in self.known._slots else self.known[key]


class _At(dict[str, Any]):
    """Numbers at another time: every clock is that of a schedule."""

    def __init__(self, known: Mapping[str, Any], t: Any) -> None:
        super().__init__()
        self.known = known
        self.t = t

    def __missing__(self, key: str) -> Any:
        is_clock = key == "t" or (key[:1] == "t" and key[1:].isdigit())
        return self.t if is_clock else self.known[key]


def wide(value: Any) -> Any:
    """Return a number in float64."""
    return jnp.asarray(value).astype(jnp.float64)
