"""Numbers for all tensors get names, so that several rules can have them in common."""

from __future__ import annotations

from dataclasses import replace

from optdsl.model.expressions import (
    Expression,
    Kind,
    Reduce,
    Value,
    transform,
)
from optdsl.model.merging import in_order, names_of
from optdsl.model.system import Equation, System


def with_named_numbers(system: System) -> System:
    """Return `system` with an equation for every reduction over all tensors.

    So has each state of this kind that is read as it was before the step. `g*c/norm(g, all)`
    then reads a name. The order of operations stays the author's.
    """
    return _Namer(system).run()


class _Namer:
    def __init__(self, system: System) -> None:
        self.system = system
        self.taken = names_of(system)
        self.known: dict[Expression, Value] = {}
        self.new: list[Equation] = []
        self.moving = {state.name for state in system.states if state.kind is Kind.ALL}
        self.old: set[str] = set()
        self.part = 0

    def run(self) -> System:
        system = self.system
        equations: list[Equation] = []
        for equation in system.equations:
            self.part = equation.part
            self.old = self.moving - {equation.name}
            value = self._equation(equation.value)
            equations += [*self.new, replace(equation, value=value)]
            self.new = []
        self.old = self.moving
        gradients, skips = [], []
        for asked in system.gradients:
            self.part = asked.part
            point = None if asked.point is None else self._value(asked.point)
            gradients.append(replace(asked, point=point))
        for skip in system.skips:
            self.part = skip.part
            skips.append(replace(skip, condition=self._value(skip.condition)))
        ordered, asked_for = in_order((*equations, *self.new), tuple(gradients))
        by_part = tuple(sorted(ordered, key=lambda equation: equation.part))
        return replace(system, equations=by_part, gradients=asked_for, skips=tuple(skips))

    def _equation(self, expression: Expression) -> Expression:
        """Name what stands within an equation; a reduction that is all of one has a name."""
        if expression.kind is not Kind.ALL or not isinstance(expression, Reduce):
            return self._value(expression)
        other = None if expression.other is None else self._value(expression.other)
        return replace(expression, argument=self._value(expression.argument), other=other)

    def _value(self, expression: Expression) -> Expression:
        return transform(expression, self._extract)

    def _extract(self, node: Expression) -> Expression | None:
        match node:
            case Reduce(operator, _, Kind.ALL):
                return self._named(node, self._equation(node), f"{operator}_of_{self.system.name}")
            case Value(name, Kind.ALL, -1) if name in self.old:
                return self._named(node, node, f"last_{name}")
        return None

    def _named(self, node: Expression, value: Expression, wish: str) -> Value:
        if node not in self.known:
            name, count = wish, 1
            while name in self.taken:
                count += 1
                name = f"{wish}_{count}"
            self.taken.add(name)
            self.known[node] = Value(name, Kind.ALL)
            self.new.append(Equation(name, value, self.part))
        return self.known[node]
