"""Where a value is undefined: a division by zero, a root or a logarithm of what has none."""

from __future__ import annotations

from collections.abc import Mapping

from optdsl.checks.equivalence.trials import Trial
from optdsl.checks.runs import run
from optdsl.model.arithmetic import UNDEFINED, Real
from optdsl.model.evaluation import Entries, Machine, Step
from optdsl.model.expressions import Apply, Expression, Value, children
from optdsl.model.system import System
from optdsl.program.formulas import formula, indexed_names

_WORDS = {"sqrt": "the root of a negative number", "log": "the logarithm of what is not positive"}


def first_undefined(system: System, trial: Trial) -> str | None:
    """Return the first undefined value of an exact run, as a sentence; None where all are defined.

    Points at which gradients are asked are values, too.

    >>> from optdsl.checks.runs import plain_trials
    >>> from optdsl.library import load_system
    >>> system = load_system("AdaMax")
    >>> first_undefined(system, next(plain_trials(system, [(0, 0)])))
    'eta/(1 - beta1^t)*m[t]/u[t] is 0/0 in step 1'
    """
    found: list[str] = []

    def look(machine: Machine, step: Step, before: Mapping[str, Entries]) -> Step:
        if not found and (value := _first(machine, step)) is not None:
            place = _culprit(value, machine, system)
            found.append(f"{_told(place, machine, system)} in step {step.t}")
        return step

    def _first(machine: Machine, step: Step) -> Expression | None:
        for asked in system.gradients:
            if asked.point is not None and _undefined(machine.read(asked.point)):
                return asked.point
        for equation in system.equations:
            if _undefined(step.values.get(equation.name)):
                return equation.value
        return None

    run(system, trial, look)
    return found[0] if found else None


def _undefined(value: Entries | None) -> bool:
    return value is UNDEFINED or (isinstance(value, tuple) and UNDEFINED in value)


def _culprit(expression: Expression, machine: Machine, system: System) -> Expression:
    """Return the innermost expression that is undefined though what it is made of is not."""
    if isinstance(expression, Value) and not expression.offset:
        meaning = machine.equations.get(expression.name)
        return expression if meaning is None else _culprit(meaning, machine, system)
    parts = children(expression)
    if isinstance(expression, Apply) and expression.operator == "select":
        parts = tuple(part for part in parts[1:] if _undefined(machine.read(part)))[:1]
    for part in parts:
        if _undefined(machine.read(part)):
            return _culprit(part, machine, system)
    return expression


def _told(place: Expression, machine: Machine, system: System) -> str:
    text = formula(place, indexed_names(system))
    if not isinstance(place, Apply):
        return f"{text} is undefined"
    if place.operator in ("div", "mod"):
        zero = any(_is_zero(x) for x in _entries(machine.read(place.arguments[0])))
        return f"{text} is {'0/0' if zero else 'a division by 0'}"
    words = {
        "sqrt": "the root of a negative number",
        "log": "the logarithm of what is not positive",
    }
    return f"{text} is {words.get(place.operator, 'undefined')}"


def _entries(value: Entries) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _is_zero(value: object) -> bool:
    return isinstance(value, Real) and value.exact and value.value == 0
