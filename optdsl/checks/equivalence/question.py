"""What is asked when two systems are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from optdsl.model.expressions import (
    Clock,
    Expression,
    Kind,
    Matrix,
    Number,
    Reduce,
    Value,
    children,
    transform,
    values,
    walk,
)
from optdsl.model.system import Domain, System


@dataclass(frozen=True)
class Question:
    """Do two systems ask for gradients at the same points and give the same?

    Args:
        ours: the system whose names count.
        theirs: the other one.
        constant: our hyperparameters that do not vary in time.
        mapping: what names of theirs are in our names. A hyperparameter of theirs
            is replaced by this expression; a state or an output of theirs is
            claimed to be equal to it.
        fixed: values of ours, by name.
    """

    ours: System
    theirs: System
    constant: frozenset[str] = frozenset()
    mapping: Mapping[str, Expression] = field(default_factory=dict)
    fixed: Mapping[str, Expression] = field(default_factory=dict)

    @property
    def our_hypers(self) -> list[str]:
        """Our hyperparameters that are free."""
        return [h.name for h in self.ours.hyperparameters if h.name not in self.fixed]

    @property
    def strangers(self) -> list[str]:
        """Hyperparameters and inputs of theirs that have no meaning on our side."""
        ours = {h.name for h in self.ours.hyperparameters}
        known = {*self.mapping, *ours, *self.ours.inputs}
        theirs = [*(h.name for h in self.theirs.hyperparameters), *self.theirs.inputs]
        return [name for name in theirs if name not in known]

    def domain(self, name: str) -> Domain:
        """Return the domain of a hyperparameter of ours."""
        return self.ours.hyperparameter(name).domain or Domain()

    def is_constant(self, name: str) -> bool:
        """Does this hyperparameter of ours keep its value in time?"""
        return name in self.constant

    def hints(self) -> dict[str, Expression]:
        """Return what the mapping says of states and outputs that theirs defines."""
        hypers = {h.name for h in self.theirs.hyperparameters}
        return {name: value for name, value in self.mapping.items() if name not in hypers}


def shifted(expression: Expression, by: int) -> Expression:
    """Return an expression as it reads `by` steps later (earlier, where negative)."""

    def change(node: Expression) -> Expression | None:
        match node:
            case Value(name, kind, offset):
                return Value(name, kind, offset + by)
            case Clock(part, offset):
                return Clock(part, offset + by)
        return None

    return transform(expression, change)


def is_simple(expression: Expression) -> bool:
    """Is it a number, or one name?"""
    return not children(expression)


def number_of(expression: Expression) -> Fraction | None:
    """Return the number that an expression is written as, or None."""
    return expression.value if isinstance(expression, Number) else None


def expressions_of(system: System) -> list[Expression]:
    """Return every expression that a system evaluates."""
    return [
        *(equation.value for equation in system.equations),
        *(state.start for state in system.states if state.start is not None),
        *(asked.point for asked in system.gradients if asked.point is not None),
        *(skip.condition for skip in system.skips),
        *([system.evaluation] if system.evaluation is not None else []),
    ]


def reductions(system: System) -> frozenset[Kind]:
    """Return the kinds to which a system reduces values."""
    nodes = (node for expression in expressions_of(system) for node in walk(expression))
    return frozenset(node.kind for node in nodes if isinstance(node, Reduce))


def speaks_of_rows(system: System) -> bool:
    """Has a system values a row or a column, or matrices of pairs of them?"""
    nodes = (node for expression in expressions_of(system) for node in walk(expression))
    return any(isinstance(node, Matrix) or node.kind.is_matrix for node in nodes)


def speaks_of_matrices(system: System) -> bool:
    """Has a system matrices, or values of pairs of rows or columns?"""
    nodes = (node for expression in expressions_of(system) for node in walk(expression))
    plain = (Kind.ROW, Kind.COLUMN)
    return any(
        isinstance(node, Matrix) or (node.kind.is_matrix and node.kind not in plain)
        for node in nodes
    )


def names_read(system: System) -> set[str]:
    """Return every name that a system reads."""
    return {value.name for expression in expressions_of(system) for value in values(expression)}


def memories(system: System) -> list[str]:
    """Return the names that outlive a step: the states, and theta where the system moves it."""
    states = [state.name for state in system.states]
    moved = any(equation.name == "theta" for equation in system.equations)
    return [*states, "theta"] if moved and "theta" not in states else states


def reads_theta(system: System) -> bool:
    """Does anything but theta itself depend on what theta was before a step?"""
    read = [
        *(equation.value for equation in system.equations if equation.name != "theta"),
        *(asked.point for asked in system.gradients if asked.point is not None),
        *(skip.condition for skip in system.skips),
        *([system.evaluation] if system.evaluation is not None else []),
    ]
    return any(value.name == "theta" for expression in read for value in values(expression))


#: The output that tells whether a transform which may skip steps hands its others on.
HANDED_ON = "handed on"

THETA = Value("theta", Kind.ENTRY)
