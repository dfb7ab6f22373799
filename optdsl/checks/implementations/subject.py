"""What walks: a rule or an implementation, its hyperparameters, and the points it steps to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from optdsl.checks.implementations.courses import SHAPES, Arrays, Course
from optdsl.model.system import Domain

Walk = Iterator[Arrays]


class NotRun(Exception):
    """Why something cannot be run beside others."""


@dataclass(frozen=True)
class Series:
    """A hyperparameter that moves: one value a step, the last one from then on."""

    values: tuple[float, ...]

    def at(self, step: int) -> float:
        """Return the value in a step, counted from 1."""
        return self.values[min(max(step, 1), len(self.values)) - 1]

    def __str__(self) -> str:
        return ", ".join(f"{value:g}" for value in self.values[:3]) + ", ..."


Setting = float | Series


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter of a subject.

    Args:
        name: what its own interface calls it; `betas[1]` is the first of a tuple.
        names: all names by which others may know it, `name` first.
        default: the number it has where nothing is said; None where it has none.
        off: its default is 0 or nothing, so that what it does is not done.
        domain: where it may lie, if that is known.
        moves: it may have another value in each step.
        needed: it must be given.
    """

    name: str
    names: tuple[str, ...]
    default: float | None = None
    off: bool = False
    domain: Domain | None = None
    moves: bool = False
    needed: bool = False


@dataclass(frozen=True)
class Subject:
    """Something that takes steps.

    Args:
        name: how it is called in reports.
        kind: "rule", or the framework of an implementation.
        parameters: its hyperparameters that are numbers.
        begin: gives, for settings by name, a function that walks a course.
        stays: arguments that have been given, as text.
        shapes: of the tensors that it is run with.
        size: of two rules that walk alike, the smaller is meant.
    """

    name: str
    kind: str
    parameters: tuple[Parameter, ...]
    begin: Callable[[Mapping[str, Setting]], Callable[[Course], Walk]]
    stays: tuple[str, ...] = ()
    size: int = 0
    shapes: tuple[tuple[int, ...], ...] = SHAPES
    _begun: dict[Any, Callable[[Course], Walk]] = field(default_factory=dict, repr=False)
    _walked: dict[Any, _Remembered] = field(default_factory=dict, repr=False)

    def walk(self, settings: Mapping[str, Setting], course: Course) -> Walk:
        """Yield the arrays after each step of a course; steps are taken once, and remembered.

        Raises:
            NotRun: it cannot be run with these settings.
        """
        key = tuple(sorted(settings.items(), key=lambda item: item[0]))
        if key not in self._begun:
            self._begun[key] = self.begin(settings)
        if (key, course) not in self._walked:
            self._walked[key, course] = _Remembered(self._begun[key](course))
        return iter(self._walked[key, course])


class _Remembered:
    """A walk that may be gone again without taking its steps again; where it failed, it fails."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._known: list[Arrays] = []
        self._failure: NotRun | None = None

    def __iter__(self) -> Walk:
        step = 0
        while step < len(self._known) or self._go_on():
            yield self._known[step]
            step += 1

    def _go_on(self) -> bool:
        if self._failure is not None:
            raise NotRun(str(self._failure))
        try:
            arrays = next(self._walk, None)
        except NotRun as failure:
            self._failure = failure
            raise
        if arrays is not None:
            self._known.append([array.copy() for array in arrays])
        return arrays is not None
