"""What is known of a step before any of its values is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from optdsl.checks.ranges import intervals as of
from optdsl.checks.ranges.definite import Definite
from optdsl.checks.ranges.intervals import REALS, SHARE, Interval, interval
from optdsl.model.expressions import (
    Clock,
    Constant,
    Expression,
    Fact,
    Kind,
    Matrix,
    Reduce,
    Value,
    children,
    walk,
)
from optdsl.model.system import Hyperparameter, System


@dataclass(frozen=True)
class World:
    """A step of a system from states in some ranges.

    Args:
        system: whose step it is.
        before: the ranges of states before the step; None of one that has no value yet.
        clock: the range of t.
        definite: which matrices among the states are known to be definite before the step.
        others: what is known of the tensors that a reduction over all tensors takes in; each
            counts its own steps. None where this is it.
    """

    system: System
    before: Mapping[str, Interval | None]
    clock: Interval
    definite: Mapping[str, Definite] = field(default_factory=dict)
    others: World | None = None
    _made_of: dict[int, tuple[Expression, frozenset[Expression]]] = field(
        default_factory=dict, compare=False
    )

    @cached_property
    def equations(self) -> Mapping[str, Expression]:
        """What names are."""
        return {equation.name: equation.value for equation in self.system.equations}

    @cached_property
    def hypers(self) -> Mapping[str, Interval]:
        """The ranges of hyperparameters, at any step, of those that are never infinite."""
        hypers = self.system.hyperparameters
        return {hyper.name: _of_hyper(hyper) for hyper in hypers if not may_be_infinite(hyper)}

    @cached_property
    def whole(self) -> frozenset[str]:
        """The hyperparameters that are whole numbers."""
        hypers = self.system.hyperparameters
        return frozenset(h.name for h in hypers if h.domain is not None and h.domain.whole)

    @cached_property
    def free(self) -> frozenset[str]:
        """The names that may be any number: gradients and losses."""
        return frozenset({*(asked.name for asked in self.system.gradients), *self.system.losses})

    def made_of(self, expression: Expression) -> frozenset[Expression]:
        """Return the values, times and draws that an expression is made of, equations read, too."""
        known = self._made_of.get(id(expression))
        if known is not None:
            return known[1]
        found = frozenset[Expression]()
        match expression:
            case Value(name, _, 0) if name in self.equations:
                found = self.made_of(self.equations[name])
            case Value() | Clock() | Fact():
                found = frozenset({expression})
        for child in children(expression):
            found |= self.made_of(child)
        self._made_of[id(expression)] = expression, found
        return found

    def within_all(self, kind: Kind) -> World:
        """Return what holds of all that a reduction to a kind takes in."""
        return self.others if kind is Kind.ALL and self.others is not None else self


def may_be_infinite(hyper: Hyperparameter) -> bool:
    """Is an infinity in its domain? Then 0 times it, and what it is less itself, are undefined."""
    domain = hyper.domain
    if domain is None or domain.whole:
        return False
    return any(end in domain for end in (of.INFINITY, -of.INFINITY))


def _of_hyper(hyper: Hyperparameter) -> Interval:
    if isinstance(hyper.default, Constant) and hyper.default.name in ("true", "false"):
        return SHARE
    domain = hyper.domain
    if domain is None:
        return REALS
    return interval(
        _end(domain.low), _end(domain.high), domain.low_open, domain.high_open
    )  # an end that is infinite is open


def _end(value: Fraction | float) -> Fraction | float:
    infinite = abs(value) == of.INFINITY
    return value if isinstance(value, Fraction) or infinite else Fraction(value)


#: What makes one value of several entries.
Mixing: TypeAlias = Reduce | Matrix


def mixing_in(system: System) -> Iterator[Mixing]:
    """Yield the reductions, products and powers of matrices in the equations of a system."""
    for equation in system.equations:
        for node in walk(equation.value):
            match node:
                case Reduce() | Matrix("product" | "power"):
                    yield node
