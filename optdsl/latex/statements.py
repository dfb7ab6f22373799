"""Small tools on the statements that a document's equations become."""

from __future__ import annotations

from collections.abc import Iterable

from optdsl.language import syntax
from optdsl.latex import trees


def targets_of(statement: syntax.Statement) -> tuple[syntax.Name, ...]:
    """Return the names that a statement sets; none where it is no equation."""
    match statement:
        case syntax.Equation(targets):
            return targets
        case syntax.Draw(target):
            return (target,)
    return ()


def value_of(statement: syntax.Statement) -> syntax.Expression:
    """Return what an equation sets its targets to, or the distribution of a draw."""
    match statement:
        case syntax.Equation(_, value):
            return value
        case syntax.Draw(_, distribution):
            return distribution
    raise TypeError(f"{type(statement).__name__} is not made of a document's equations")


def is_start(statement: syntax.Statement) -> bool:
    """Does it say a value at a numbered step?"""
    return any(trees.number_of(target) is not None for target in targets_of(statement))


def set_by(statements: Iterable[syntax.Statement]) -> dict[str, None]:
    """Return the names that statements set in a step, in order."""
    return {t.name: None for one in statements if not is_start(one) for t in targets_of(one)}
