"""Optimizers of PyTorch, and of those who derive from them, as something that walks."""

from __future__ import annotations

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
from optdsl.checks.implementations.subject import Series, Setting, Subject, Walk


def is_torch(callable_: Any) -> bool:
    """Is it an optimizer class of PyTorch, or derived from one?"""
    modules = {base.__module__.partition(".")[0] for base in getattr(callable_, "__mro__", ())}
    if "torch" not in modules:
        return False
    return issubclass(callable_, import_module("torch.optim").Optimizer)


def of_torch(name: str, made: Callable[..., Any], given: Mapping[str, Any]) -> Subject:
    """Return an optimizer class as a subject.

    Raises:
        NotRun: its arguments cannot be told.
    """
    signature = signature_of(made, name)
    stays = stays_of(signature, given)
    parameters = parameters_of(signature, given, after=1)

    def begin(settings: Mapping[str, Setting]) -> Callable[[Course], Walk]:
        return lambda course: _walk(name, made, arguments(signature, given, settings), course)

    return Subject(name, "PyTorch", parameters, begin, stays)


def _walk(name: str, made: Callable[..., Any], keywords: dict[str, Any], course: Course) -> Walk:
    torch = import_module("torch")
    series = {key: value for key, value in keywords.items() if isinstance(value, Series)}
    first = keywords | {key: value.at(1) for key, value in series.items()}
    tensors = [torch.tensor(array, requires_grad=True) for array in course.start]
    with _wide(torch), sentences(name):
        optimizer = made(tensors, **first)
    for step, gradient in enumerate(course.steps(), 1):
        point = [tensor.detach().numpy() for tensor in tensors]
        for tensor, g in zip(tensors, gradient(point), strict=True):
            tensor.grad = torch.from_numpy(g)
        for group in optimizer.param_groups:
            group.update({key: value.at(step) for key, value in series.items()})
        with _wide(torch), sentences(name):
            optimizer.step()
        yield point


@contextmanager
def _wide(torch: Any) -> Iterator[None]:
    """Keep numbers beside tensors in float64, too; some optimizers have such."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
