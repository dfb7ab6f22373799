"""The hyperparameters of an implementation, as its signature tells them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from optdsl.checks.implementations.subject import NotRun, Parameter

_STEP_SIZES = frozenset({"lr", "learning_rate", "eta", "step_size"})


def signature_of(callable_: Callable[..., Any], name: str) -> inspect.Signature:
    """Return the signature of an implementation.

    Raises:
        NotRun: Python does not know it.
    """
    try:
        return inspect.signature(callable_)
    except (TypeError, ValueError) as error:
        raise NotRun(f"{name} tells nothing of its arguments: {error}") from None


def parameters_of(
    signature: inspect.Signature, given: Mapping[str, Any], *, after: int = 0
) -> tuple[Parameter, ...]:
    """Return what in a signature is a number, or a tuple of numbers; `given` stands for defaults.

    `after` is how many arguments come before the hyperparameters.
    """
    found: list[Parameter] = []
    for each in list(signature.parameters.values())[after:]:
        if each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL):
            continue
        default = given.get(each.name, None if each.default is each.empty else each.default)
        if isinstance(default, tuple | list):
            for place, value in enumerate(default, 1):
                if _is_number(value) or value is None:
                    found.append(_parameter(f"{each.name}[{place}]", value, False))
        elif _is_number(default) or (default is None and _wants_number(each)):
            needed = default is None and each.default is each.empty
            found.append(_parameter(each.name, default, each.name in _STEP_SIZES, needed))
    return tuple(found)


def stays_of(signature: inspect.Signature, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the arguments that were given and are no numbers, as text.

    Raises:
        NotRun: an argument was given that the signature does not have.
    """
    any_name = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    for name in given:
        if name not in signature.parameters and not any_name:
            known = ", ".join(f"`{each}`" for each in signature.parameters)
            raise NotRun(f"there is no argument `{name}`: there are {known}")
    return tuple(f"{name}={value!r}" for name, value in given.items())


def arguments(
    signature: inspect.Signature, given: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return keyword arguments: what was given, and settings, tuples put together.

    >>> import inspect
    >>> f = inspect.signature(lambda lr=0.1, betas=(0.9, 0.99): None)
    >>> arguments(f, {}, {"lr": 1.0, "betas[2]": 0.5})
    {'lr': 1.0, 'betas': (0.9, 0.5)}
    """
    found = dict(given)
    for name, value in settings.items():
        whole, bracket, place = name.partition("[")
        if not bracket:
            found[name] = value
            continue
        base = found.get(whole, signature.parameters[whole].default)
        entries = list(base)
        entries[int(place[:-1]) - 1] = value
        found[whole] = tuple(entries)
    return found


def _parameter(name: str, default: Any, moves: bool, needed: bool = False) -> Parameter:
    number = None if default is None else float(default)
    return Parameter(name, (name,), number, not default and not needed, None, moves, needed)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wants_number(parameter: inspect.Parameter) -> bool:
    """May what has no default be a number, by its annotation or its name?"""
    if parameter.annotation is parameter.empty:
        return parameter.default is parameter.empty or parameter.name in _STEP_SIZES
    text = str(parameter.annotation)
    if parameter.default is None and "bool" in text.replace("numpy.bool", ""):
        return "Array" in text
    return "float" in text
