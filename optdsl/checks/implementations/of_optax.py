"""Gradient transformations of Optax as something that walks, in float64.

JAX computes in float64 within a context of its own; nothing global changes.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
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


def of_optax(name: str, made: Callable[..., Any], given: Mapping[str, Any]) -> Subject:
    """Return a function that makes a gradient transformation as a subject.

    Raises:
        NotRun: its arguments cannot be told.
    """
    signature = signature_of(made, name)
    stays = stays_of(signature, given)
    parameters = parameters_of(signature, given)

    def begin(settings: Mapping[str, Setting]) -> Callable[[Course], Walk]:
        return _walker(name, made, arguments(signature, given, settings))

    return Subject(name, "Optax", parameters, begin, stays)


def may_be_optax(callable_: Any) -> bool:
    """May it be a function that makes a transformation: is JAX there, and are arguments named?"""
    if not callable(callable_) or inspect.isclass(callable_) or "optax" not in sys.modules:
        return False
    try:
        parameters = inspect.signature(callable_).parameters.values()
    except (TypeError, ValueError):
        return False
    return all(each.kind is not each.POSITIONAL_ONLY for each in parameters)


def gives_transformation(made: Any) -> bool:
    """Has what a function made the two functions of a gradient transformation?"""
    return callable(getattr(made, "init", None)) and callable(getattr(made, "update", None))


def _walker(
    name: str, made: Callable[..., Any], keywords: dict[str, Any]
) -> Callable[[Course], Walk]:
    jax, optax = import_module("jax"), import_module("optax")
    with _in_float64(name, jax):
        transformation = made(**{key: _source(value) for key, value in keywords.items()})
        if not gives_transformation(transformation):
            raise NotRun(f"{name} makes no gradient transformation")

        def advance(gradients: Any, state: Any, parameters: Any) -> Any:
            updates, state = transformation.update(gradients, state, parameters)
            return optax.apply_updates(parameters, updates), state

        begin, advance = jax.jit(transformation.init), jax.jit(advance)

    def walk(course: Course) -> Walk:
        import numpy as np

        with _in_float64(name, jax):
            parameters = [jax.numpy.asarray(array) for array in course.start]
            state = begin(parameters)
        for gradient in course.steps():
            point = [np.asarray(each) for each in parameters]
            with _in_float64(name, jax):
                parameters, state = advance(gradient(point), state, parameters)
                point = [np.asarray(each) for each in parameters]
            yield point

    return walk


def _source(value: Any) -> Any:
    """Return a number, or a schedule: its steps count from 0."""
    if not isinstance(value, Series):
        return value
    jnp = import_module("jax.numpy")
    table = value.values
    return lambda count: jnp.asarray(table)[jnp.minimum(count, len(table) - 1)]


@contextmanager
def _in_float64(name: str, jax: Any) -> Iterator[None]:
    with sentences(name), jax.enable_x64(True):
        yield
