"""What a hyperparameter may be given as: a number, a schedule, or a function of the step."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from optdsl.runtime.errors import HyperparameterError, HyperparameterTypeError
from optdsl.runtime.inputs import inputs_of
from optdsl.runtime.layout import HyperparameterSlot


class Cursor(Protocol):
    """A walk along a schedule."""

    def at(self, t: int) -> float:
        """Return the value at step t."""
        ...

    def copy(self) -> Cursor:
        """Return a cursor at the same place that walks on its own."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the place as plain data."""
        ...

    def moved_to(self, state: dict[str, Any]) -> Cursor:
        """Return a cursor of the same schedule at a stored place."""
        ...


@runtime_checkable
class Scheduled(Protocol):
    """What can be walked along: a schedule."""

    def start(self) -> Cursor:
        """Return a cursor that stands before the first step."""
        ...


Source: TypeAlias = "float | Scheduled | Callable[[int], float]"


def domain_text(slot: HyperparameterSlot) -> str:
    """Return the domain of a slot as a spec writes it, such as `[0, 1)`."""
    if slot.whole:
        return f"{slot.low:g}..{slot.high:g}"
    left, right = "(" if slot.low_open else "[", ")" if slot.high_open else "]"
    return f"{left}{slot.low:g}, {slot.high:g}{right}"


def shown_name(slot: HyperparameterSlot) -> str:
    """Return the name of a slot as errors print it, its alias beside it."""
    if slot.alias is None:
        return f"`{slot.name}`"
    position = "" if slot.alias_position is None else f"[{slot.alias_position}]"
    return f"`{slot.name}` (`{slot.alias}{position}`)"


def within(slot: HyperparameterSlot, value: float) -> bool:
    """Does `value` lie in the domain of `slot`?"""
    if not (slot.low < value < slot.high):
        on_low = value == slot.low and not slot.low_open
        on_high = value == slot.high and not slot.high_open
        if not (on_low or on_high):
            return False
    return not slot.whole or math.isinf(value) or value == math.floor(value)


def checked_number(slot: HyperparameterSlot, value: Any, origin: str = "") -> float:
    """Return `value` as a float.

    `origin` says in the error where the value came from.

    Raises:
        HyperparameterTypeError: it is not a real number.
        HyperparameterError: it lies outside the domain of the slot.
    """
    if type(value) is not float:
        value = _as_float(slot, value, origin)
    if not within(slot, value):
        kind = "a whole number in " if slot.whole else ""
        raise HyperparameterError(
            f"hyperparameter {shown_name(slot)} is {value!r}{origin}, outside its domain: "
            f"give {kind}{domain_text(slot)}"
        )
    return float(value)


def _as_float(slot: HyperparameterSlot, value: Any, origin: str) -> float:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise HyperparameterTypeError(
            f"hyperparameter {shown_name(slot)} is {value!r}{origin}, of type "
            f"{type(value).__name__}: give a number, a schedule or a function of the step"
        )
    try:
        return float(value)
    except OverflowError:
        raise HyperparameterError(
            f"hyperparameter {shown_name(slot)} is {value!r}{origin}: too large for float64"
        ) from None


def checked_source(slot: HyperparameterSlot, value: Any) -> Source:
    """Return `value` as what a slot may hold.

    Raises:
        HyperparameterError: as `checked_number`, or a schedule's class stands for a schedule.
    """
    if isinstance(value, type):
        raise HyperparameterTypeError(
            f"hyperparameter {shown_name(slot)} is the class {value.__name__}: "
            f"call it first, as in {value.__name__}(...)"
        )
    if isinstance(value, Scheduled):
        if slot.ahead and inputs_of(value):
            names = ", ".join(f"`{name}`" for name in inputs_of(value))
            raise HyperparameterError(
                f"hyperparameter {shown_name(slot)} is read one step ahead, and {value!r} is not "
                f"known then: it waits for its input {names}"
            )
        return value
    if callable(value):
        function: Callable[[int], float] = value
        return function
    return checked_number(slot, value)
