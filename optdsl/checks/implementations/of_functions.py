"""Functions that take one step of one array: `step(theta, g, state, ...)`.

The protocol: three arguments come first, without defaults, whatever they are called: the array,
its gradient, and what the function returned as its state in the step before, None in the first.
It returns the new array and the state. All other arguments are hyperparameters, by keyword.

    def step(theta, g, state, lr=0.1, momentum=0.9):
        v = momentum*(0 if state is None else state) + g
        return theta - lr*v, v
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from optdsl.checks.implementations.courses import Course
from optdsl.checks.implementations.running import sentences
from optdsl.checks.implementations.signatures import (
    arguments,
    parameters_of,
    signature_of,
    stays_of,
)
from optdsl.checks.implementations.subject import NotRun, Series, Setting, Subject, Walk


def is_step(callable_: Any) -> bool:
    """Do three arguments without defaults come first, and no more of that kind?"""
    try:
        parameters = list(inspect.signature(callable_).parameters.values())
    except (TypeError, ValueError):
        return False
    needed = [
        p
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return not inspect.isclass(callable_) and len(needed) == 3 and needed == parameters[:3]


def of_function(name: str, step: Callable[..., Any], given: Mapping[str, Any]) -> Subject:
    """Return a function that takes one step of one array as a subject.

    Raises:
        NotRun: its arguments cannot be told.
    """
    signature = signature_of(step, name)
    stays = stays_of(signature, given)
    parameters = parameters_of(signature, given, after=3)

    def begin(settings: Mapping[str, Setting]) -> Callable[[Course], Walk]:
        keywords = arguments(signature, given, settings)
        return lambda course: _walk(name, step, keywords, course)

    return Subject(name, "NumPy", parameters, begin, stays)


def _walk(name: str, step: Callable[..., Any], keywords: dict[str, Any], course: Course) -> Walk:
    arrays = course.begins()
    states: list[Any] = [None] * len(arrays)
    for number, gradient in enumerate(course.steps(), 1):
        now = {k: v.at(number) if isinstance(v, Series) else v for k, v in keywords.items()}
        gradients = gradient(arrays)
        for place, g in enumerate(gradients):
            arrays[place], states[place] = _step(name, step, arrays[place], g, states[place], now)
        yield [array.copy() for array in arrays]


def _step(
    name: str, step: Callable[..., Any], theta: Any, g: Any, state: Any, keywords: dict[str, Any]
) -> tuple[Any, Any]:
    import numpy as np

    with sentences(name):
        new, state = step(theta.copy(), g.copy(), state, **keywords)
        array = np.asarray(new, np.float64)
    if array.shape != theta.shape:
        raise NotRun(f"{name} makes an array of shape {array.shape} of one of {theta.shape}")
    return array, state
