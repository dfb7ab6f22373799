"""A rule of ours as something that walks: compiled for the reference target, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from optdsl.checks.implementations.courses import Course
from optdsl.checks.implementations.subject import NotRun, Parameter, Series, Setting, Subject, Walk
from optdsl.diagnostics import DiagnosticError
from optdsl.model.system import Domain
from optdsl.runtime.errors import RuntimeRefusal

if TYPE_CHECKING:
    from optdsl.model import Rule
    from optdsl.runtime.layout import HyperparameterSlot


def of_rule(name: str, rule: Rule) -> Subject:
    """Return a rule as a subject.

    Raises:
        NotRun: it is no optimizer, or reads what no implementation is handed.
    """
    from optdsl.codegen import compile_system
    from optdsl.runtime import from_layout

    if rule.family != "optimizer":
        raise NotRun(f"{name} is a {rule.family}; only optimizers are run beside implementations")
    try:
        made = from_layout(compile_system(rule, "reference"))
    except DiagnosticError as error:
        raise NotRun(error.diagnostics[0].message) from None
    layout = made.layout
    if layout.losses or layout.inputs:
        raise NotRun(f"{name} reads the loss, or numbers that are handed in")
    parameters = tuple(_parameter(slot) for slot in layout.hyperparameters)
    size = len(layout.states) + (layout.evaluate is not None) + len(parameters)
    return Subject(name, "rule", parameters, lambda settings: _walker(made, settings), (), size)


def _parameter(slot: HyperparameterSlot) -> Parameter:
    alias = slot.alias
    if alias is not None and slot.alias_position is not None:
        alias = f"{alias}[{slot.alias_position}]"
    names = dict.fromkeys((slot.name, *filter(None, (alias,)), slot.local_name))
    default = float(slot.default) if isinstance(slot.default, int | float) else None
    domain = Domain(slot.low, slot.high, slot.low_open, slot.high_open, slot.whole)
    needed = slot.default is None
    return Parameter(slot.name, tuple(names), default, default == 0, domain, True, needed)


def _walker(made: Any, settings: Mapping[str, Setting]) -> Callable[[Course], Walk]:
    sources = {name: _source(value) for name, value in settings.items()}

    def walk(course: Course) -> Walk:
        arrays = course.begins()
        with _refusals():
            optimizer = made(arrays, **sources)
        ready = made.layout.ready is not None
        for gradient in course.steps():
            with _refusals():
                optimizer.step(gradient(arrays) if ready else gradient)
            yield arrays

    return walk


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except RuntimeRefusal as error:
        raise NotRun(str(error)) from None


def _source(value: Setting) -> Any:
    if isinstance(value, Series):
        return value.at
    return value
