"""The ranges of expressions, and the proof that they are defined, in one reading of a step.

A value that is read by an entry is bounded for every entry at once, so a reduction needs no more
than the range of what it takes in. What a condition tells is a fact of its branch, about the entry
that is looked at; what a reduction takes in are other entries too, so there only facts count that
are about the whole of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import TypeVar

from optdsl.checks.ranges import intervals as of
from optdsl.checks.ranges.definite import definiteness
from optdsl.checks.ranges.facts import narrow, suppose
from optdsl.checks.ranges.intervals import Empty, Interval
from optdsl.checks.ranges.operators import applied
from optdsl.checks.ranges.world import World
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
    apply,
    is_predicate,
)

_Case = TypeVar("_Case")
Truths = frozenset[bool]
_BOTH: Truths = frozenset({True, False})
_PI = of.interval(Fraction(314, 100), Fraction(315, 100))
_COUNTED = of.interval(Fraction(1))
_COMPARISONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne"})


class NotProved(Exception):
    """It is not proved that an expression is defined."""

    def __init__(self, expression: Expression) -> None:
        super().__init__(str(expression))
        self.expression = expression


class Reader:
    """Reads the expressions of a step under the facts of a branch.

    Args:
        world: the step.
        work: what is left of the expressions that may be read, shared by all readers of a proof.
    """

    def __init__(self, world: World, work: list[int]) -> None:
        self.world = world
        self.work = work
        self.facts: dict[Expression, Interval] = {}
        self._spoken_of: set[object] = set()
        self._known: dict[int, tuple[Expression, Interval]] = {}
        self._for_all: dict[Kind, Reader] = {}

    def interval(self, expression: Expression) -> Interval:
        """Return the range of a value.

        Raises:
            NotProved: it may be undefined, as far as is known.
            Empty: the facts contradict each other, so this branch is never taken.
        """
        known = self._known.get(id(expression))
        if known is not None:
            return known[1]
        self.work[0] -= 1
        if self.work[0] < 0:
            raise NotProved(expression)
        found = self._read(expression)
        if _head(expression) in self._spoken_of and expression in self.facts:
            found = of.meet(found, self.facts[expression])
        self._known[id(expression)] = expression, found
        return found

    def learn(self, expression: Expression, range_: Interval) -> None:
        """Take up a fact; what is made of other values than it is stays as it was read."""
        self.facts[expression] = range_
        self._spoken_of.add(_head(expression))
        made_of = self.world.made_of(expression)
        self._known = {
            key: (other, known)
            for key, (other, known) in self._known.items()
            if not made_of <= self.world.made_of(other)
        }
        self._for_all.clear()

    def branch(self) -> Reader:
        """Return a reader that knows what this one does, and may be told more."""
        branch = Reader(self.world, self.work)
        branch.facts = dict(self.facts)
        branch._spoken_of = set(self._spoken_of)
        branch._known = dict(self._known)
        return branch

    def for_all(self, kind: Kind) -> Reader:
        """Return a reader of what a reduction to a kind takes in: any entry of it.

        Groups may give another value to a hyperparameter, and have taken another number of steps:
        over all tensors only facts about numbers for all of them are left.
        """
        if kind not in self._for_all:
            inside = Reader(self.world.within_all(kind), self.work)
            for known, range_ in self.facts.items():
                if known.kind.within(kind) and (kind is not Kind.ALL or known.kind is Kind.ALL):
                    inside.learn(known, range_)
            self._for_all[kind] = inside
        return self._for_all[kind]

    def assuming(self, condition: Expression, truth: bool) -> Reader:
        """Return a reader of the branch in which a condition has this answer.

        Raises:
            Empty: it never has.
        """
        branch = self.branch()
        suppose(branch, condition, truth)
        return branch

    # ------------------------------------------------------------------ values

    def _read(self, expression: Expression) -> Interval:
        match expression:
            case Number(value):
                return of.point(value)
            case Constant("pi"):
                return _PI
            case Constant("true" | "false"):
                return of.SHARE
            case Clock(_, offset):
                return of.plus(self.world.clock, of.point(Fraction(offset)))
            case Value():
                return self._named(expression)
            case Fact(name):
                return (
                    of.SHARE if name == "named" else of.NOT_NEGATIVE if name == "ndim" else _COUNTED
                )
            case Draw(distribution, _, step):
                self.interval(step)
                return of.REALS if distribution == "normal" else of.SHARE
            case Reduce():
                return self._reduction(expression)
            case Matrix():
                return self._matrix(expression)
            case Apply("select", (condition, value, otherwise)):
                return self._select(condition, value, otherwise)
            case Apply():
                return self._apply(expression)
        raise NotProved(expression)

    def _named(self, value: Value) -> Interval:
        world = self.world
        if value.offset == 0 and value.name in world.equations:
            return self._by_sign(world.equations[value.name])
        if value.offset == 0 and value.name in world.free:
            return of.REALS
        if value.name in world.hypers and value.name not in world.before:
            return world.hypers[value.name]
        found = world.before.get(value.name) if value.offset == -1 else None
        if found is None:
            raise NotProved(value)
        return found

    def _by_sign(self, expression: Expression) -> Interval:
        """Return the range of an equation; where it reads a sign that is open, case by case."""
        whole = self.interval(expression)
        if whole == of.REALS:
            for inner in dict.fromkeys(_signs_read(expression)):
                return self._in_every_case(inner, expression)
        return whole

    def _in_every_case(self, inner: Expression, expression: Expression) -> Interval:
        def where(sign: Interval) -> Interval:
            branch = self.branch()
            narrow(branch, inner, sign)
            return branch.interval(expression)

        return _hull(where, (of.NEGATIVE, of.NULL, of.POSITIVE))

    def _apply(self, expression: Apply) -> Interval:
        if is_predicate(expression):
            self.holds(expression)
            return of.SHARE
        found = applied(self, expression)
        if found is None:
            raise NotProved(expression)
        return found

    def _select(self, condition: Expression, value: Expression, otherwise: Expression) -> Interval:
        def where(truth: bool) -> Interval:
            return self.assuming(condition, truth).interval(value if truth else otherwise)

        return _hull(where, self.holds(condition))

    # -------------------------------------------------------------- conditions

    def holds(self, condition: Expression) -> Truths:
        """Return which answers a condition may have.

        Raises:
            NotProved: it may be undefined.
            Empty: as in `interval`.
        """
        match condition:
            case Constant("true" | "false" as name):
                return frozenset({name == "true"})
            case Apply("not", (inner,)):
                return frozenset(not truth for truth in self.holds(inner))
            case Apply("and" | "or" as operator, (left, right)):
                return self._both(left, right, operator == "or")
            case Apply("select", (inner, value, otherwise)):
                return self._chosen(inner, value, otherwise)
            case Apply("finite"):  # what overflows is no number here, but may be there
                return _BOTH
            case Apply(operator, (left, right)) if operator in _COMPARISONS:
                return self._compared(operator, left, right)
            case Reduce("any", argument, kind):
                self.for_all(kind).holds(argument)
                return _BOTH
            case Value(name, _, 0) if name in self.world.equations:
                return self.holds(self.world.equations[name])
            case Value():
                self.interval(condition)
                return _BOTH
        raise NotProved(condition)

    def _both(self, left: Expression, right: Expression, settles: bool) -> Truths:
        """Where the left side settles it, the right one does not count."""
        first = self.holds(left)
        if first == {settles}:
            return first
        try:
            return (first & {settles}) | self.assuming(left, not settles).holds(right)
        except Empty:
            return first & {settles}

    def _chosen(self, inner: Expression, value: Expression, otherwise: Expression) -> Truths:
        found: Truths = frozenset()
        for truth in self.holds(inner):
            try:
                found |= self.assuming(inner, truth).holds(value if truth else otherwise)
            except Empty:
                continue
        return found

    def _compared(self, operator: str, left: Expression, right: Expression) -> Truths:
        if is_predicate(left) or is_predicate(right):
            self.holds(left)
            self.holds(right)
            return _BOTH
        difference = of.meet(
            self.interval(apply("sub", left, right)),
            of.negative(self.interval(apply("sub", right, left))),
        )
        if left == right:
            difference = of.meet(difference, of.NULL)
        below = difference.high < 0 or (difference.high == 0 and difference.high_open)
        above = difference.low > 0 or (difference.low == 0 and difference.low_open)
        never_above, never_below = difference.high <= 0, difference.low >= 0
        equal = never_above and never_below
        sure, out = {
            "lt": (below, never_below), "le": (never_above, above), "gt": (above, never_above),
            "ge": (never_below, below), "eq": (equal, difference.nonzero),
            "ne": (difference.nonzero, equal),
        }[operator]  # fmt: skip
        return frozenset({True}) if sure else frozenset({False}) if out else _BOTH

    # -------------------------------------------------------------- reductions

    def _reduction(self, reduce: Reduce) -> Interval:
        inside = self.for_all(reduce.kind)
        if reduce.operator == "any":
            inside.holds(reduce.argument)
            return of.SHARE
        x = inside.interval(reduce.argument)
        match reduce.operator:
            case "sum":
                return of.summed(x)
            case "mean":
                return of.averaged(x)
            case "max" | "min":
                return x
            case "norm":
                return of.root(of.summed(of.whole_power(x, 2)))
            case "rms":
                return of.root(of.averaged(of.whole_power(x, 2)))
            case "dot" if reduce.other is not None:
                same = reduce.other == reduce.argument
                y = inside.interval(reduce.other)
                return of.summed(of.whole_power(x, 2) if same else of.times(x, y))
        raise NotProved(reduce)

    def _matrix(self, matrix: Matrix) -> Interval:
        """An entry of a product is a sum of products of entries that stand elsewhere."""
        inside = self.for_all(Kind.TENSOR)
        given = [inside.interval(argument) for argument in matrix.arguments]
        match matrix.operator, given:
            case "identity", []:
                return of.SHARE
            case "transpose", [x]:
                return x
            case "product", [x, y]:
                return of.summed(of.times(x, y))
            case "power", [_, y]:
                world = self.world
                known = definiteness(
                    matrix.arguments[0], world.equations, world.definite, inside.interval
                )
                if known == "positive" or (known == "not negative" and y.low > 0):
                    return of.REALS
        raise NotProved(matrix)


def _hull(where: Callable[[_Case], Interval], cases: Iterable[_Case]) -> Interval:
    """Return the range of a value that has this one in each case.

    Raises:
        Empty: no case is possible.
    """
    found: Interval | None = None
    for case in cases:
        try:
            range_ = where(case)
        except Empty:
            continue
        found = range_ if found is None else of.hull(found, range_)
    if found is None:
        raise Empty
    return found


def _signs_read(expression: Expression) -> Iterator[Expression]:
    """Yield what an expression reads the sign or the size of, but not what a reduction takes in."""
    match expression:
        case Apply("sign" | "abs", (inner,)):
            yield inner
        case Apply("select"):
            return
        case Apply(_, arguments):
            for argument in arguments:
                yield from _signs_read(argument)


def _head(expression: Expression) -> object:
    """Return what equal expressions have in common, at a glance."""
    match expression:
        case Apply(operator) | Reduce(operator) | Matrix(operator):
            return operator
        case Value(name):
            return name
    return type(expression)
