"""Checks of settings and of stored states, with errors that say what to do."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

from optdsl.training.errors import StateError, TrainingError


def whole(value: Any, name: str, least: int, below: int | None = None) -> int:
    """Return `value` as an int.

    Raises:
        TrainingError: it is no whole number, smaller than `least`, or not smaller than `below`.
    """
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
        good = number >= least and (below is None or number < below)
    except TypeError:
        good = False
    if not good:
        upper = "" if below is None else f" and below {below}"
        raise TrainingError(f"{name} is {value!r}: give a whole number from {least} on{upper}")
    return number


def real(value: Any, name: str) -> float:
    """Return `value` as a float, which may be infinite or NaN.

    Raises:
        TrainingError: it is not one real number.
    """
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TrainingError(f"{name} is {value!r}: give one real number") from None


def within(value: Any, name: str, low: float, high: float) -> float:
    """Return `value` as a float.

    Raises:
        TrainingError: it is not a finite number from `low` to `high`.
    """
    number = real(value, name)
    if not (math.isfinite(number) and low <= number <= high):
        raise TrainingError(f"{name} is {value!r}: give a finite number from {low} to {high}")
    return number


def one_of(value: Any, name: str, choices: Iterable[str]) -> str:
    """Return `value`.

    Raises:
        TrainingError: it is none of `choices`.
    """
    known = list(choices)
    if value not in known:
        raise TrainingError(f"{name} is {value!r}: give one of {', '.join(map(repr, known))}")
    return str(value)


def check_state(
    state: Mapping[str, Any], identity: Mapping[str, Any], contents: Iterable[str]
) -> None:
    """Check that `state` was stored by an object like the one that loads it.

    `identity` holds what must be the same on both sides, `contents` the names of what else
    must be there.

    Raises:
        StateError: it was not; the message names the first difference.
    """
    if not isinstance(state, Mapping):
        raise StateError(f"the state is of type {type(state).__name__}: give what state_dict gave")
    expected = {*identity, *contents}
    for name in sorted(expected - set(state)):
        raise StateError(f"the state has no `{name}`: it was not stored by {identity['kind']}")
    for name in sorted(set(state) - expected, key=str):
        raise StateError(f"the state has an unknown `{name}`: it is not one of {identity['kind']}")
    for name, ours in identity.items():
        if state[name] != ours:
            raise StateError(
                f"`{name}` is {ours!r} here and {state[name]!r} in the state: "
                "load it into an object made with the same settings"
            )
