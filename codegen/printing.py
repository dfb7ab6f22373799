"""Expressions as Python text, in the author's order of operations.

The same text serves NumPy arrays, numbers of one step, and entries in a Numba
loop: the module it stands in imports `where`, `minimum`, `square` and the rest
from wherever its target has them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from optdsl.codegen.predicates import is_predicate
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
    Step,
    Value,
)

_INFIX = {
    "or": ("|", 1), "and": ("&", 2), "add": ("+", 4), "sub": ("-", 4), "mul": ("*", 5),
    "div": ("/", 5),
}  # fmt: skip
#: How comparisons are written, in Python and in LLVM.
COMPARED = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_CALLED = {"finite": "isfinite", "not": "logical_not", "min": "minimum", "max": "maximum"}
_CONDITIONAL, _COMPARISON, _NEGATED, _POWER, _ATOM = 0, 0.5, 6, 7, 8

_LOGICAL = {"and", "or", "not"}


@dataclass(frozen=True)
class Dialect:
    """What differs between the places in which an expression can stand.

    `value` and `clock` give the text of what is read; `literal` wraps a number's
    text; `predicates` are the names whose value is true or false. `lazy` says
    that a choice is written as Python's own; `prefix` stands before a function's name;
    `draw` gives the text of a random number, where entries are; `matrices` says that
    whole matrices are, in a function that knows their `rows`, `columns` and type `real`; `divides`
    that the quotient of an entry by a number that all share is written as a call. `names` are
    those that functions and constants have where they are not those of Python.
    """

    value: Callable[[Value], str]
    clock: Callable[[Clock], str]
    literal: Callable[[str], str] = str
    predicates: Collection[str] = ()
    lazy: bool = False
    prefix: str = "np."
    draw: Callable[[Draw], str] | None = None
    matrices: bool = False
    divides: bool = False
    names: Mapping[str, str] = field(default_factory=dict)

    def named(self, name: str, prefix: str = "") -> str:
        """Return what a function or a constant is called here."""
        return self.names.get(name, f"{prefix}{name}")


def python(expression: Expression, dialect: Dialect) -> str:
    """Return the Python text of `expression`."""
    return _Printer(dialect).write(expression)[0]


def condition(expression: Expression, dialect: Dialect) -> str:
    """Return the Python text of what must be true or false, ready to be an operand."""
    return _above(_Printer(dialect).condition(expression), _ATOM)


def decimal(value: Fraction) -> str:
    """Return a Python float literal, the nearest to `value`."""
    return repr(float(value))


def by_a_shared_number(value: Expression, divisor: Expression) -> bool:
    """Is this the quotient of an entry by a number that other entries are divided by too?"""
    return divisor.kind.is_number and not value.kind.is_number


class _Printer:
    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def write(self, expression: Expression) -> tuple[str, float]:
        match expression:
            case Number(value):
                return self.dialect.literal(decimal(value)), _NEGATED if value < 0 else _ATOM
            case Constant("true" | "false" as name):
                return self.dialect.named(name.capitalize()), _ATOM
            case Constant(name):
                return self.dialect.literal(self.dialect.named(name, self.dialect.prefix)), _ATOM
            case Clock():
                text = self.dialect.clock(expression)
                return text, _ATOM if text.isidentifier() else 4
            case Value():
                return self.dialect.value(expression), _ATOM
            case Apply(operator, arguments):
                return self._apply(operator, arguments)
            case Draw() if self.dialect.draw is not None:
                return self.dialect.draw(expression), _ATOM
            case Matrix() | Reduce() if self.dialect.matrices:
                return self._matrix(expression)
            case Matrix() | Reduce() | Fact() | Step() | Draw():
                raise AssertionError(f"{expression} stands inside an expression")

    def _matrix(self, node: Matrix | Reduce) -> tuple[str, float]:
        if isinstance(node, Reduce):
            texts = [self.write(each)[0] for each in node.arguments]
            if node.kind.is_number:
                return f'number_of("{node.operator}", {", ".join(texts)})', _ATOM
            texts.insert(1, "1" if node.kind is Kind.ROW else "0")
            return f'over_axis("{node.operator}", {", ".join(texts)})', _ATOM
        operands = [self.write(each) for each in node.arguments]
        match node.operator:
            case "identity":
                return f"{self.dialect.prefix}eye({node.kind.axes[0]}, dtype=real)", _ATOM
            case "transpose":
                return f"{_above(operands[0], _ATOM)}.T", _ATOM
            case "product":
                return f"{_above(operands[0], 5)} @ {_above(operands[1], 6)}", 5
        return f"symmetric_power({operands[0][0]}, {operands[1][0]})", _ATOM

    def _apply(self, operator: str, arguments: tuple[Expression, ...]) -> tuple[str, float]:
        if operator == "select":
            return self._select(*arguments)
        write = self.condition if operator in _LOGICAL else self._number
        operands = [write(each) for each in arguments]
        if operator in COMPARED:
            left, right = (_above(each, 1) for each in operands)
            return f"{left} {COMPARED[operator]} {right}", _COMPARISON
        if operator == "div" and self.dialect.divides and by_a_shared_number(*arguments):
            return f"divide({', '.join(text for text, _ in operands)})", _ATOM
        if operator in _INFIX:
            symbol, strength = _INFIX[operator]
            left, right = _above(operands[0], strength), _above(operands[1], strength + 1)
            return f"{left} {symbol} {right}", strength
        if operator == "neg":
            return f"-{_above(operands[0], _POWER)}", _NEGATED
        if operator == "pow":
            return self._power(operands, arguments[1])
        if operator == "abs":
            return f"{self.dialect.named('abs')}({operands[0][0]})", _ATOM
        return self._call(_CALLED.get(operator, operator), [text for text, _ in operands]), _ATOM

    def _select(
        self, condition: Expression, value: Expression, otherwise: Expression
    ) -> tuple[str, float]:
        both = all(is_predicate(each, self.dialect.predicates) for each in (value, otherwise))
        branch = self.write if both else self._number
        test, first, second = self.condition(condition), branch(value), branch(otherwise)
        if self.dialect.lazy:
            text = f"{_above(first, 0.4)} if {_above(test, 0.4)} else {second[0]}"
            return text, _CONDITIONAL
        return self._call("where", [test[0], first[0], second[0]]), _ATOM

    def _power(self, operands: list[tuple[str, float]], exponent: Expression) -> tuple[str, float]:
        if isinstance(exponent, Number) and exponent.value == 2:
            return self._call("square", [operands[0][0]]), _ATOM
        if not self.dialect.prefix:
            if isinstance(exponent, Number) and exponent.value == 3:
                return f"cube({operands[0][0]})", _ATOM
            return self._call("power", [text for text, _ in operands]), _ATOM
        return f"{_above(operands[0], _ATOM)} ** {_above(operands[1], _NEGATED)}", _POWER

    def condition(self, expression: Expression) -> tuple[str, float]:
        """Write what must be true or false, though it may be stored as a number."""
        text, strength = self.write(expression)
        if is_predicate(expression, self.dialect.predicates):
            return text, strength
        return f"{_above((text, strength), 1)} != {self.dialect.literal('0.0')}", _COMPARISON

    def _number(self, expression: Expression) -> tuple[str, float]:
        """Write what is used as a number, though its value may be true or false."""
        text, strength = self.write(expression)
        if is_predicate(expression, self.dialect.predicates):
            branches = [self.dialect.literal("1.0"), self.dialect.literal("0.0")]
            return self._call("where", [text, *branches]), _ATOM
        return text, strength

    def _call(self, function: str, arguments: list[str]) -> str:
        """Write a call; of a function of two, nested where there are more arguments."""
        called = self.dialect.named(function, self.dialect.prefix)
        if function not in ("minimum", "maximum"):
            return f"{called}({', '.join(arguments)})"
        text = arguments[0]
        for argument in arguments[1:]:
            text = f"{called}({text}, {argument})"
        return text


def _above(operand: tuple[str, float], strength: float) -> str:
    text, own = operand
    return text if own >= strength else f"({text})"
