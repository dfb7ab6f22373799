"""From typed expressions to quotients of polynomials, in one case.

Where a condition is not decided by what is assumed, `NeedSign` or `NeedTruth`
says what would decide it; the caller looks at each possibility in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from optdsl.checks.equivalence import questions
from optdsl.checks.equivalence.extremes import largest
from optdsl.checks.equivalence.functions import Functions
from optdsl.checks.equivalence.number_ranges import NOT_NULL
from optdsl.checks.equivalence.polynomials import Polynomial, join
from optdsl.checks.equivalence.questions import Question
from optdsl.checks.equivalence.rationals import (
    NOTHING,
    Condition,
    Rational,
    constant,
    of_atom,
    of_factors,
)
from optdsl.checks.equivalence.roots import (
    NeedSign,
    Unreadable,
    decided_sign,
    put,
    root,
    sign_of,
    sure_sign,
)
from optdsl.checks.equivalence.signs import Context
from optdsl.checks.equivalence.sums import count, fact, summed_over, total
from optdsl.model.expressions import (
    Apply,
    Clock,
    Constant,
    Draw,
    Expression,
    Fact,
    Kind,
    Number,
    Reduce,
    Value,
    walk,
)

_ONE = Fraction(1)
#: The signs of a difference for which a comparison holds.
COMPARISONS: dict[str, frozenset[int]] = {
    "lt": frozenset({-1}),
    "le": frozenset({-1, 0}),
    "gt": frozenset({1}),
    "ge": frozenset({1, 0}),
    "eq": frozenset({0}),
    "ne": frozenset({-1, 1}),
}


class NeedTruth(Exception):
    """A condition that is not looked into decides what the value is."""

    def __init__(self, question: object) -> None:
        super().__init__(str(question))
        self.question = question


#: What a name stands for, which condition it names (None: it is looked up no further), what t is.
Names = Callable[[Value], Rational]
Meanings = Callable[[Value], "Expression | None"]
Times = Callable[[Clock], Rational]


@dataclass
class Reader:
    """Reads expressions of one side, at one step, in one case."""

    functions: Functions
    context: Context
    name: Names
    meaning: Meanings
    time: Times
    over: Kind | None = None  # within a reduction to this kind
    inside: Callable[[Kind], Reader] | None = None  # reads what a reduction to a kind takes in

    # --------------------------------------------------------------- numbers

    def value(self, expression: Expression) -> Rational:
        """Return the value of an expression that is a number."""
        match expression:
            case Number(exact):
                return constant(exact)
            case Constant("pi"):
                return of_atom(self.functions.table.atom("pi"))
            case Constant(name):
                raise Unreadable(name)
            case Clock():
                return self.time(expression)
            case Value():
                return self._named(expression)
            case Fact():
                return self._fact(expression)
            case Draw():
                return self._draw(expression)
            case Reduce():
                return self._reduction(expression)
            case Apply("select", (condition, value, otherwise)):
                return self._select(condition, value, otherwise)
            case Apply(operator, arguments):
                return self._apply(operator, [self.value(a) for a in arguments])
        raise Unreadable(str(expression))

    def _named(self, value: Value) -> Rational:
        """Return a named value; within a reduction not the one found for the case of one entry."""
        if self.over is not None and not self.inside and not value.kind.within(self.over):
            meaning = self.meaning(value)
            if meaning is not None:
                return self.value(meaning)
        return put(self.name(value), self.context)

    def _fact(self, read: Fact) -> Rational:
        table = self.functions.table
        if read.name == "size":
            return count(Kind.ENTRY, Kind.TENSOR, table)
        return fact(str(read), table)

    def _draw(self, draw: Draw) -> Rational:
        """A draw equals that of the same number, distribution, step and part, and no other."""
        parts = frozenset(node.part for node in walk(draw.step) if isinstance(node, Clock))
        step = self.value(draw.step).key()
        form = (draw.distribution, draw.number, parts, step)
        return of_atom(self.functions.table.atom("draw", *form, kind=Kind.ENTRY))

    def _apply(self, operator: str, given: list[Rational]) -> Rational:
        functions, context = self.functions, self.context
        match operator, given:
            case "neg", [x]:
                return -x
            case "add", [x, y]:
                return x + y
            case "sub", [x, y]:
                return x - y
            case "mul", [x, y]:
                return x * y
            case "div", [x, y]:
                return x * y.inverse() if y.numerator else _undefined(x, y)
            case "pow", [x, y]:
                if y.constant is not None and y.constant < 0 and not x.numerator:
                    return _undefined(x, y)
                return functions.power(x, y, context)
            case "mod", [x, y]:
                return functions.modulo(x, y, context) if y.numerator else _undefined(x, y)
            case "min", _:
                return functions.minimum(given, context)
            case "max", _:
                return functions.maximum(given, context)
            case "sqrt", [x]:
                return root(x, 2, functions.table, context)
        single = {
            "abs": functions.absolute,
            "sign": functions.sign,
            "exp": functions.exponential,
            "log": functions.logarithm,
            "cos": functions.cosine,
            "floor": functions.floor,
        }.get(operator)
        if single is None or len(given) != 1:
            raise Unreadable(operator)
        return single(given[0], context)

    def _select(self, condition: Expression, value: Expression, otherwise: Expression) -> Rational:
        try:
            decided, conditions = self.truth(condition)
        except (NeedSign, NeedTruth):
            if self.over is None or condition.kind.within(self.over):
                raise
            return self._opaque_select(condition, value, otherwise)
        return self.value(value if decided else otherwise).under(*conditions)

    def _opaque_select(
        self, condition: Expression, value: Expression, otherwise: Expression
    ) -> Rational:
        """Within a reduction entries differ: the choice is one function of an entry."""
        a, b = self.value(value), self.value(otherwise)
        question, told = self._question(condition)
        kind = join([a.kind, b.kind, condition.kind])
        atom = self.functions.table.atom("select", question, a.key(), b.key(), kind=kind)
        atom.arguments = (a.bare(), b.bare())
        if not all(map(reads, self._unproved(told | a.conditions | b.conditions))):
            raise Unreadable("a choice within a reduction that may be undefined")
        return of_atom(atom)

    def _unproved(self, conditions: frozenset[Condition]) -> frozenset[Condition]:
        return frozenset(c for c in conditions if not condition_holds(c, self.context))

    # ------------------------------------------------------------ conditions

    def truth(self, expression: Expression) -> tuple[bool, frozenset[Condition]]:
        """Return whether a condition holds, and when that is defined."""
        match expression:
            case Constant("true" | "false" as name):
                return name == "true", frozenset()
            case Apply("not", (inner,)):
                holds, conditions = self.truth(inner)
                return not holds, conditions
            case Apply("and" | "or" as operator, (left, right)):
                holds, conditions = self.truth(left)
                if holds is (operator == "or"):  # then the right side does not count
                    return holds, conditions
                holds, more = self.truth(right)
                return holds, conditions | more
            case Apply("select", (condition, value, otherwise)):
                decided, conditions = self.truth(condition)
                holds, more = self.truth(value if decided else otherwise)
                return holds, conditions | more
            case Apply(operator, (left, right)) if operator in COMPARISONS:
                difference = self.value(left) - self.value(right)
                return self._compared(difference, COMPARISONS[operator])
        if isinstance(expression, Value) and (meaning := self.meaning(expression)) is not None:
            return self.truth(meaning)
        question, conditions = self._question(expression)
        return questions.answer(question, self._told), conditions

    def _told(self, question: Question) -> bool:
        match question:
            case ("any", Kind() as kind, ("sign", str(operator), frozenset() as factors)):
                value = of_factors(_ONE, dict(factors))
                if operator in ("lt", "le"):
                    value, operator = -value, {"lt": "gt", "le": "ge"}[operator]
                if operator in ("gt", "ge"):
                    return self._compared(self._largest(value, kind), COMPARISONS[operator])[0]
                if operator == "ne":
                    return self._compared(
                        self._sum(value * value, summed_over(value.kind), kind), NOT_NULL
                    )[0]
        if question not in self.context.truths:
            raise NeedTruth(question)
        return self.context.truths[question]

    def _compared(
        self, difference: Rational, wanted: frozenset[int]
    ) -> tuple[bool, frozenset[Condition]]:
        possible = sign_of(difference, self.context)
        if possible <= wanted:
            return True, difference.conditions
        if not possible & wanted:
            return False, difference.conditions
        possible = sure_sign(difference, self.context)
        if possible <= wanted or not possible & wanted:
            return possible <= wanted, difference.conditions
        return decided_sign(difference, self.context) in wanted, difference.conditions

    def _question(self, expression: Expression) -> tuple[Question, frozenset[Condition]]:
        """Return a name for a condition, equal names, equal truth, and when that is defined."""
        match expression:
            case Constant(name):
                return ("constant", name), frozenset()
            case Value():
                meaning = self.meaning(expression)
                if meaning is not None:
                    return self._question(meaning)
                value = self.name(expression)
                return ("value", value.key()), value.conditions
            case Apply("finite", (inner,)):  # what is undefined is not finite
                value = self.value(inner)
                told = {c for c in self._unproved(value.conditions) if not reads(c)}
                return ("finite", value.key(), frozenset(told)), frozenset()
            case Apply("not", (inner,)):
                question, conditions = self._question(inner)
                return questions.negated(question), conditions
            case Apply("and" | "or" as operator, (left, right)):
                first, conditions = self._question(left)
                second, more = self._question(right)
                more = self._unproved(more) - conditions
                guarded = {("unless", operator, first, c) for c in more}
                return questions.joined(operator, first, second), conditions | guarded
            case Apply(operator, (left, right)) if operator in COMPARISONS:
                difference = self.value(left) - self.value(right)
                return questions.compared(operator, difference.key()), difference.conditions
            case Reduce("any", argument, kind):
                question, conditions = self._inside(kind)._question(argument)
                return ("any", kind, question), frozenset(_each(c, kind) for c in conditions)
        raise Unreadable("a condition of this form")

    # ------------------------------------------------------------ reductions

    def _inside(self, kind: Kind) -> Reader:
        if self.inside is not None:
            return self.inside(kind)
        context = self.context.for_all(kind)
        return Reader(self.functions, context, self.name, self.meaning, self.time, kind)

    def _reduction(self, reduce: Reduce) -> Rational:
        if not (reduce.kind.is_number or reduce.kind in (Kind.ROW, Kind.COLUMN)):
            raise Unreadable("sums over matrices")
        inside = self._inside(reduce.kind)
        x, other = inside.value(reduce.argument), reduce.other
        over = summed_over(reduce.argument.kind)
        match reduce.operator:
            case "sum":
                return self._sum(x, over, reduce.kind)
            case "mean":
                return self._mean(x, over, reduce.kind)
            case "dot" if other is not None:
                over = summed_over(reduce.argument.kind.join(other.kind))
                return self._sum(x * inside.value(other), over, reduce.kind)
            case "norm":
                squares = self._sum(x * x, over, reduce.kind)
                return root(squares, 2, self.functions.table, self.context)
            case "rms":
                squares = self._mean(x * x, over, reduce.kind)
                return root(squares, 2, self.functions.table, self.context)
            case "max":
                return self._largest(x, reduce.kind).under(*of_all(x, reduce.kind))
            case "min":
                return -self._largest(-x, reduce.kind).under(*of_all(x, reduce.kind))
        raise Unreadable(reduce.operator)

    def _largest(self, x: Rational, kind: Kind) -> Rational:
        return largest(x, kind, self.functions, self.context)

    def _sum(self, x: Rational, over: Kind, kind: Kind) -> Rational:
        return total(x, over, kind, self.functions, self.context).under(*of_all(x, kind))

    def _mean(self, x: Rational, over: Kind, kind: Kind) -> Rational:
        number = count(over, kind, self.functions.table)
        return self._sum(x, over, kind) * number.inverse().bare()


def of_all(x: Rational, kind: Kind) -> frozenset[Condition]:
    """A reduction is defined where all its entries are."""
    return frozenset(_each(c, kind) for c in x.conditions)


def _each(condition: Condition, kind: Kind) -> Condition:
    match condition:
        case ("all", Kind() as inner, tuple() as read) if reads(read):  # in the larger of both
            both = inner if inner.within(kind) else kind if kind.within(inner) else Kind.TENSOR
            return ("all", both, read)
    return ("all", kind, condition)


def _undefined(*values: Rational) -> Rational:
    never = Polynomial({})
    return NOTHING.under(*frozenset().union(*(v.conditions for v in values)), ("nonzero", never))


def state_read(condition: Condition) -> tuple[object, object] | None:
    """Return whose state was defined before, where a condition says no more than that."""
    match condition:
        case ("all" | "unless", *_, tuple() as inner):
            return state_read(inner)
        case ("reads", owner, name):
            return owner, name
    return None


def reads(condition: Condition) -> bool:
    """Does a condition say no more than that a state was defined before?"""
    return state_read(condition) is not None


def condition_holds(condition: Condition, context: Context) -> bool:
    """Is it proved that a value is defined here?"""
    match condition:
        case ("nonzero", Polynomial() as polynomial):
            return 0 not in sure_sign(Rational(polynomial), context)
        case ("nonneg" | "positive" as wanted, Fraction() as content, frozenset() as factors):
            value = of_factors(content, dict(factors))
            sign = sure_sign(value, context)
            return sign == {1} or (wanted == "nonneg" and -1 not in sign)
        case ("all", Kind() as kind, tuple() as inner):
            return condition_holds(inner, context.for_all(kind))
        case ("unless", _, _, tuple() as inner):
            return condition_holds(inner, context)
        case ("came", *question):
            return context.truths.get(tuple(question), False)
    return False
