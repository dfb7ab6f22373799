"""From syntax to typed expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from optdsl.diagnostics import did_you_mean
from optdsl.language import syntax
from optdsl.model import functions
from optdsl.model.expressions import (
    Apply,
    Constant,
    Draw,
    Expression,
    Fact,
    Kind,
    Number,
    Step,
    Value,
    apply,
    is_predicate,
)
from optdsl.model.matrices import Matrices
from optdsl.model.names import Names
from optdsl.model.numbers import too_large
from optdsl.model.problems import Problems
from optdsl.model.reference import ZERO

Inline: TypeAlias = Callable[[syntax.Expression], "Expression | None"]

_CONDITIONS = frozenset({"and", "or", "not"})
_DISTRIBUTIONS = "write `normal(mean, deviation)` or `uniform(low, high)`"


class Translator(Matrices):
    """Turns the expressions of one definition into typed ones.

    Problems are noted, and the expression goes on as a number, so that one
    mistake costs one diagnostic.
    """

    def __init__(self, names: Names, problems: Problems, inline: Inline) -> None:
        super().__init__(names, problems)
        self.inline = inline

    # ------------------------------------------------------------- equations

    def right_hand_side(self, target: str, value: syntax.Expression) -> Expression:
        """Translate the value of an equation; an `if` without `else` at its end keeps the last."""
        if isinstance(value, syntax.Conditional) and (tail := self._tail(target, value)):
            return tail
        return self.any(value)

    def at(self, time: int, value: syntax.Expression) -> Expression:
        """Translate the value that something has at time 1, or at 0 and before."""
        self._at = time
        translated = self.any(value)
        self._at = None
        return translated

    def _tail(self, target: str, value: syntax.Conditional) -> Expression | None:
        last = value
        chain = [value]
        while isinstance(last.otherwise, syntax.Conditional):
            last = last.otherwise
            chain.append(last)
        if last.otherwise is not None:
            return None
        self.names.past.add(target)
        result: Expression = Value(target, self.names.kinds.get(target, Kind.STEP), -1)
        for link in reversed(chain):
            result = apply("select", self.condition(link.condition), self.any(link.value), result)
        return result

    # ----------------------------------------------------------- expressions

    def number(self, expression: syntax.Expression) -> Expression:
        """Translate what must be a number."""
        translated = self.any(expression)
        if self._is_condition(translated):
            self.problems.error(
                "not-a-number",
                "this is true or false, where a number is needed",
                expression.span,
                "choose with `1 if ... else 0`",
            )
            return ZERO
        return translated

    def condition(self, expression: syntax.Expression) -> Expression:
        """Translate what must be true or false."""
        translated = self.any(expression)
        if not self._is_condition(translated):
            self.problems.error(
                "not-a-condition",
                "this is a number, where a condition is needed",
                expression.span,
                "compare it with something, as in `x > 0`",
            )
            return Constant("false")
        return translated

    def _is_condition(self, expression: Expression) -> bool:
        if isinstance(expression, Value):
            return expression.name in self.names.predicates
        return is_predicate(expression)

    def any(self, expression: syntax.Expression) -> Expression:
        """Translate a number or a condition."""
        match expression:
            case syntax.Number(text):
                return Number(expression.value, text)
            case syntax.Constant(name):
                return Constant(name)
            case syntax.Name(name, ()) if name not in self.names.readable and (
                (inlined := self.inline(expression)) is not None
            ):
                return inlined
            case syntax.Name():
                return self.read(expression)
            case syntax.Unary("-", operand):
                return apply("neg", self.number(operand))
            case syntax.Unary("not", operand):
                return apply("not", self.condition(operand))
            case syntax.Binary():
                return self._binary(expression)
            case syntax.Conditional():
                return self._conditional(expression)
            case syntax.Call():
                return self._call(expression)
            case syntax.Attribute(_, "T"):
                return self._transpose(expression)
            case syntax.Attribute(syntax.Name(rule, ()), name) if rule in self.names.rules:
                return Value(f"{rule}.{name}", Kind.STEP)
            case syntax.Attribute() | syntax.Sequence() if (
                inlined := self.inline(expression)
            ) is not None:
                return inlined
            case syntax.Attribute():
                return self._wrong(
                    "undefined-name",
                    "only rules that are handed in have hyperparameters",
                    expression,
                )
            case syntax.Tuple():
                return self._later("tuples", expression.span)
            case syntax.Sequence():
                return self._later("rules that follow one another", expression.span)
        return self._wrong("not-a-number", "a text stands where a number is needed", expression)

    def _binary(self, expression: syntax.Binary) -> Expression:
        if expression.operator == "@":
            return self._product(expression)
        if expression.operator == "|":
            return self._wrong(
                "misplaced-composition",
                "`|` composes rules, not numbers",
                expression,
                "write `or` between conditions",
            )
        if expression.operator == "^" and too_large(expression):
            return self._wrong(
                "number-size",
                "this number is beyond what can be computed",
                expression,
                "write a power that lies within 2^-1074 and 2^1024",
            )
        operator = functions.BINARY[expression.operator]
        side = self.condition if operator in _CONDITIONS else self.number
        return self._joined(expression, operator, side(expression.left), side(expression.right))

    def _conditional(self, expression: syntax.Conditional) -> Expression:
        if expression.otherwise is None:
            return self._wrong(
                "missing-else",
                "an `if` without `else` keeps the last value of an equation, "
                "so it can only end one",
                expression,
                "add `else ...`",
            )
        value, otherwise = self.any(expression.value), self.any(expression.otherwise)
        if self._is_condition(value) != self._is_condition(otherwise):
            return self._wrong(
                "not-a-number", "one branch is a number, the other a condition", expression
            )
        condition = self.condition(expression.condition)
        return self._joined(expression, "select", condition, value, otherwise)

    # ----------------------------------------------------------------- draws

    def draw(self, distribution: syntax.Expression, number: int) -> Expression:
        """Translate what `~` draws from, as a shifted and scaled draw of its standard form."""
        assert isinstance(distribution, syntax.Call)
        name = distribution.function
        if name not in functions.DISTRIBUTIONS:
            return self._wrong(
                "bad-draw", f"there is no distribution `{name}`", distribution, _DISTRIBUTIONS
            )
        plain = self._plain_arguments(distribution)
        if len(plain) != 2 or len(plain) != len(distribution.arguments):
            wanted = "a mean and a deviation" if name == "normal" else "a lower and an upper bound"
            return self._arity(distribution, len(distribution.arguments), wanted)
        if self.names.family == "schedule":
            return self._wrong(
                "misplaced-draw", "a schedule has no entries to draw numbers for", distribution
            )
        first, second = (self.number(argument) for argument in plain)
        return self._scaled(Draw(name, number), first, second, distribution)

    def _scaled(
        self, drawn: Draw, first: Expression, second: Expression, call: syntax.Call
    ) -> Expression:
        """Return `mean + deviation*z`, or `low + (high - low)*u`, without what changes nothing."""
        scale = second
        if drawn.distribution == "uniform" and not _is(first, 0):
            scale = apply("sub", second, first)
        if drawn.distribution == "normal" and _is_negative(second):
            return self._wrong(
                "bad-draw",
                "a deviation is not negative",
                call.arguments[1],
                "the second argument of `normal` is the deviation, the root of the variance",
            )
        spread = drawn if _is(scale, 1) else apply("mul", scale, drawn)
        return spread if _is(first, 0) else apply("add", first, spread)

    # ----------------------------------------------------------------- calls

    def _call(self, call: syntax.Call) -> Expression:
        name = call.function
        if name == "grad":
            return self._gradient(call)
        if name == "given":
            return self._given(call)
        if name == "named":
            return self._named(call)
        if name in functions.DISTRIBUTIONS:
            return self._wrong(
                "misplaced-draw",
                "numbers are drawn by `~`, and stand alone",
                call,
                f"write `xi ~ {name}(...)` on a line of its own, and read `xi`",
            )
        if name in self.names.rules:
            return self._step(call)
        if name == "eye":
            return self._identity(call)
        scopes = [a for a in call.arguments if isinstance(a, syntax.Scope)]
        plain = self._plain_arguments(call)
        if name == "matpow":
            return self._matrix_power(call, plain)
        one_value = scopes or len(plain) == 1 or name not in functions.ELEMENTWISE
        if name in functions.REDUCTIONS and one_value:
            return self._reduction(call, plain, scopes)
        if name in functions.ELEMENTWISE:
            return self._elementwise(call, plain)
        inlined = self.inline(call)
        if inlined is not None:
            return inlined
        hint = did_you_mean(name, functions.FUNCTIONS)
        hint = hint or "there are " + ", ".join(sorted(functions.FUNCTIONS))
        if name in self.names.readable:
            hint = f"to multiply by `{name}`, write `{name}*(...)`"
        return self._wrong("unknown-function", f"there is no function `{name}`", call, hint)

    def _plain_arguments(self, call: syntax.Call) -> list[syntax.Expression]:
        plain: list[syntax.Expression] = []
        for argument in call.arguments:
            if isinstance(argument, syntax.Keyword):
                if call.function in functions.FUNCTIONS:
                    self._wrong(
                        "bad-arguments", f"`{call.function}` takes no named argument", argument
                    )
            elif not isinstance(argument, syntax.Scope):
                plain.append(argument)
        return plain

    def _elementwise(self, call: syntax.Call, plain: list[syntax.Expression]) -> Expression:
        operator, count = functions.ELEMENTWISE[call.function]
        if count is None and len(plain) < 2:
            return self._arity(call, len(plain), "two values or more, or a tensor")
        if count is not None and len(plain) != count:
            return self._arity(call, len(plain), "one value" if count == 1 else f"{count} values")
        return self._joined(call, operator, *(self.number(argument) for argument in plain))

    def _gradient(self, call: syntax.Call) -> Expression:
        name = None
        if len(call.arguments) == 1:
            name = self.names.gradients.get(call.arguments[0])
        if name is None:
            return self._wrong(
                "bad-gradient",
                "`grad` takes the one point at which an optimizer asks for a gradient",
                call,
                "a transform is given its gradient as g[t]"
                if self.names.family == "transform"
                else None,
            )
        return Value(name, Kind.ENTRY)

    def _step(self, call: syntax.Call) -> Expression:
        plain = self._plain_arguments(call)
        if len(plain) not in (1, 2) or len(plain) != len(call.arguments):
            return self._wrong(
                "bad-arguments",
                f"`{call.function}` takes the point it steps from, and perhaps a gradient",
                call,
                f"write `{call.function}(theta[t-1])` or `{call.function}(theta[t-1], g[t])`",
            )
        point = self.number(plain[0])
        return Step(call.function, point, self.number(plain[1]) if len(plain) == 2 else None)

    def _named(self, call: syntax.Call) -> Expression:
        match call.arguments:
            case (syntax.String(pattern),):
                return apply("ne", self._fact(Fact("named", pattern), call), ZERO)
        return self._wrong(
            "bad-arguments",
            "`named` takes one text to hold the name of a tensor against",
            call,
            'write `named("*.bias")`',
        )


def _is(expression: Expression, value: int) -> bool:
    return isinstance(expression, Number) and expression.value == value


def _is_negative(expression: Expression) -> bool:
    match expression:
        case Apply("neg", (Number(value),)):
            return value > 0
    return False
