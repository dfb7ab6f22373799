"""The quick proof: both sides are the same terms, up to names, order and auxiliary values.

Every value is given a number; values that are made in the same way of the same
values have the same number, whichever side they are on. This decides nothing
about arithmetic but what grouping and order do to sums and products, so it needs no domains, and
it holds for whatever operators a rule uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optdsl.checks.equivalence.question import (
    Question,
    expressions_of,
    shifted,
    speaks_of_matrices,
)
from optdsl.checks.equivalence.terms import Terms
from optdsl.model.expressions import (
    Apply,
    Clock,
    Constant,
    Draw,
    Expression,
    Fact,
    Kind,
    Matrix,
    Number,
    Reduce,
    Value,
    walk,
)
from optdsl.model.system import System

_COMMUTE = frozenset({"max", "min", "eq", "ne"})


@dataclass
class _Side:
    """One system's values as terms; `before` are its states before the step."""

    system: System
    terms: Terms
    before: Mapping[str, int]
    fixed: Mapping[str, Expression]
    constant: frozenset[str]
    mapped: Mapping[str, Expression] = field(default_factory=dict)
    other: _Side | None = None
    values: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.equations = {e.name: e.value for e in self.system.equations}
        self.asked = {asked.name: asked.point for asked in self.system.gradients}
        self.losses = self.system.losses

    def named(self, name: str) -> int:
        if name not in self.values:
            if name in self.asked:
                point = self.asked[name]
                found = self.terms.of("gradient", None if point is None else self.term(point))
            elif name in self.losses:
                found = self.terms.of("loss", self.named(self.losses[name]))
            elif name in self.equations:
                found = self.term(self.equations[name])
            elif name in self.before:
                found = self.before[name]
            else:
                found = self._hyper(name, 0)
            self.values[name] = found
        return self.values[name]

    def _hyper(self, name: str, offset: int) -> int:
        if self.other is not None:
            if name in self.mapped:
                return self.other.term(shifted(self.mapped[name], offset))
            return self.other._hyper(name, offset)
        if name in self.fixed:
            return self.term(shifted(self.fixed[name], offset))
        return self.terms.as_number("hyper", name, 0 if name in self.constant else offset)

    def term(self, expression: Expression) -> int:
        terms = self.terms
        match expression:
            case Number(value):
                return terms.number(value)
            case Constant(name):
                return terms.as_number("constant", name)
            case Clock(part, offset):
                return terms.as_number("clock", part, offset)
            case Value(name, _, 0):
                return self.named(name)
            case Value(name, _, -1) if name in self.before:
                return self.before[name]
            case Value(name, _, offset) if name not in self.equations:
                return self._hyper(name, offset)
            case Value(name, _, offset):
                return terms.of("elsewhere", self.system.name, id(self), name, offset)
            case Reduce():
                return self._reduced(expression)
            case Fact(name, pattern):
                return terms.as_number("fact", name, pattern)
            case Draw(distribution, number, step):
                return terms.of("draw", distribution, number, self.term(step))
            case Apply("mul" | "div" as operator, (left, right)):
                return terms.times(self.term(left), self.term(right), operator == "div")
            case Apply("pow", (base, Number(exponent))) if exponent == 2:
                return terms.times(self.term(base), self.term(base))
            case Apply("neg", (inner,)):
                return terms.negated(self.term(inner))
            case Apply("add", (left, right)):
                return terms.plus(self.term(left), self.term(right))
            case Apply("sub", (left, right)):
                return terms.plus(self.term(left), terms.negated(self.term(right)))
            case Matrix("product", (left, right), kind):
                return terms.chained(self.term(left), self.term(right), kind)
            case Matrix("transpose", (inner,), kind):
                return terms.transposed(self.term(inner), kind)
            case Matrix(operator, arguments, kind):
                return terms.of(operator, kind, *(self.term(argument) for argument in arguments))
            case Apply(operator, arguments):
                numbers = [self.term(argument) for argument in arguments]
                of_terms = terms.as_number if terms.numbers.issuperset(numbers) else terms.of
                return of_terms(operator, *(sorted(numbers) if operator in _COMMUTE else numbers))
        raise TypeError(expression)

    def _reduced(self, reduce: Reduce) -> int:
        """Return a reduction; norms and products are told by sums."""
        kind, argument = reduce.kind, self.term(reduce.argument)
        made = self.terms.as_number if kind.is_number else self.terms.of
        if reduce.operator == "dot":
            assert reduce.other is not None
            return made("sum", kind, self.terms.times(argument, self.term(reduce.other)))
        if reduce.operator in ("norm", "rms"):
            total = "sum" if reduce.operator == "norm" else "mean"
            return made("sqrt", made(total, kind, self.terms.times(argument, argument)))
        return made(reduce.operator, kind, argument)


def congruent(question: Question, maps: Mapping[str, Expression]) -> bool:
    """Are both systems the same, once states of theirs have the names that `maps` gives them?

    Only maps that rename are looked at. Terms with matrices are multiplied out, too.
    """
    pairs = _pairs(question, maps)
    if pairs is None:
        return False
    infinite = _may_be_infinite(question)
    if _congruent(question, pairs, Terms(infinite)):
        return True
    systems = (question.ours, question.theirs)
    return any(map(speaks_of_matrices, systems)) and _congruent(
        question, pairs, Terms(infinite, multiplies_out=True)
    )


def _congruent(question: Question, pairs: Mapping[str, str], terms: Terms) -> bool:
    ours = _side(question, terms)
    before = {theirs: ours.before[mine] for theirs, mine in pairs.items()}
    theirs = _Side(
        question.theirs, terms, before, {}, question.constant, question.mapping, other=ours
    )
    return (
        _same_gradients(ours, theirs)
        and _same_outputs(question, ours, theirs)
        and all(_same_state(ours, theirs, mine, name) for name, mine in pairs.items())
        and all(
            name in pairs or ours.term(value) == theirs.named(name)
            for name, value in question.hints().items()
        )
        and _same_skips(ours, theirs)
    )


def _side(question: Question, terms: Terms) -> _Side:
    names = [state.name for state in question.ours.states]
    before = {name: terms.of("before", name) for name in (*names, "theta")}
    terms.numbers |= {before[each.name] for each in question.ours.states if each.kind.is_number}
    return _Side(question.ours, terms, before, question.fixed, question.constant)


def _may_be_infinite(question: Question) -> bool:
    said = (*question.mapping.values(), *question.fixed.values())
    every = (*said, *expressions_of(question.ours), *expressions_of(question.theirs))
    return any(node == Constant("inf") for expression in every for node in walk(expression))


def _pairs(question: Question, maps: Mapping[str, Expression]) -> dict[str, str] | None:
    """Return which state of ours each state of theirs is; None where one is anything else."""
    ours = {state.name for state in question.ours.states} | {"theta"}
    pairs = {"theta": "theta"}
    for name in ("theta", *(state.name for state in question.theirs.states)):
        match maps.get(name, Value(name, Kind.ENTRY)):
            case Value(mine, _, 0) if mine in ours:
                pairs[name] = mine
            case _:
                return None
    return pairs


def _same_gradients(ours: _Side, theirs: _Side) -> bool:
    left, right = (
        dict.fromkeys((side.named(asked.name), asked.part) for asked in side.system.gradients)
        for side in (ours, theirs)
    )
    return list(left) == list(right)


def _same_outputs(question: Question, ours: _Side, theirs: _Side) -> bool:
    for a, b in zip(question.ours.outputs, question.theirs.outputs, strict=True):
        if ours.named(a) != theirs.named(b):
            return False
    left, right = question.ours.evaluation, question.theirs.evaluation
    if left is None or right is None:
        return left is right
    return ours.term(left) == theirs.term(right)


def _same_state(ours: _Side, theirs: _Side, mine: str, name: str) -> bool:
    if ours.named(mine) != theirs.named(name):
        return False
    if mine == "theta":
        return _part(ours.system, mine) == _part(theirs.system, name)
    left, right = ours.system.state(mine), theirs.system.state(name)
    if left.start is None or right.start is None:
        same = left.start is right.start
    else:
        same = ours.term(left.start) == theirs.term(right.start)
    return same and left.part == right.part and left.kind == right.kind


def _part(system: System, name: str) -> int | None:
    return next((e.part for e in system.equations if e.name == name), None)


def _same_skips(ours: _Side, theirs: _Side) -> bool:
    left, right = ours.system.skips, theirs.system.skips
    return [(ours.term(s.condition), s.part) for s in left] == [
        (theirs.term(s.condition), s.part) for s in right
    ]
