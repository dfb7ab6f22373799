"""Which inputs are read where they may not have come yet."""

from __future__ import annotations

from optdsl.model.expressions import Apply, Expression, Value, children
from optdsl.model.system import System

_Known = frozenset[str]
_NOTHING: _Known = frozenset()


def unguarded_inputs(system: System) -> frozenset[str]:
    """Return the inputs that a step reads without asking `given(...)` of them first.

    `metric if given(metric) else 0` and `given(metric) and metric > 0` are guarded; a
    name that stands for an equation counts as the equation.

    >>> from optdsl.library import load_system
    >>> unguarded_inputs(load_system("Plateau"))
    frozenset()
    """
    reading = _Reading(system)
    kept = {state.name for state in system.states} | {"theta", *system.outputs}
    for equation in system.equations:
        if equation.name in kept:
            reading.visit(equation.value, _NOTHING)
    for point in (gradient.point for gradient in system.gradients):
        reading.visit(point, _NOTHING)
    for skip in system.skips:
        reading.visit(skip.condition, _NOTHING)
    reading.visit(system.evaluation, _NOTHING)
    return frozenset(reading.found)


class _Reading:
    def __init__(self, system: System) -> None:
        states = {state.name for state in system.states}
        self.flags = {given.name: given.flag for given in system.handed_in}
        self.meanings = {e.name: e.value for e in system.equations if e.name not in states}
        self.found: set[str] = set()
        self._seen: set[tuple[str, _Known]] = set()

    def visit(self, expression: Expression | None, known: _Known) -> None:
        """Note the inputs that `expression` reads where only the flags of `known` hold."""
        match expression:
            case None:
                pass
            case Value(name, _, 0) if name in self.flags:
                if self.flags[name] not in known:
                    self.found.add(name)
            case Value(name, _, 0) if name in self.meanings:
                if (name, known) not in self._seen:
                    self._seen.add((name, known))
                    self.visit(self.meanings[name], known)
            case Apply("select", (condition, value, otherwise)):
                self.visit(condition, known)
                self.visit(value, known | self._told(condition, True))
                self.visit(otherwise, known | self._told(condition, False))
            case Apply("and" | "or" as operator, (left, right)):
                self.visit(left, known)
                self.visit(right, known | self._told(left, operator == "and"))
            case _:
                for child in children(expression):
                    self.visit(child, known)

    def _told(self, condition: Expression, holds: bool) -> _Known:
        """Return the flags that are set where `condition` is `holds`."""
        match condition:
            case Value(name, _, 0) if name in self.flags.values():
                return frozenset({name}) if holds else _NOTHING
            case Value(name, _, 0) if name in self.meanings:
                return self._told(self.meanings[name], holds)
            case Apply("not", (inner,)):
                return self._told(inner, not holds)
            case Apply("and" | "or" as operator, (left, right)):
                one, other = self._told(left, holds), self._told(right, holds)
                return one | other if (operator == "and") is holds else one & other
        return _NOTHING
